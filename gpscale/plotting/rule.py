"""The scaling rule: its factors against MACs, with its band. Figure 8 of the method paper."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from gpscale.factors import FACTOR_NAMES
from gpscale.plotting.base import Columns, StudyLike
from gpscale.plotting.labels import FACTOR_LABELS, MILLION
from gpscale.plotting.look import (
    BLUE,
    INK,
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

_HEIGHTS: dict[Columns, float] = {1: 3.4, 2: 2.2}
_PANELS: dict[Columns, tuple[int, int]] = {1: (2, 2), 2: (1, 4)}
_ROWS = 200
_VISIBLE = 0.04
"""Least part of a panel, as a share of its width, on which dashes can be told from a line."""


def rule_data(study: StudyLike) -> pd.DataFrame:
    """Tabulate the rule and the points that it was fitted to.

    Returns:
        One row a c of the rule (`kind` = `"rule"`) or an architecture that it was fitted to (`"point"`), and a factor:
        `factor`, `c`, `macs` (multiply-accumulates of one image), `value` (rule: proposed; point: realised), `low` and
        `high` (95 % band; NaN for a point), `extrapolated` (beyond the points' MACs).

    Raises:
        FitError: The study has no rule.

    Example:
        >>> from gpscale import Study
        >>> table = rule_data(Study("quickstart"))
        >>> sorted(table["factor"].unique())
        ['ir_depth', 'resolution', 'vit_depth', 'width']
    """
    rule = study.rule
    # the ends of the points are rows, so that what lies beyond them begins just there
    c = np.unique(np.concatenate([np.geomspace(*rule.c_range, _ROWS), np.clip(rule.fitted_range, *rule.c_range)]))
    found = rule.predict(c)
    beyond = np.array([rule.extrapolated(ratio) for ratio in c])
    tables = []
    for column, name in enumerate(FACTOR_NAMES):
        values = {"value": found.factors[:, column], "low": found.low[:, column], "high": found.high[:, column]}
        tables.append(pd.DataFrame({"kind": "rule", "factor": name, "c": c, **values, "extrapolated": beyond}))
        points = {"value": rule.points_factors[:, column], "low": np.nan, "high": np.nan, "extrapolated": False}
        tables.append(pd.DataFrame({"kind": "point", "factor": name, "c": rule.points_c, **points}))
    table = pd.concat(tables, ignore_index=True)
    table.insert(3, "macs", table["c"] * study.base.macs)
    return table


def plot_rule(study: StudyLike, figure: Figure | SubFigure | None = None, columns: Columns = 2) -> Figure:
    """Draw each factor of the points that the rule was fitted to against MACs, with the rule and its band.

    Args:
        study: A study with a rule.
        figure: Where to draw; None makes a figure.
        columns: Width of that figure; two by two panels in one column, four side by side in two.

    Raises:
        FitError: The study has no rule.
        UnknownNameError: `columns` is neither 1 nor 2.

    Example:
        >>> from gpscale import Study
        >>> figure = plot_rule(Study("quickstart"))
        >>> len(figure.get_axes())
        4
    """
    check_columns(columns)
    table, rule = rule_data(study), study.rule
    ends = {name: (levels.factors.min(), levels.factors.max()) for name, levels in study.space.levels.items()}
    seen = {name: _limits(table[table["factor"] == name], ends[name]) for name in FACTOR_NAMES}
    told = f"95 % band, within the search space: {rule.band_from}"
    if any(low < end < high for name, (low, high) in seen.items() for end in ends[name]):
        told += "; dotted: where the space ends"
    if _extrapolates_visibly(table):
        told += "; dashed: extrapolated"
    with style():
        figure = figure or new_figure(columns, _HEIGHTS[columns])
        caption(
            figure,
            f"{study.name}: rule fitted to {rule.follows}; {told}",
        )
        rows, across = _PANELS[columns]
        panels = figure.subplots(rows, across, squeeze=False)
        for ax, name in zip(panels.flat, FACTOR_NAMES, strict=True):
            _draw(ax, table[table["factor"] == name], ends[name], seen[name])
            ax.set_title(FACTOR_LABELS[name])
        for ax in panels[-1]:
            ax.set_xlabel("MACs (M)")
        for ax in panels[:, 0]:
            ax.set_ylabel("factor (base = 1)")
        return root(figure)


def _draw(ax: Axes, table: pd.DataFrame, ends: tuple[float, float], limits: tuple[float, float]) -> None:
    dress(ax)
    rule, points = table[table["kind"] == "rule"], table[table["kind"] == "point"]
    macs, beyond = rule["macs"].to_numpy() / MILLION, rule["extrapolated"].to_numpy()
    log_x(ax, macs[0] / 1.05, macs[-1] * 1.05, few=True)
    log_y(ax, *limits)
    ax.axhline(1.0, color=MUTED, lw=0.6, zorder=1)
    for end in ends:
        ax.axhline(end, color=MUTED, lw=0.8, ls=":", zorder=1)
    low, high = (np.clip(rule[column].to_numpy(), *ends) for column in ("low", "high"))
    value = rule["value"].to_numpy()
    first, last = np.flatnonzero(~beyond)[[0, -1]]
    for part, inside in ((slice(0, first + 1), False), (slice(first, last + 1), True), (slice(last, None), False)):
        ax.fill_between(macs[part], low[part], high[part], color=BLUE, alpha=0.25 if inside else 0.1, lw=0)
        ax.plot(macs[part], value[part], color=BLUE, lw=LINE, ls="-" if inside else (0, (2.5, 1.5)))
    ax.plot(points["macs"] / MILLION, points["value"], "o", ms=3.6, mfc=INK, mec="white", mew=0.4, zorder=3)


def _limits(table: pd.DataFrame, ends: tuple[float, float]) -> tuple[float, float]:
    """Return limits that hold all points, the rule, its band where it is not extrapolated and the space has it, and 1.

    Args:
        table: Rows of one factor.
        ends: Lowest and highest value of that factor in the space.
    """
    inside = table[~table["extrapolated"]]
    low = min(max(inside["low"].min(), ends[0]), table["value"].min(), 1.0)
    high = max(min(inside["high"].max(), ends[1]), table["value"].max(), 1.0)
    return low / 1.08, high * 1.08


def _extrapolates_visibly(table: pd.DataFrame) -> bool:
    """Tell whether the extrapolated part of the rule is long enough to be seen dashed."""
    macs = np.log(table.loc[table["kind"] == "rule", "macs"])
    fitted = macs[~table["extrapolated"]]
    beyond = max(fitted.min() - macs.min(), macs.max() - fitted.max())
    return bool(beyond > _VISIBLE * np.ptp(macs))
