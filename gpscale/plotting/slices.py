"""Which view of a study's surface is drawn, and what is said of it."""

from __future__ import annotations

from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES, check_factor_name
from gpscale.plotting.base import StudyLike
from gpscale.plotting.labels import OUTCOME_LABELS
from gpscale.surrogate.surface import Surface
from gpscale.units import format_macs

PREFERRED = ("resolution", "width", "vit_depth", "ir_depth")
"""Factors of a view that nobody chose."""


def varying_names(surface: Surface) -> list[str]:
    """Return the factors along which a surface can be seen, the preferred ones first."""
    return [name for name in PREFERRED if name in surface.names and name not in surface.constant_names]


def choose_names(surface: Surface, given: tuple[str, ...] | None, count: int) -> tuple[str, ...]:
    """Return the factors of a view.

    Args:
        surface: What is seen.
        given: Names that were asked for; None leaves the choice to this function.
        count: How many are needed.

    Raises:
        FitError: The surface has not so many factors that vary.
        UnknownNameError: A given name is no factor.
    """
    if given is not None:
        for name in given:
            check_factor_name(name)
        return given
    names = varying_names(surface)
    if len(names) < count:
        raise FitError(
            f"A view over {count} factors needs trials in which {count} vary. Got {', '.join(names) or 'none'}. "
            "Draw a line along one factor, or widen `space`."
        )
    chosen = names[:count]
    return tuple(chosen) if len(surface.names) == len(FACTOR_NAMES) else tuple(n for n in surface.names if n in chosen)


def held(surface: Surface) -> dict[str, float]:
    """Return where the factors of no axis are held: at 1, or where every trial has them."""
    return {name: surface.bounds[name][0] for name in surface.constant_names}


def describe(study: StudyLike, surface: Surface, label: str) -> str:
    """Return the caption of a view: which study, what of it, and what happens to the MACs."""
    label = label.replace(surface.outcome, OUTCOME_LABELS[surface.outcome])
    if len(surface.names) < len(FACTOR_NAMES):
        macs = study.finished["macs"]
        label = f"{label} at fixed MACs ({format_macs(macs.min())} to {format_macs(macs.max())})"
    return f"{study.name}, {len(surface.values)} trials: {label}"
