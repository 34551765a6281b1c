"""Which view of a study's surface is drawn, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array

from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES, check_factor_name
from gpscale.plotting.base import StudyLike
from gpscale.plotting.labels import OUTCOME_LABELS, FloatArray
from gpscale.plotting.look import UNCUT
from gpscale.surrogate.surface import Surface
from gpscale.units import format_macs

_USABLE = 3.0
"""Largest factor of a recalibration after which intervals still say something."""

_NEAR = 0.25
"""Distance from a slice, as a share of a factor's observed span, at which a mark has lost 40 % of its strength."""

_FAINTEST = 0.15

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
    fainter = ", fainter the farther they are from the slice" if fixed else ""
    return f"{study.name}, {len(surface.values)} trials: {label}; crosses: trials{fainter}"


def unusable(study: StudyLike, outcomes: Sequence[str]) -> str:
    """Return what a caption adds where intervals had to be made so much wider that they say nothing; else nothing.

    Args:
        study: What is drawn.
        outcomes: `"top1"`, `"top5"` or both: whose intervals are drawn.
    """
    factors = {name: study.joint_surface(name).recalibration for name in outcomes}
    worst = {name: factor for name, factor in factors.items() if factor > _USABLE}
    if not worst:
        return ""
    whose = {name: f"{OUTCOME_LABELS[name]} " if len(outcomes) > 1 else "" for name in worst}
    return "; intervals unusable: " + ", ".join(f"{whose[name]}recalibrated x {worst[name]:.1f}" for name in worst)


def fading(surface: Surface, fixed: Mapping[str, float], trials: FloatArray | None = None) -> FloatArray:
    """Return how strongly to draw trials on one of a surface's slices.

    Args:
        surface: The surface.
        fixed: Value of each factor that the slice holds.
        trials: Factors of the trials, (n, d) float64, columns as `surface.names`; None for those it was fitted to.

    Returns:
        Opacity of each trial, (n,) float64, in [0.15, 1]; 1 for a trial on the slice.
    """
    varies = [name for name in fixed if name not in surface.constant_names]
    columns = [surface.names.index(name) for name in varies]
    span = np.ptp(np.log(surface.observations[:, columns]), axis=0)
    logs = np.log((surface.observations if trials is None else trials)[:, columns])
    distance = (logs - np.log([fixed[name] for name in varies])) / span
    near: FloatArray = np.exp(-0.5 * np.square(distance / _NEAR).sum(axis=1))
    return np.maximum(near, _FAINTEST)


def trial_crosses(ax: Axes, places: FloatArray, strength: FloatArray, color: str, width: float = 1.0) -> Artist:
    """Return crosses where trials are, whole also on the edge of the panel.

    Args:
        ax: Where.
        places: (n, 2) float64, data coordinates.
        strength: Opacity of each, (n,) float64, in [0, 1].
        color: Of all.
        width: Of their strokes, in points.
    """
    colors = to_rgba_array(np.repeat(color, len(places)), strength)
    return ax.scatter(places[:, 0], places[:, 1], s=14, marker="x", c=colors, linewidths=width, **UNCUT)
