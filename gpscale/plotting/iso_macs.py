"""Iso-MAC profiles: the best top-1 that the surface promises at each level of a factor, when MACs are held."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES
from gpscale.plotting.base import Columns, StudyLike, is_base
from gpscale.plotting.labels import FACTOR_LABELS, OUTCOME_LABELS, FloatArray, label_ends, percent
from gpscale.plotting.look import (
    GREEN,
    LINE,
    UNCUT,
    caption,
    check_columns,
    dress,
    limit_accuracies,
    log_x,
    new_figure,
    ordered_colors,
    root,
    style,
)
from gpscale.plotting.slices import choose_names, varying_names
from gpscale.units import Z95

SHARES = (0.25, 0.5, 1.0)
"""Reduction factors c at which MACs are held."""

_HEIGHTS: dict[Columns, float] = {1: 3.9, 2: 2.4}
_ACROSS: dict[Columns, int] = {1: 2, 2: 4}
_TOLERANCE = 0.03


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
        `low` and `high` (95 % band of the surface at that architecture).

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
    """Draw the profile of each factor, one line for each c, with the surface's 95 % band, and the measured base.

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
        caption(
            figure,
            f"{study.name}: highest predicted {OUTCOME_LABELS[outcome]} at each level, MACs held at $c$ times the "
            f"base's; band: 95 %, surface{measured}",
        )
        across = min(_ACROSS[columns], len(names))
        panels = figure.subplots(-(-len(names) // across), across, squeeze=False, sharey=True)
        for ax in panels.flat[len(names) :]:
            ax.set_visible(False)
        for ax, name in zip(panels.flat, names, strict=False):
            _draw(ax, table[table["factor"] == name], percent(base))
            ax.set_xlabel(FACTOR_LABELS[name])
        for ax in panels[:, 0]:
            limit_accuracies(ax)
            ax.set_ylabel(f"predicted {OUTCOME_LABELS[outcome]} (%)")
        for place, name in enumerate(names):
            if place % across == across - 1 or place == len(names) - 1:
                _label(panels.flat[place], table[table["factor"] == name])
        return root(figure)


def _draw(ax: Axes, table: pd.DataFrame, base: FloatArray) -> None:
    dress(ax)
    log_x(ax, table["level"].min() / 1.06, table["level"].max() * 1.06, few=True)
    for color, (_, profile) in zip(ordered_colors(table["c"].nunique()), table.groupby("c"), strict=True):
        level, value = profile["level"], percent(profile["value"])
        ax.fill_between(level, percent(profile["low"]), percent(profile["high"]), color=color, alpha=0.18, lw=0)
        ax.plot(level, value, "o-", color=color, lw=LINE, ms=2.2 if len(profile) <= 25 else 0, **UNCUT)
    ax.plot(np.ones(len(base)), base, "^", ms=6, mfc=GREEN, mec="white", mew=0.6, zorder=4)


def _label(ax: Axes, table: pd.DataFrame) -> None:
    ends = [(c, float(percent(profile["value"].iloc[-1]))) for c, profile in table.groupby("c")]
    colors = ordered_colors(len(ends))
    label_ends(ax, [(end, f"$c$ = {c:g}", color) for (c, end), color in zip(ends, colors, strict=True)])
