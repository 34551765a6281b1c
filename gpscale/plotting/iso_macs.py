"""Iso-MAC profiles: the best top-1 that the surface promises at each level of a factor, when MACs are held."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES
from gpscale.plotting.base import Columns, StudyLike, is_base
from gpscale.plotting.labels import FACTOR_LABELS, OUTCOME_LABELS, PERCENT, FloatArray, percent
from gpscale.plotting.look import (
    GREEN,
    LINE,
    SMALL,
    UNCUT,
    caption,
    check_columns,
    dress,
    halo,
    log_x,
    new_figure,
    ordered_colors,
    root,
    style,
)
from gpscale.plotting.slices import choose_names, unusable, varying_names
from gpscale.units import Z95

SHARES = (0.25, 0.5, 1.0)
"""Reduction factors c at which MACs are held."""

_HEIGHTS: dict[Columns, float] = {1: 3.9, 2: 2.4}
_ACROSS: dict[Columns, int] = {1: 2, 2: 4}
_TOLERANCE = 0.03
_MANY, _PARTS = 13, 8
"""A line of more levels than the first shows the highest in each of so many parts of their span."""

_WIDE = 2.0
"""Intervals wider than so many times the differences that are to be seen would hide those."""

_REACH = 0.4
"""How far intervals are shown beyond what they are of, as a share of its span."""

_ASIDE = 0.015
"""How far neighbouring lines stand apart, as a share of the panel."""


def iso_macs_data(
    study: StudyLike,
    outcome: str = "top1",
    shares: Sequence[float] = SHARES,
    factors: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Tabulate the profiles of every factor that varied.

    Args:
        study: A study with a surface over all four factors.
        outcome: `"top1"` or `"top5"`.
        shares: Reduction factors c to hold; those outside the measured range are left out.
        factors: Of which factors; none takes all that varied.

    Returns:
        One row a factor, c and level: `factor`, `c`, `macs` (multiply-accumulates that are held, within 3 %), `level`
        (the factor's realised value), `value` (highest mean of the surface among the architectures there, a fraction),
        `low` and `high` (95 % band of the surface at that architecture), `envelope` (is the highest of the levels near
        it: of a factor with more than 13 levels the highest in each of 8 parts of their span, evenly spaced in log
        level; of one with few levels each). Which architectures use the MACs within 3 % is chance at a single level of
        width, of which the space has tens.

    Raises:
        FitError: The surface has fewer than four factors, a factor did not vary, or every share is outside the measured
            range.
        UnknownNameError: A name is no factor or no outcome.

    Example:
        >>> from gpscale import Study
        >>> table = iso_macs_data(Study("quickstart"), shares=(0.5,))
        >>> bool((table["low"] <= table["value"]).all())
        True
    """
    low, high = study.facts["c_range"]
    # a trial of the base's MACs is within rounding of c = 1
    inside = [share for share in shares if low * (1 - _TOLERANCE) <= share <= high * (1 + _TOLERANCE)]
    if not inside:
        raise FitError(
            "An iso-MAC profile needs a `c` that was measured. "
            f"Got {', '.join(f'{share:g}' for share in shares) or 'none'}, but study {study.name!r} holds "
            f"[{low:.2f}, {high:.2f}]. Name another."
        )
    tables = []
    surface = study.joint_surface(outcome)
    chosen = tuple(dict.fromkeys(factors or varying_names(surface)))
    for factor in sorted(choose_names(surface, chosen, len(chosen)), key=FACTOR_NAMES.index):
        for share in inside:
            macs = share * study.base.macs
            found = study.iso_macs(factor, macs, tolerance=_TOLERANCE, outcome=outcome)
            columns = {"factor": factor, "c": share, "macs": macs, "level": found.levels, "value": found.mean}
            columns |= {"low": found.mean - Z95 * found.std, "high": found.mean + Z95 * found.std}
            columns["envelope"] = _envelope(found.levels, found.mean)
            tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def plot_iso_macs(
    study: StudyLike,
    outcome: str = "top1",
    figure: Figure | SubFigure | None = None,
    columns: Columns = 2,
    shares: Sequence[float] = SHARES,
    factors: Sequence[str] | None = None,
) -> Figure:
    """Draw the profile of each factor, one line for each c, with the surface's 95 % intervals, and the measured base.

    Lines join the envelope; intervals of neighbouring lines stand side by side.

    Args:
        study: As in `iso_macs_data`.
        outcome: `"top1"` or `"top5"`.
        figure: Where to draw; None makes a figure.
        columns: Width of that figure; two panels a row in one column, all in a row in two.
        shares: Reduction factors c to hold.
        factors: As in `iso_macs_data`.

    Raises:
        FitError: As in `iso_macs_data`.
        UnknownNameError: As in `iso_macs_data`, or `columns` is neither 1 nor 2.

    Example:
        >>> from gpscale import Study
        >>> figure = plot_iso_macs(Study("quickstart"), shares=(0.5,))
        >>> len(figure.get_axes())
        4
    """
    check_columns(columns)
    table = iso_macs_data(study, outcome, shares, factors)
    names = list(dict.fromkeys(table["factor"]))
    base = study.finished.loc[is_base(study.finished), outcome]
    measured = "; triangle: base, measured" if len(base) else ""
    with style():
        figure = figure or new_figure(columns, _HEIGHTS[columns])
        drawn = table[table["envelope"]]
        low, high = _limits(drawn, percent(base))
        widths = percent(drawn["high"]) - percent(drawn["low"])
        bars = bool(np.median(widths) <= _WIDE * np.ptp(percent(drawn["value"])))
        cut = percent(drawn["low"]).min() < low or percent(drawn["high"]).max() > high
        intervals = f"bars: 95 %, surface{', cut at the frame' if cut else ''}"
        if not bars:
            intervals = f"95 % intervals of the surface, {np.median(widths):.0f} points wide (median), are not drawn"
        near = "" if table["envelope"].all() else " (of many levels: the highest of a few neighbours)"
        caption(
            figure,
            f"{study.name}: highest predicted {OUTCOME_LABELS[outcome]} at each level{near}, MACs held at $c$ times "
            f"the base's; {intervals}{measured}{unusable(study, [outcome])}",
        )
        across = min(_ACROSS[columns], len(names))
        panels = figure.subplots(-(-len(names) // across), across, squeeze=False, sharey=True)
        for ax in panels.flat[len(names) :]:
            ax.set_visible(False)
        for ax, name in zip(panels.flat, names, strict=False):
            _draw(ax, drawn[drawn["factor"] == name], percent(base), bars)
            ax.set_xlabel(FACTOR_LABELS[name])
        for ax in panels[:, 0]:
            ax.set_ylim(low, high)
            ax.set_ylabel(f"predicted {OUTCOME_LABELS[outcome]} (%)")
        _label(panels.flat[0], drawn[drawn["factor"] == names[0]], bars)
        return root(figure)


def _envelope(levels: FloatArray, values: FloatArray) -> npt.NDArray[np.bool_]:
    """Tell which levels have the highest value of those near them, (k,) bool."""
    if len(levels) <= _MANY:
        return np.ones(len(levels), dtype=bool)
    logs = np.log(levels)
    part = np.minimum((_PARTS * (logs - logs[0]) / (logs[-1] - logs[0])).astype(int), _PARTS - 1)
    highest = pd.Series(values).groupby(part).idxmax()
    return np.isin(np.arange(len(levels)), highest)


def _limits(drawn: pd.DataFrame, base: FloatArray) -> tuple[float, float]:
    """Return the ends of the axis (%): intervals may leave it where they are wider than what is to be seen."""
    seen = np.append(percent(drawn["value"]), base)
    reach = _REACH * np.ptp(seen)
    low = max(float(percent(drawn["low"]).min()), seen.min() - reach)
    high = min(float(percent(drawn["high"]).max()), seen.max() + reach)
    margin = 0.04 * (high - low)
    return max(min(low, seen.min()) - margin, 0.0), min(max(high, seen.max()) + margin, PERCENT)


def _draw(ax: Axes, drawn: pd.DataFrame, base: FloatArray, bars: bool) -> None:
    dress(ax)
    low, high = drawn["level"].min(), drawn["level"].max()
    log_x(ax, low / 1.06, high * 1.06, few=True)
    aside = _ASIDE * np.log(high / low)
    count = drawn["c"].nunique()
    for place, (color, (_, profile)) in enumerate(zip(ordered_colors(count), drawn.groupby("c"), strict=True)):
        level, value = profile["level"] * np.exp(aside * (place - (count - 1) / 2)), percent(profile["value"])
        if bars:
            ax.vlines(level, percent(profile["low"]), percent(profile["high"]), color=color, alpha=0.35, lw=0.9)
        ax.plot(level, value, "o-", color=color, lw=0.8 * LINE, ms=2.6, **UNCUT)
    ax.plot(np.ones(len(base)), base, "^", ms=6, mfc=GREEN, mec="white", mew=0.6, zorder=4)


def _label(ax: Axes, drawn: pd.DataFrame, bars: bool) -> None:
    """Write which colour is which c, the largest on top, in the corner that hides the least."""
    shares = sorted(drawn["c"].unique())
    root(ax).draw_without_rendering()
    frame, line = ax.get_window_extent(), 1.3 * SMALL * root(ax).dpi / 72
    seen = ("low", "value", "high") if bars else ("value",)
    ends = np.concatenate([np.column_stack([drawn["level"], percent(drawn[name])]) for name in seen])
    across, up = ((ax.transData.transform(ends) - frame.min) / frame.size).T
    wide, tall = 5.0 * line / frame.width, (len(shares) + 0.5) * line / frame.height

    def hidden(corner: tuple[bool, bool]) -> int:
        right, top = corner
        beside, beyond = (across > 1 - wide if right else across < wide), (up > 1 - tall if top else up < tall)
        return int(np.count_nonzero(beside & beyond))

    right, top = min(itertools.product((True, False), (False, True)), key=hidden)
    for place, (share, color) in enumerate(zip(shares, ordered_colors(len(shares)), strict=True)):
        lines_below = place - len(shares) if top else place
        ax.annotate(
            f"$c$ = {share:g}",
            (0.98 if right else 0.03, 1.0 if top else 0.02),
            xycoords="axes fraction",
            xytext=(0, 1.3 * SMALL * lines_below),
            textcoords="offset points",
            ha="right" if right else "left",
            va="bottom",
            color=color,
            fontsize=SMALL,
            path_effects=halo(),
        )
