"""The figure of a comparison: accuracy against MACs and against the time of an image."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gpscale.plotting.labels import MILLION, percent
from gpscale.plotting.look import (
    BLUE,
    GREEN,
    INK,
    LINE,
    PURPLE,
    RED,
    SMALL,
    caption,
    dress,
    log_x,
    new_figure,
    style,
)

_HEIGHT = 3.6
_RING: dict[str, Any] = {"marker": "o", "ls": "none", "ms": 8.5, "mfc": "none", "mec": INK, "mew": 0.8}
_OWN = (("gpscale", "*", GREEN), ("mobilevitv2 (", "D", PURPLE), ("mobilevitv2", "o", BLUE))
"""Mark and colour by the beginning of an entrant's name; all others are rivals."""
# the numbers of both have no common divisor, so that neighbours differ in both, and all pairs come
_RIVAL_MARKS, _RIVAL_COLORS = "s^vXP<>pd", (RED, "#E69F00", "#56B4E9", INK)
_LARGER = {"*": 7.0, "D": 3.8}
_APART = 0.012
"""Share of the MACs by which neighbours are moved apart."""


@dataclasses.dataclass(frozen=True)
class _Panel:
    """What an accuracy is drawn against: a column, the column that marks its front, its title, its unit."""

    cost: str
    front: str
    title: str
    unit: float = 1.0


def plot_comparison(table: pd.DataFrame, name: str, *, by_processor: bool = False) -> Figure:
    """Draw top-1 of the test images against MACs and, where models were timed, against the time of an image.

    Args:
        table: As `Comparison.table`.
        name: Of the comparison.
        by_processor: Take processor time, which also marks the front then.
    """
    table = table[table["top1"].notna()]
    panels = [panel for panel in _panels(by_processor) if table[panel.cost].notna().any()]
    with style():
        figure = new_figure(2, _HEIGHT)
        caption(
            figure,
            f"{name}: top-1 of the test images, {_means(table['seeds'])}"
            f"{'; lines join the budgets of an entrant' if table['budget'].nunique() > 1 else ''}; "
            "ringed: no other is both cheaper and better. Against MACs, models of a budget stand a little apart",
        )
        marks = _marks(list(dict.fromkeys(table["entrant"])))
        axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
        for ax, panel in zip(axes, panels, strict=True):
            _prepare(ax, table, panel)
            _draw(ax, table, panel, marks)
        axes[0].set_ylabel("top-1, test (%)")
        figure.legend(
            handles=[*_handles(table, marks), Line2D([], [], label="on the front", **_RING)],
            loc="outside right center",
            fontsize=SMALL,
            frameon=False,
            handletextpad=0.3,
            labelspacing=0.7,
        )
        return figure


def _panels(by_processor: bool) -> Sequence[_Panel]:
    time, of = ("latency_cpu_ms", "processor time") if by_processor else ("latency_ms", "latency")
    return _Panel("macs", "front", "MACs (M)", 1 / MILLION), _Panel(time, "latency_front", f"{of} of one image (ms)")


def _prepare(ax: Axes, table: pd.DataFrame, panel: _Panel) -> None:
    dress(ax)
    values = table[panel.cost].dropna() * panel.unit
    log_x(ax, values.min() / 1.25, values.max() * 1.25)
    heights = percent(table[["top1", "top1_low", "top1_high"]].to_numpy())
    low, high = np.nanmin(heights), np.nanmax(heights)
    margin = 0.06 * (high - low) + 0.2
    ax.set_ylim(max(low - margin, 0), min(high + margin, 100))
    ax.set_xlabel(panel.title)


def _draw(ax: Axes, table: pd.DataFrame, panel: _Panel, marks: dict[str, tuple[str, str]]) -> None:
    for place, (entrant, (mark, color)) in enumerate(marks.items()):
        rows = table[(table["entrant"] == entrant) & table[panel.cost].notna()].sort_values("budget")
        x, y = (rows[panel.cost] * panel.unit).to_numpy(dtype=float), percent(rows["top1"])
        if panel.cost == "macs":
            # nearly equal for all, so that marks and intervals would hide each other
            x = x * (1 + _APART * (place - (len(marks) - 1) / 2))
        ax.plot(x, y, color=color, lw=0.5 * LINE, alpha=0.5, zorder=1.5)
        known = rows["top1_low"].notna().to_numpy()
        low, high = (percent(rows[name][known]) for name in ("top1_low", "top1_high"))
        ax.vlines(x[known], low, high, color=color, lw=0.6, alpha=0.7)
        ax.plot(x, y, mark, ms=_LARGER.get(mark, 4.5), mfc=color, mec="white", mew=0.4, zorder=3)
        best = rows[panel.front].to_numpy(dtype=bool)
        ax.plot(x[best], y[best], zorder=3, **_RING)


def _marks(entrants: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return mark and colour of each entrant; no two of as many as the marks times the colours share both."""
    rivals = zip(itertools.cycle(_RIVAL_MARKS), itertools.cycle(_RIVAL_COLORS), strict=False)
    found: dict[str, tuple[str, str]] = {}
    for entrant in entrants:
        own = next(((mark, color) for start, mark, color in _OWN if entrant.startswith(start)), None)
        if own is None or own in found.values():
            own = next(rivals)
        found[entrant] = own
    return found


def _handles(table: pd.DataFrame, marks: dict[str, tuple[str, str]]) -> list[Line2D]:
    """Return the legend's entries, the best at the largest budget first."""
    order = table.sort_values(["budget", "top1"], ascending=False).drop_duplicates("entrant")["entrant"]
    return [
        Line2D([], [], ls="none", marker=mark, ms=_LARGER.get(mark, 4.5), mfc=color, mec="white", mew=0.4, label=name)
        for name in order
        for mark, color in [marks[name]]
    ]


def _means(seeds: pd.Series[int]) -> str:
    """Say what the points are."""
    few, many = seeds.min(), seeds.max()
    if many == 1:
        return "one seed"
    return f"mean of {few if few == many else f'{few} to {many}'} seeds; bars: 95 % interval of the mean over seeds"
