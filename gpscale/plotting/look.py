"""One look for all figures: sizes, fonts, colours, axes.

Colours are those of Okabe and Ito (purple: of Tol), which stay apart for colour-blind readers; marks differ in shape as
well.
"""

from __future__ import annotations

import contextlib
import io
import math
from typing import Any

from matplotlib import colormaps
from matplotlib import style as mpl_style
from matplotlib.axes import Axes
from matplotlib.axes._secondary_axes import SecondaryAxis
from matplotlib.axis import Axis
from matplotlib.colors import to_hex
from matplotlib.figure import Figure, SubFigure
from matplotlib.patheffects import AbstractPathEffect, withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from gpscale.errors import UnknownNameError
from gpscale.plotting.base import Columns

INK = "#333333"
MUTED = "#767676"
FAINT = "#b8b8b8"
BLUE = "#0072B2"
RED = "#D55E00"
GREEN = "#009E73"
PURPLE = "#AA4499"

WIDTHS: dict[Columns, float] = {1: 3.3, 2: 6.9}
"""Inches."""

FONT_SIZE = 7.5
SMALL = 7.0
"""Points; nothing is smaller."""

LINE = 1.3

UNCUT: dict[str, Any] = {"clip_on": False, "in_layout": False}
"""Options of marks that may lie on the edge of a panel: they are drawn whole, and do not move it."""

_BOUND = "\u00a0"

_LOG_STEPS = (
    (2.5, (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)),
    (12, (1, 1.5, 2, 3, 5, 7)),
    (40, (1, 2, 5)),
    (math.inf, (1,)),
)
"""Largest ratio of an axis' ends, and the ticks of a decade below it."""

_RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that figures are the same everywhere
    "font.size": FONT_SIZE,
    "axes.labelsize": FONT_SIZE,
    "axes.titlesize": FONT_SIZE,
    "axes.titlelocation": "left",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "figure.dpi": 150,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "pdf.fonttype": 42,  # text in a PDF stays text
    "svg.hashsalt": "gpscale",  # else the ids in an SVG differ from one writing to the next
}


class NotebookFigure(Figure):
    """A figure that a notebook shows, though no window of pyplot knows it."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        with style():
            self.savefig(buffer, format="png")
        return buffer.getvalue()


def style() -> contextlib.AbstractContextManager[None]:
    """Return a context in which matplotlib draws as gpscale does, whatever the user has set.

    Example:
        >>> import matplotlib
        >>> with style():
        ...     matplotlib.rcParams["font.size"]
        7.5
    """
    return mpl_style.context(["default", _RC])


def check_columns(columns: Columns) -> None:
    """Check the width of a figure, before anything else is looked up by it.

    Raises:
        UnknownNameError: It is neither one column nor two.
    """
    if columns not in WIDTHS:
        raise UnknownNameError.of("number of columns", columns, map(str, WIDTHS))


def new_figure(columns: Columns, height: float) -> Figure:
    """Make an empty figure that belongs to no window.

    Args:
        columns: Its width in columns of a paper.
        height: Inches.
    """
    return NotebookFigure(figsize=(WIDTHS[columns], height), layout="constrained")


def root(place: Axes | Figure | SubFigure) -> Figure:
    """Return the figure that holds an axes or a part of a figure."""
    figure = place.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


def caption(place: Figure | SubFigure, text: str) -> None:
    """Write what is seen above all panels, broken into lines that fit."""
    title = place.suptitle("", x=0.01, ha="left", fontsize=SMALL, color=MUTED)
    lines = [""]
    # "95 %" is one word
    for word in (word.replace(_BOUND, " ") for word in text.replace(" %", f"{_BOUND}%").split(" ")):
        title.set_text(f"{lines[-1]} {word}".strip())
        if lines[-1] and title.get_window_extent().width > 0.98 * place.bbox.width:
            lines.append(word)
        else:
            lines[-1] = title.get_text()
    title.set_text("\n".join(lines))


def dress(ax: Axes | SecondaryAxis) -> None:
    """Set the look of the ticks, also of those that are made later, outside `style()`."""
    ax.tick_params(which="both", labelsize=SMALL, width=0.6, length=2.5, color=MUTED, labelcolor=INK)


def limit_accuracies(ax: Axes) -> None:
    """Let an axis of accuracies in percent end at 0 and 100, which its margin may have passed; call it last."""
    low, high = ax.get_ylim()
    ax.set_ylim(max(low, 0.0), min(high, 100.0))


def log_x(ax: Axes, low: float, high: float, few: bool = False) -> None:
    """Make the horizontal axis logarithmic from `low` to `high`; `few` ticks where the panel is narrow."""
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    log_ticks(ax.xaxis, low, high, few)


def log_y(ax: Axes, low: float, high: float) -> None:
    """Make the vertical axis logarithmic from `low` to `high`."""
    ax.set_yscale("log")
    ax.set_ylim(low, high)
    log_ticks(ax.yaxis, low, high)


def log_ticks(axis: Axis, low: float, high: float, few: bool = False) -> None:
    """Set ticks that a person would choose on a logarithmic axis from `low` to `high`."""
    # four digits and a comma are what does not fit
    ratio = high / low * (2.5 if few and high >= 1000 else 1)
    if high / low < 1.6:
        axis.set_major_locator(MaxNLocator(nbins=3 if few else 4, steps=[1, 2, 5, 10]))
    else:
        axis.set_major_locator(LogLocator(subs=next(steps for widest, steps in _LOG_STEPS if ratio < widest)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def ordered_colors(count: int) -> list[str]:
    """Return colours for lines that have an order, dark to light; the lightest still stands out on white."""
    return [to_hex(colormaps["viridis"](0.74 * place / max(count - 1, 1))) for place in range(count)]


def halo(width: float = 2.0, color: str = "white") -> list[AbstractPathEffect]:
    """Return an outline that keeps a mark or a text readable on any ground."""
    return [withStroke(linewidth=width, foreground=color)]
