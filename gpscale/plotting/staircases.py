"""The staircases: what each step of one factor costs, the others at the base.

Pixels, blocks, layers and channels are whole numbers, so MACs do not follow a factor smoothly.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES
from gpscale.plotting.base import Columns, StudyLike, at_base
from gpscale.plotting.labels import FACTOR_LABELS
from gpscale.plotting.look import (
    BLUE,
    GREEN,
    LINE,
    MUTED,
    caption,
    check_columns,
    dress,
    log_x,
    log_y,
    new_figure,
    root,
    style,
)

_HEIGHTS: dict[Columns, float] = {1: 3.7, 2: 2.3}
_PANELS: dict[Columns, tuple[int, int]] = {1: (2, 2), 2: (1, 4)}
_SQUARES = ("resolution", "width")
"""Factors whose square the MACs would follow if they were smooth."""


def staircases_data(study: StudyLike) -> pd.DataFrame:
    """Tabulate the architectures of the study's space that differ from the base in one factor alone.

    Args:
        study: A fitted study.

    Returns:
        One row a factor and level, ascending: `factor`, `value` (realised), `pixels`, `macs` (multiply-accumulates of
        one image), `c` (over the base's), `step` (`macs` over those of the level before; NaN for the first).

    Raises:
        FitError: The space excludes the base in more than one factor, so that it has no such architecture.

    Example:
        >>> from gpscale import Study
        >>> table = staircases_data(Study("quickstart"))
        >>> bool((table.loc[table["value"] == 1.0, "c"] == 1.0).all())
        True
    """
    space = study.space
    everything = pd.DataFrame(space.factors, columns=list(FACTOR_NAMES)).assign(
        pixels=space.pixels(), macs=space.macs, c=space.c
    )
    tables = []
    for name in FACTOR_NAMES:
        others = [other for other in FACTOR_NAMES if other != name]
        steps = everything[at_base(everything, others)].sort_values(name)
        table = steps[[name, "pixels", "macs", "c"]].rename(columns={name: "value"})
        tables.append(table.assign(factor=name, step=table["macs"] / table["macs"].shift()))
    table = pd.concat(tables, ignore_index=True)
    if not len(table):
        raise FitError(
            f"Staircases start from the base. The space of study {study.name!r} excludes it in several factors. "
            "Widen `space` so that it holds 1 for all four."
        )
    return table[["factor", "value", "pixels", "macs", "c", "step"]]


def plot_staircases(study: StudyLike, figure: Figure | SubFigure | None = None, columns: Columns = 2) -> Figure:
    """Draw MACs over the base's against each factor.

    Args:
        study: A fitted study.
        figure: Where to draw; None makes a figure.
        columns: Width of that figure; two by two panels in one column, four side by side in two.

    Raises:
        FitError: As in `staircases_data`.
        UnknownNameError: `columns` is neither 1 nor 2.

    Example:
        >>> from gpscale import Study
        >>> figure = plot_staircases(Study("quickstart"))
        >>> len(figure.get_axes())
        4
    """
    check_columns(columns)
    table = staircases_data(study)
    with style():
        figure = figure or new_figure(columns, _HEIGHTS[columns])
        caption(
            figure,
            f"{study.base.name}, space of {study.name}: dots: every level, the other factors at the base; dotted: the "
            "factor's square; triangle: base",
        )
        panels = figure.subplots(*_PANELS[columns], squeeze=False, sharey=True)
        for ax, name in zip(panels.flat, FACTOR_NAMES, strict=True):
            _draw(ax, table[table["factor"] == name], name, (table["c"].min() / 1.12, table["c"].max() * 1.12))
        for ax in panels[:, 0]:
            ax.set_ylabel("MACs / base MACs, $c$")
        return root(figure)


def _draw(ax: Axes, table: pd.DataFrame, name: str, limits: tuple[float, float]) -> None:
    dress(ax)
    ax.set_xlabel(FACTOR_LABELS[name])
    log_y(ax, *limits)
    if not len(table):
        ax.text(0.5, 0.5, "the space excludes\nthe base here", transform=ax.transAxes, ha="center", color=MUTED)
        return
    value, c = table["value"].to_numpy(dtype=float), table["c"].to_numpy(dtype=float)
    log_x(ax, value.min() / 1.08, value.max() * 1.08, few=True)
    if name in _SQUARES:
        smooth = np.geomspace(value.min(), value.max(), 50)
        ax.plot(smooth, smooth**2, color=MUTED, lw=0.9, ls=":", zorder=1)
    ax.plot(value, c, drawstyle="steps-mid", color=BLUE, lw=0.6 * LINE, alpha=0.6)
    ax.plot(value, c, "o", ms=2.6 if len(value) <= 30 else 1.6, mfc=BLUE, mec="none")
    ax.plot(1.0, 1.0, "^", ms=6, mfc=GREEN, mec="white", mew=0.6, zorder=4)
