"""Contours over any two factors, the others on sliders."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm
from matplotlib.ticker import MaxNLocator

from gpscale.explore.controls import choose_factor, choose_outcome, hold_factor
from gpscale.explore.live import LiveFigure
from gpscale.explore.marks import box, held_text, keep_title, title
from gpscale.explore.panel import Panel
from gpscale.factors import FACTOR_NAMES
from gpscale.plotting.labels import FACTOR_LABELS, OUTCOME_LABELS, PERCENT, FloatArray, percent
from gpscale.plotting.look import GREEN, INK, SMALL, caption, dress, halo, new_figure, style
from gpscale.plotting.mac_contours import Costs, draw_mac_contours
from gpscale.plotting.slices import choose_names, fading, held, trial_crosses, varying_names
from gpscale.study import Study
from gpscale.surrogate.surface import Surface
from gpscale.surrogate.views import SurfaceGrid

SIZE = 60
"""Points a side while a slider moves. A surface is smooth: contours of more points look the same and come later."""

_LEVELS = 14
_HEIGHT = 3.0


def contours(study: Study, factors: tuple[str, str] | None = None) -> Panel:
    """Show the surface's mean and standard deviation over two factors, with sliders for the others.

    The colours mean the same wherever the sliders stand. White lines join architectures of equal MACs; crosses are
    trials, fainter the farther they are from the slice.

    Args:
        study: A fitted study.
        factors: Horizontal and vertical axis to begin with; None takes those that the sweep varied, else resolution
            and width.

    Returns:
        Controls `x`, `y`, `outcome`, and one by the name of each factor.

    Raises:
        FitError: A factor is none of the surface or did not vary, or fewer than two vary.
        UnknownNameError: A name is no factor.

    Example:
        >>> panel = contours(Study("quickstart"))
        >>> panel.controls["ir_depth"].value = 1.5
    """
    return _Contours(study, factors).panel


class _Contours:
    def __init__(self, study: Study, factors: tuple[str, str] | None) -> None:
        self._study = study
        surface = study.joint_surface()
        x, y = choose_names(surface, factors, 2)
        names = varying_names(surface)
        surface.grid(x, y, 2)
        self._x, self._y = choose_factor("across", names, x), choose_factor("up", names, y)
        self._outcome = choose_outcome(study)
        self._sliders = {name: hold_factor(surface, name) for name in surface.names if name in names}
        self._costs = Costs(study.space) if surface.names == FACTOR_NAMES else None
        self._still = functools.lru_cache(maxsize=8)(self._draw_still)
        self._x.observe(lambda change: self._keep_apart(self._y, change), "value")
        self._y.observe(lambda change: self._keep_apart(self._x, change), "value")
        axes = {"x": self._x, "y": self._y, "outcome": self._outcome}
        self.panel = Panel(f"contours of {study.name}", {**axes, **self._sliders}, self._draw)

    def _keep_apart(self, other: ipywidgets.Dropdown, change: Mapping[str, Any]) -> None:
        """Swap the axes where one is given the factor of the other."""
        if other.value == change["new"]:
            other.value = change["old"]

    def _draw(self) -> tuple[bytes, str]:
        x, y, outcome = self._x.value, self._y.value, self._outcome.value
        for name, slider in self._sliders.items():
            slider.layout.display = "none" if name in (x, y) else None
        if x == y:  # between the two halves of a swap
            return self.panel.picture.value, ""
        live, mean, std = self._still(x, y, outcome)
        surface = self._study.joint_surface(outcome)
        fixed = {**held(surface), **{name: slider.value for name, slider in self._sliders.items()}}
        grid = surface.grid(x, y, SIZE, fixed)
        with style():
            return live.png(self._moving(surface, grid, mean, std)), ""

    def _draw_still(self, x: str, y: str, outcome: str) -> tuple[LiveFigure, _Field, _Field]:
        study, name = self._study, OUTCOME_LABELS[outcome]
        surface = study.joint_surface(outcome)
        corners = surface.predict(box(surface))
        with style():
            figure = new_figure(2, _HEIGHT)
            lines = "lines: MACs over the base's, $c$; " if self._costs else ""
            caption(
                figure,
                f"{study.name}, {len(surface.values)} trials: {name} surface; {lines}crosses: trials, fainter the "
                "farther they are from the slice; ±: one standard deviation",
            )
            left, right = figure.subplots(1, 2)
            mean = _Field(left, "viridis", corners.mean, f"mean {name} (%)")
            std = _Field(right, "cividis", corners.std, f"standard deviation of {name} (points)")
            for ax in (left, right):
                ax.set_xlim(surface.bounds[x])
                ax.set_ylim(surface.bounds[y])
                ax.set_xlabel(f"{FACTOR_LABELS[x]} (base = 1)")
                ax.set_ylabel(f"{FACTOR_LABELS[y]} (base = 1)")
                keep_title(ax)
            return LiveFigure(figure), mean, std

    def _moving(self, surface: Surface, grid: SurfaceGrid, mean: _Field, std: _Field) -> Iterator[Artist]:
        for field, values in ((mean, grid.mean), (std, grid.std)):
            yield field.fill(grid, values)
            if self._costs:
                yield from draw_mac_contours(field.ax, grid, self._costs)
            for color, width in ((INK, 2.0), ("white", 0.9)):
                yield trial_crosses(field.ax, grid.observations, fading(surface, grid.fixed), color, width)
        yield title(mean.ax, held_text(grid.fixed))
        yield from _best_and_base(mean.ax, grid)


class _Field:
    """One panel: an axes whose colours stay what they are."""

    def __init__(self, ax: Axes, colors: str, values: FloatArray, label: str) -> None:
        """Set up the colour bar.

        Args:
            ax: The panel.
            colors: A colour map.
            values: Of the surface all over its box, (m,), fractions.
            label: Of the colour bar.
        """
        self.ax, self._colors = ax, colors
        ticks = MaxNLocator(_LEVELS).tick_values(*percent([values.min(), values.max()]))
        self._levels = np.unique(np.clip(ticks, 0.0, PERCENT))
        mappable = ScalarMappable(BoundaryNorm(self._levels, 256, extend="both"), colors)
        bar = ax.figure.colorbar(mappable, ax=ax, label=label, pad=0.02)
        dress(ax)
        dress(bar.ax)

    def fill(self, grid: SurfaceGrid, values: FloatArray) -> Artist:
        """Return the filled contours."""
        return self.ax.contourf(grid.x, grid.y, values * PERCENT, levels=self._levels, cmap=self._colors, extend="both")


def _best_and_base(ax: Axes, grid: SurfaceGrid) -> Iterator[Artist]:
    row, column = np.unravel_index(np.argmax(grid.mean), grid.mean.shape)
    x, y = grid.x[column], grid.y[row]
    yield from ax.plot([x], [y], "*", ms=9, mfc="white", mec=INK, mew=0.7, clip_on=False)
    if grid.x[0] <= 1 <= grid.x[-1] and grid.y[0] <= 1 <= grid.y[-1] and all(np.isclose(list(grid.fixed.values()), 1)):
        yield from ax.plot([1], [1], "^", ms=6.5, mfc=GREEN, mec="white", mew=0.6)
        yield ax.annotate(
            "base", (1, 1), xytext=(6, 0), textcoords="offset points", va="center", fontsize=SMALL, path_effects=halo()
        )
    # towards the middle, so that the text stays on the panel
    right, upper = column > grid.mean.shape[1] / 2, row > grid.mean.shape[0] / 2
    yield ax.annotate(
        f"maximum {percent(grid.mean[row, column]):.1f} ± {grid.std[row, column] * PERCENT:.1f} %",
        (x, y),
        xytext=(-6 if right else 6, -6 if upper else 6),
        textcoords="offset points",
        ha="right" if right else "left",
        va="top" if upper else "bottom",
        fontsize=SMALL,
        path_effects=halo(),
    )
