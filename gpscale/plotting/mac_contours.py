"""Lines of equal MACs on a slice: a surface is continuous, architectures are not."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from gpscale.factors import FACTOR_NAMES
from gpscale.plotting.iso_macs import SHARES
from gpscale.plotting.labels import FloatArray
from gpscale.plotting.look import INK, SMALL, halo, root
from gpscale.search_space import SearchSpace
from gpscale.surrogate.views import SurfaceGrid

_RAY = 0.8
"""How steeply the labels of lines of equal MACs climb; less than the way from the corner to the base."""

_COST_CROSS = 1.0
"""How far from that ray a label goes to hide one cross less, as a share of the panel's height."""

_LABEL_WIDTH = 32.0
_REACH = (_LABEL_WIDTH / 2 + 3.0, 7.0)
"""Half the width and height of a label with half a cross, in points."""

_EDGE = 0.1
"""Labels nearer to the left edge than this share of the panel would cross it."""


class Costs:
    """The MACs of every combination of levels of a search space.

    Attributes:
        levels: Realised values of each factor, (k,) float64 each, ascending.
    """

    def __init__(self, space: SearchSpace) -> None:
        """Arrange the MACs of a whole search space.

        Args:
            space: All of it, not a part that fits some budget.
        """
        self.levels: dict[str, FloatArray] = {name: space.levels[name].factors for name in FACTOR_NAMES}
        self._c = np.empty([len(values) for values in self.levels.values()])
        self._c[tuple(space.codes.T)] = space.c

    def over(self, names: tuple[str, ...], held: Mapping[str, float]) -> FloatArray:
        """Return c over one factor or two, the others at the levels nearest to where they are held.

        Args:
            names: The free factors, horizontal axis first.
            held: Value of each other factor.

        Returns:
            MACs over the base's MACs, (k,) float64, or (k of the second factor, k of the first).
        """
        nearest = {name: int(np.abs(np.log(self.levels[name] / value)).argmin()) for name, value in held.items()}
        part = self._c[tuple(slice(None) if name in names else nearest[name] for name in FACTOR_NAMES)]
        in_order = sorted(names, key=FACTOR_NAMES.index)
        return part.transpose([in_order.index(name) for name in reversed(names)])

    def at(self, held: Mapping[str, float], **axes: FloatArray) -> FloatArray:
        """Return c between the levels of one factor or two, linearly.

        Args:
            held: Value of each other factor.
            **axes: Values of the free factors, (k,) float64 each, horizontal axis first.

        Returns:
            MACs over the base's MACs, (k,) float64, or (k of the second factor, k of the first).
        """
        values = self.over(tuple(axes), held)
        # the horizontal axis is the last one
        for place, (name, points) in enumerate(axes.items()):
            between = functools.partial(np.interp, points, self.levels[name])
            values = np.apply_along_axis(between, -1 - place, values)
        return np.asarray(values, dtype=np.float64)


def draw_mac_contours(ax: Axes, grid: SurfaceGrid, costs: Costs, marks: FloatArray | None = None) -> Iterator[Artist]:
    """Draw lines of equal MACs over a slice, each labelled with its c, and return what was drawn.

    Args:
        ax: Where; limits and layout must stand.
        grid: The slice.
        costs: Of the study's space.
        marks: What labels should not hide, (n, 2) float64, data coordinates; None takes the trials.
    """
    x, y = (costs.levels[name] for name in grid.names)
    lines = ax.contour(x, y, costs.over(grid.names, grid.fixed), levels=SHARES, colors="white", linewidths=0.9)
    yield lines
    low, span = np.array([grid.x[0], grid.y[0]]), np.array([np.ptp(grid.x), np.ptp(grid.y)])
    for share, path in zip(SHARES, lines.get_paths(), strict=True):
        across, up = ((np.asarray(path.vertices, dtype=float) - low) / span).T
        seen = np.flatnonzero((across > 0) & (across < 1) & (up > 0) & (up < 1))
        if not len(seen):
            continue
        # where the lines cross one ray, their labels stand apart; a cross is not hidden where another place is as good
        places = (low + span * np.column_stack([across, up]))[seen]
        centred = across > _EDGE
        hidden = _hidden(ax, places, centred[seen], grid.observations if marks is None else marks)
        at = seen[(np.abs(up - _RAY * across)[seen] + _COST_CROSS * hidden).argmin()]
        place = low + span * (across[at], up[at])
        text = ax.text(float(place[0]), float(place[1]), f"$c$ = {share:g}", color="white", fontsize=SMALL)
        text.set(ha="center" if centred[at] else "left", va="center", path_effects=halo(1.6, INK))
        yield text


def _hidden(ax: Axes, places: FloatArray, centred: npt.NDArray[np.bool_], marks: FloatArray) -> npt.NDArray[np.int64]:
    """Return how many marks a label of equal MACs hides at each place; (m,) int64.

    Args:
        ax: Where.
        places: Where it may stand, (m, 2) float64, data coordinates.
        centred: Whether it then stands around the place, (m,) bool, or right of it.
        marks: (n, 2) float64, data coordinates.
    """
    point = root(ax).dpi / 72
    at, others = (ax.transData.transform(points) / point for points in (places, marks))
    at[~centred, 0] += _LABEL_WIDTH / 2
    near = np.abs(at[:, None] - others[None]) < _REACH
    hidden: npt.NDArray[np.int64] = near.all(axis=2).sum(axis=1)
    return hidden
