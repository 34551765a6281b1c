"""Figures of timings: where the time goes, and how it grows with the resolution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from gpscale.benchmark.latency import Benchmark
from gpscale.benchmark.operator_classes import CLASSES
from gpscale.benchmark.operators import Breakdown
from gpscale.benchmark.resolutions import Growth
from gpscale.plotting.look import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    LINE,
    MUTED,
    PURPLE,
    RED,
    SMALL,
    caption,
    dress,
    log_x,
    log_y,
    new_figure,
    style,
)

_ORANGE, _SKY, _YELLOW = "#E69F00", "#56B4E9", "#F0E442"
_COLORS = dict(zip(CLASSES, (_YELLOW, BLUE, RED, _SKY, _ORANGE, GREEN, PURPLE, MUTED), strict=True))
_MARKS = "os^Dv<>P"


def plot_operators(timed: Benchmark, breakdowns: Sequence[Breakdown]) -> Figure:
    """Draw a bar for each model: milliseconds of a run by class of operator.

    Args:
        timed: The models timed without the profiler.
        breakdowns: Where their time goes.
    """
    with style():
        figure = new_figure(2, 1.25 + 0.3 * len(breakdowns))
        caption(
            figure,
            f"{_where(timed)}; mean of the faster half of the runs. Bars: under the profiler; line: without it; in "
            "percent: share of memory-bound operators in the time of all operators",
        )
        ax: Axes = figure.subplots()
        dress(ax)
        places = np.arange(len(breakdowns))[::-1]
        left = np.zeros(len(breakdowns))
        for work in CLASSES:
            widths = np.array([1e3 * found.by_class[work] for found in breakdowns])
            ax.barh(places, widths, left=left, height=0.62, color=_COLORS[work], edgecolor="white", lw=0.4, label=work)
            left += widths
        rest = np.array([1e3 * max(0.0, found.unassigned) for found in breakdowns])
        ax.barh(places, rest, left=left, height=0.62, color="white", edgecolor=FAINT, lw=0.6, label="unassigned")
        plain = np.array([1e3 * row.timing.quiet for row in timed.rows])
        ends = np.maximum(left + rest, plain)
        ax.vlines(plain, places - 0.42, places + 0.42, color=INK, lw=LINE)
        for place, end, found in zip(places, ends, breakdowns, strict=True):
            ax.text(end, place, f"  {found.memory_bound:.0%}", va="center", fontsize=SMALL, color=MUTED)
        ax.set_yticks(places, [found.model for found in breakdowns])
        ax.tick_params(axis="y", length=0)
        ax.set_xlim(0, 1.12 * float(ends.max()))
        ax.set_xlabel("time of a run (ms)")
        figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize=SMALL, handlelength=1.2)
        return figure


def plot_growth(timed: Benchmark, growths: Sequence[Growth]) -> Figure:
    """Draw median latency against the side of the image, both logarithmic, with the fitted lines.

    Args:
        timed: All timings.
        growths: The models.
    """
    with style():
        figure = new_figure(1, 2.9 + 0.28 * len(growths))
        caption(
            figure,
            f"{_where(timed)}. Marks: median, bars: 10th to 90th percentile; lines: side to the power of the exponent",
        )
        ax: Axes = figure.subplots()
        dress(ax)
        colors = (BLUE, RED, GREEN, PURPLE, _ORANGE, _SKY, MUTED)
        sides = np.array(growths[0].pixels, dtype=np.float64)
        lows, highs = [], []
        for number, growth in enumerate(growths):
            color, medians = colors[number % len(colors)], 1e3 * np.array(growth.medians)
            ends = 1e3 * np.array([[row.timing.percentiles[at] for row in growth.rows] for at in ("p10", "p90")])
            ax.vlines(sides, *ends, color=color, lw=0.9, alpha=0.5)
            fitted = np.exp(np.log(medians).mean() + growth.exponent * (np.log(sides) - np.log(sides).mean()))
            ax.plot(sides, fitted, color=color, lw=LINE)
            ax.plot(
                sides,
                medians,
                _MARKS[number % len(_MARKS)],
                ms=4,
                color=color,
                mec="white",
                mew=0.4,
                label=_label(growth),
            )
            lows.append(ends.min())
            highs.append(ends.max())
        log_x(ax, sides.min() / 1.06, sides.max() * 1.06)
        ax.xaxis.set_major_locator(FixedLocator(sides.tolist()))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        log_y(ax, min(lows) / 1.15, max(highs) * 1.15)
        ax.set_xlabel("side of the image (px)")
        ax.set_ylabel("time of a run (ms)")
        figure.legend(loc="outside lower center", ncols=1, frameon=False, fontsize=SMALL, handlelength=1.2)
        return figure


def _label(growth: Growth) -> str:
    interval = f" ({growth.interval[0]:.2f} to {growth.interval[1]:.2f})" if growth.interval else ""
    # in two lines, because one is too long for the figure
    return f"{growth.model}\nexponent {growth.exponent:.2f}{interval}, MACs {growth.macs_exponent:.2f}"


def _where(timed: Benchmark) -> str:
    """Say on what was measured."""
    threads, conditions = timed.protocol.threads, timed.conditions
    return (
        f"{conditions['processor']}, {conditions['runtime']} {conditions['versions'][conditions['runtime']]}, batch "
        f"{timed.protocol.batch}, {threads} thread{'s' if threads > 1 else ''}, float32"
    )
