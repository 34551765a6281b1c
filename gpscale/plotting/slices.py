"""Which view of a study's surface is drawn, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping

from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES, FACTOR_SYMBOLS, check_factor_name
from gpscale.plotting.base import StudyLike
from gpscale.plotting.labels import OUTCOME_LABELS
from gpscale.surrogate.surface import Surface
from gpscale.units import format_macs

PREFERRED = ("resolution", "width", "vit_depth", "ir_depth")
"""Factors of a view that nobody chose."""


def varying_names(surface: Surface) -> list[str]:
    """Return the factors along which a surface can be seen: in its own order, of all four the preferred ones first."""
    names = PREFERRED if len(surface.names) == len(PREFERRED) else surface.names
    return [name for name in names if name not in surface.constant_names]


def choose_names(surface: Surface, given: tuple[str, ...] | None, count: int) -> tuple[str, ...]:
    """Return the factors of a view.

    Args:
        surface: What is seen.
        given: Names that were asked for; None leaves the choice to this function.
        count: How many are needed.

    Raises:
        FitError: Other than so many were asked for, or the surface has not so many that vary.
        UnknownNameError: A given name is no factor.
    """
    if given is not None:
        for name in given:
            check_factor_name(name)
        if len(given) != count:
            got = f"{len(given)}: {', '.join(given)}" if given else "none"
            raise FitError(f"This view needs {count} factor{'s' * (count > 1)}. Got {got}. Name {count}.")
        return given
    names = varying_names(surface)
    if len(names) < count:
        raise FitError(
            f"A view over {count} factors needs trials in which {count} vary. Got {', '.join(names) or 'none'}. "
            "Draw a line along one factor, or widen `space`."
        )
    return tuple(names[:count])


def held(surface: Surface) -> dict[str, float]:
    """Return where the factors of no axis are held: at 1, or where every trial has them."""
    return {name: surface.bounds[name][0] for name in surface.constant_names}


def describe(study: StudyLike, surface: Surface, label: str, fixed: Mapping[str, float]) -> str:
    """Return the caption of a view: which study, what of it, what happens to the MACs, where the trials are.

    Args:
        study: What is drawn.
        surface: The surface of which the view is one.
        label: The view's label.
        fixed: The view's factors that are on no axis.
    """
    label = label.replace(surface.outcome, OUTCOME_LABELS[surface.outcome])
    if len(surface.names) < len(FACTOR_NAMES):
        low, high = (format_macs(macs) for macs in study.finished["macs"].agg(["min", "max"]))
        label = f"{label.removesuffix('; MACs vary')} at fixed MACs ({low} to {high})"
    anywhere = f" of any {', '.join(FACTOR_SYMBOLS[name] for name in fixed)}" if fixed else ""
    return f"{study.name}, {len(surface.values)} trials: {label}; crosses: trials{anywhere}"
