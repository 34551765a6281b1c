"""The figure of a validation: test top-1 against MACs by rule, and ours less each other rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gpscale import rules
from gpscale.plotting.labels import MILLION, Label, along, percent, place_labels
from gpscale.plotting.look import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    LINE,
    MUTED,
    PURPLE,
    RED,
    caption,
    dress,
    log_x,
    new_figure,
    style,
)

if TYPE_CHECKING:
    from gpscale.comparison.validation.validation import Validation

_COLORS = {"rule": BLUE, "surface": GREEN, "surface_low": GREEN, "width": PURPLE, "tinynet": RED, "random": MUTED}
_HEIGHT = 3.2


def plot_validation(validation: Validation) -> Figure:
    """Draw accuracies and differences.

    Args:
        validation: With at least one finished training.
    """
    with style():
        figure = new_figure(2, _HEIGHT)
        seeds, added = validation.version.seeds, validation.version.added
        means = (
            f"mean of {seeds} seeds a pick; bars: 95 % interval over seeds and test images"
            if seeds > 1
            else "one seed a pick, so that chance was not measured"
        )
        over = "of what was begun, without what was added after its results were seen" if added else "over all budgets"
        caption(
            figure,
            f"{validation.name}: test top-1, {means}. Right: ours less each other rule with the same seeds on the same "
            f"images, {over}",
        )
        left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
        _draw_differences(right, validation.differences)
        _draw_accuracies(left, validation.table)
        return figure


def _draw_accuracies(ax: Axes, table: pd.DataFrame) -> None:
    dress(ax)
    done = table[table["test_top1"].notna()]
    macs = done["macs"] / MILLION
    log_x(ax, macs.min() / 1.15, macs.max() * 1.15)
    heights = percent(done[["test_top1", "test_top1_low", "test_top1_high"]].to_numpy())
    margin = 0.06 * (np.nanmax(heights) - np.nanmin(heights)) + 0.2
    ax.set_ylim(max(np.nanmin(heights) - margin, 0), min(np.nanmax(heights) + margin, 100))
    ax.set_xlabel("MACs (M)")
    ax.set_ylabel("top-1, test (%)")
    labels, marks = [], []
    names = list(dict.fromkeys(done["rule"]))
    for place, name in enumerate(names):
        rows = done[done["rule"] == name].sort_values("macs")
        color = _COLORS.get(str(name), FAINT)
        # a little apart, so that bars of rules with equal MACs can be told from each other
        x = (rows["macs"] / MILLION).to_numpy() * (1 + 0.012 * (place - (len(names) - 1) / 2))
        y = percent(rows["test_top1"])
        ax.plot(x, y, color=color, lw=0.7 * LINE, zorder=2)
        ax.vlines(x, percent(rows["test_top1_low"]), percent(rows["test_top1_high"]), color=color, lw=0.8, zorder=2)
        ax.plot(x, y, "o", ms=3.6, mfc=color, mec="white", mew=0.4, zorder=3)
        labels.append(Label(rules.get(str(name)).title, np.column_stack([x, y])[::-1], color))
        marks.append(along(ax, x, y) if len(x) > 1 else np.column_stack([x, y]))
    place_labels(ax, labels, np.concatenate(marks))


def _draw_differences(ax: Axes, differences: pd.DataFrame) -> None:
    dress(ax)
    pooled = differences[differences["budget"] == 0]
    places = np.arange(len(pooled))[::-1]
    ax.axvline(0, color=MUTED, lw=0.6)
    points = 100 * pooled["mean"].to_numpy(dtype=float)
    low, high = (100 * pooled[name].to_numpy(dtype=float) for name in ("low", "high"))
    colors = [_COLORS.get(str(name), INK) for name in pooled["theirs"]]
    ax.hlines(places, low, high, color=colors, lw=LINE)
    ax.scatter(points, places, s=16, c=colors, edgecolors="white", linewidths=0.4, zorder=3)
    ax.set_yticks(places, [f"less {rules.get(str(name)).title}" for name in pooled["theirs"]])
    ax.set_ylim(-0.6, len(pooled) - 0.4)
    ax.set_xlabel("difference of top-1 (points)")
