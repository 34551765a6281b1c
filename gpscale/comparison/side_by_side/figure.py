"""The figure of a comparison: accuracy against MACs and against latency."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gpscale.plotting.labels import MILLION, FloatArray, Label, along, percent, place_labels
from gpscale.plotting.look import BLUE, FAINT, GREEN, INK, LINE, MUTED, PURPLE, caption, dress, log_x, new_figure, style

_AXES = (("macs", "front", "MACs (M)", 1 / MILLION), ("latency_ms", "latency_front", "latency of one image (ms)", 1.0))
_COLORS: Mapping[str, str] = {"gpscale": GREEN, "mobilevitv2": BLUE}
"""By the beginning of an entrant's name; all others are rivals."""
_HEIGHT = 3.6


def plot_comparison(table: pd.DataFrame, name: str) -> Figure:
    """Draw top-1 of the test images against MACs and, where models were timed, against latency.

    Args:
        table: As `Comparison.table`.
        name: Of the comparison.
    """
    with style():
        panels = [panel for panel in _AXES if table[panel[0]].where(table["top1"].notna()).notna().any()]
        figure = new_figure(2, _HEIGHT)
        caption(
            figure,
            f"{name}: top-1 of the test images, {_means(table['seeds'])}; lines join the budgets of an entrant; "
            "ringed: no other is both cheaper and better",
        )
        axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
        for ax, (cost, _, label, unit) in zip(axes, panels, strict=True):
            _prepare(ax, table, cost, unit, label)
            if ax is axes[0]:
                ax.set_ylabel("top-1, test (%)")
        figure.draw_without_rendering()
        for ax, (cost, front, _, unit) in zip(axes, panels, strict=True):
            _draw(ax, table, cost, front, unit)
        return figure


def _prepare(ax: Axes, table: pd.DataFrame, cost: str, unit: float, label: str) -> None:
    dress(ax)
    values = table.loc[table["top1"].notna(), cost].dropna() * unit
    log_x(ax, values.min() / 1.25, values.max() * 1.25)
    heights = percent(table[["top1", "top1_low", "top1_high"]].to_numpy())
    low, high = np.nanmin(heights), np.nanmax(heights)
    margin = 0.06 * (high - low) + 0.2
    ax.set_ylim(max(low - margin, 0), min(high + margin, 100))
    ax.set_xlabel(label)


def _draw(ax: Axes, table: pd.DataFrame, cost: str, front: str, unit: float) -> None:
    labels, marks = [], []
    for entrant, rows in table[table["top1"].notna() & table[cost].notna()].groupby("entrant", sort=False):
        color = _color(str(entrant))
        rows = rows.sort_values("budget")
        x, y = (rows[cost] * unit).to_numpy(dtype=float), percent(rows["top1"])
        ax.plot(x, y, color=color, lw=0.6 * LINE, alpha=0.7, zorder=1.5)
        known = rows["top1_low"].notna().to_numpy()
        ax.vlines(x[known], percent(rows["top1_low"][known]), percent(rows["top1_high"][known]), color=color, lw=0.7)
        ax.plot(x, y, "o", ms=4, mfc=color, mec="white", mew=0.4, zorder=3)
        best = rows[front].to_numpy(dtype=bool)
        ax.plot(x[best], y[best], "o", ms=7.5, mfc="none", mec=INK, mew=0.8, zorder=3)
        points: FloatArray = np.column_stack([x, y])
        labels.append(Label(str(entrant), points[::-1], MUTED if color == FAINT else color))
        marks += [points, along(ax, x, y) if len(x) > 1 else points]
    place_labels(ax, labels, np.concatenate(marks))


def _means(seeds: pd.Series[int]) -> str:
    """Say what the points are."""
    few, many = seeds[seeds > 0].min(), seeds.max()
    if many == 1:
        return "one seed"
    return f"mean of {few if few == many else f'{few} to {many}'} seeds; bars: 95 % interval of the mean over seeds"


def _color(entrant: str) -> str:
    if entrant.startswith("mobilevitv2 ("):
        return PURPLE
    return next((color for name, color in _COLORS.items() if entrant.startswith(name)), FAINT)
