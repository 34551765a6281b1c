"""What is written on figures: names with units, and labels that stand beside what they name."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from gpscale.plotting.look import SMALL, halo, root

FloatArray = npt.NDArray[np.float64]

FACTOR_LABELS = {
    "resolution": "resolution $r$",
    "ir_depth": "IR block depth $d_i$",
    "vit_depth": "attention depth $d_m$",
    "width": "width $w$",
}
"""Factors are multiples of the base, so they have no unit; IR blocks are the inverted residuals."""

OUTCOME_LABELS = {"top1": "top-1", "top5": "top-5"}

PERCENT = 100.0
MILLION = 1e6

_DIRECTIONS = [("right", "bottom"), ("left", "bottom"), ("left", "top"), ("right", "top")]
_DIRECTIONS += [("center", "bottom"), ("center", "top"), ("left", "center"), ("right", "center")]
_DISTANCES = (6.0, 9.0, 14.0, 21.0, 30.0, 45.0)
_LEADER_FROM = 12.0
_PADDING = 3.5
"""Points (1/72 in): about the radius of the largest mark."""

_COST_OUTSIDE, _COST_LABEL, _COST_MARK = 1e4, 1e3, 25.0
"""In points of distance."""


@dataclasses.dataclass(frozen=True, eq=False)
class Label:
    """A text that belongs to one of several points.

    Attributes:
        text: What to write.
        anchors: Points that it may stand beside, (k, 2) float64, data coordinates, k >= 1.
        color: Of the text.
    """

    text: str
    anchors: FloatArray
    color: str


def percent(fractions: npt.ArrayLike) -> FloatArray:
    """Return accuracies as they are drawn: in percent, none below 0 or above 100, where a Gaussian process may end."""
    return np.clip(np.asarray(fractions, dtype=np.float64), 0.0, 1.0) * PERCENT


def place_labels(ax: Axes, labels: Sequence[Label], marks: FloatArray) -> None:
    """Write each label beside one of its anchors, where it hides the fewest marks and no other label.

    Call it last: limits, scales and the layout of the figure must stand.

    Args:
        ax: Where.
        labels: The first has the first choice.
        marks: Points that should not be hidden, (n, 2) float64, data coordinates.
    """
    figure = root(ax)
    figure.draw_without_rendering()
    point = figure.dpi / 72
    hidden = ax.transData.transform(marks)
    taken: list[Bbox] = []
    for label in labels:
        text = ax.text(float(label.anchors[0, 0]), float(label.anchors[0, 1]), label.text, fontsize=SMALL)
        size = text.get_window_extent()
        text.remove()
        best: tuple[float, FloatArray, tuple[str, str], float, Bbox] | None = None
        for (ha, va), anchor, distance in itertools.product(_DIRECTIONS, label.anchors, _DISTANCES):
            box = _box(ax.transData.transform(anchor), size, ha, va, distance * point)
            cost = _cost(box.padded(_PADDING * point), ax.get_window_extent(), taken, hidden) + distance
            if best is None or cost < best[0]:
                best = (cost, anchor, (ha, va), distance, box)
        if best is None:
            continue
        _, anchor, (ha, va), distance, box = best
        taken.append(box.padded(2 * point))
        ax.annotate(
            label.text,
            (float(anchor[0]), float(anchor[1])),
            xytext=_offset(ha, va, distance),
            textcoords="offset points",
            ha=ha,
            va=va,
            color=label.color,
            fontsize=SMALL,
            path_effects=halo(),
            arrowprops={"arrowstyle": "-", "color": label.color, "lw": 0.5, "shrinkA": 0, "shrinkB": 3}
            if distance > _LEADER_FROM
            else None,
            zorder=6,
        )


def label_ends(ax: Axes, labels: Sequence[tuple[float, str, str]]) -> None:
    """Write a label right of the axes for each line, at the height of the line's end, moved apart where they collide.

    Call it last, as `place_labels`.

    Args:
        ax: Where.
        labels: Of each line the height of its end (data coordinates), the text and the colour.
    """
    root(ax).draw_without_rendering()
    frame = ax.get_window_extent()
    gap = 1.25 * SMALL * root(ax).dpi / 72
    order = sorted(range(len(labels)), key=lambda index: labels[index][0])
    wanted = [float(ax.transData.transform((0.0, labels[index][0]))[1]) for index in order]
    for index, height in zip(order, _moved_apart(wanted, gap, frame.y0, frame.y1), strict=True):
        _, text, color = labels[index]
        ax.annotate(
            text,
            (1.0, (height - frame.y0) / frame.height),
            xycoords="axes fraction",
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            color=color,
            fontsize=SMALL,
        )


def _moved_apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return ascending heights at least `gap` apart, near the wanted ones and inside the ends where they fit."""
    placed: list[float] = []
    for height in wanted:
        placed.append(max(height, placed[-1] + gap) if placed else max(height, low))
    ceiling = max(high, low + gap * (len(placed) - 1))
    for index in reversed(range(len(placed))):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - gap
    return placed


def along(ax: Axes, x: npt.ArrayLike, y: npt.ArrayLike, step: float = 3.0) -> FloatArray:
    """Return points along a drawn line, at most `step` points (1/72 in) apart, (m, 2) float64, data coordinates."""
    corners = ax.transData.transform(np.column_stack([np.asarray(x, dtype=float), np.asarray(y, dtype=float)]))
    lengths = np.hypot(*np.diff(corners, axis=0).T)
    walked = np.concatenate([[0.0], np.cumsum(lengths)])
    count = max(2, int(walked[-1] / (step * root(ax).dpi / 72)) + 2)
    at = np.linspace(0.0, walked[-1], count)
    dense = np.column_stack([np.interp(at, walked, corners[:, 0]), np.interp(at, walked, corners[:, 1])])
    return np.asarray(ax.transData.inverted().transform(dense), dtype=np.float64)


def _offset(ha: str, va: str, distance: float) -> tuple[float, float]:
    """Return how far a text stands from its anchor, in the unit of `distance`."""
    x = {"left": 1.0, "center": 0.0, "right": -1.0}[ha] * distance
    y = {"bottom": 1.0, "center": 0.0, "top": -1.0}[va] * distance
    if not (x and y):
        return x, y
    # a short diagonal is as long as the rest; a long one climbs, so that its text stays over the anchor
    return 0.7 * x * min(1.0, _DISTANCES[0] / distance), 0.7 * y


def _box(anchor: FloatArray, size: Bbox, ha: str, va: str, distance: float) -> Bbox:
    """Return the place of a text of that size, in display coordinates."""
    x, y = anchor + np.array(_offset(ha, va, distance))
    left = x - {"left": 0.0, "center": 0.5, "right": 1.0}[ha] * size.width
    bottom = y - {"bottom": 0.0, "center": 0.5, "top": 1.0}[va] * size.height
    return Bbox.from_bounds(left, bottom, size.width, size.height)


def _cost(box: Bbox, frame: Bbox, taken: Sequence[Bbox], marks: FloatArray) -> float:
    x, y = marks.T
    hidden = np.count_nonzero((x > box.x0) & (x < box.x1) & (y > box.y0) & (y < box.y1))
    outside = bool(box.x0 < frame.x0 or box.x1 > frame.x1 or box.y0 < frame.y0 or box.y1 > frame.y1)
    overlapped = sum(bool(box.overlaps(other)) for other in taken)
    return _COST_OUTSIDE * outside + _COST_LABEL * overlapped + _COST_MARK * hidden
