"""Contours of accuracy over two factors, mean and spread. Figures 6 and 7 of the method paper where MACs are held.

The paper shows the variance; of a slice of a joint surface the standard deviation is shown, in the unit of the mean.
Either can be had of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.text import Text

from gpscale.errors import UnknownNameError
from gpscale.factors import FACTOR_NAMES
from gpscale.plotting.base import Columns, StudyLike
from gpscale.plotting.labels import FACTOR_LABELS, OUTCOME_LABELS, PERCENT, FloatArray, Label, percent, place_labels
from gpscale.plotting.look import GREEN, INK, caption, check_columns, dress, new_figure, root, style
from gpscale.plotting.mac_contours import Costs, draw_mac_contours
from gpscale.plotting.slices import choose_names, describe, fading, held, trial_crosses, unusable
from gpscale.surrogate.surface import Fixed
from gpscale.surrogate.views import SurfaceGrid

SIZE = 500
"""Points a side."""

Spread = Literal["std", "variance"]

_LEVELS = 14
_HEIGHTS: dict[Columns, float] = {1: 5.2, 2: 2.9}
_PANELS: dict[Columns, tuple[int, int]] = {1: (2, 1), 2: (1, 2)}


def surface_data(
    study: StudyLike,
    factors: tuple[str, str] | None = None,
    outcome: str = "top1",
    size: int = SIZE,
    fixed: Fixed | None = None,
) -> pd.DataFrame:
    """Tabulate the surface over two factors, the others held.

    Args:
        study: A fitted study.
        factors: Horizontal and vertical axis; None takes those that the sweep varied, else resolution and width.
        outcome: `"top1"` or `"top5"`.
        size: Points a side, >= 2.
        fixed: Where the other factors are held; None takes the base.

    Returns:
        `size`^2 rows within the observed bounds: the two factors under their own names, `c` (MACs over the base's,
        between the architectures of the study's space; NaN where the sweep held MACs), `mean` and `std` of the surface
        (fractions), `variance` (their square).

    Raises:
        FitError: A factor is none of the surface or did not vary, not two were named, fewer than two vary, or `size` is
            below 2.
        UnknownNameError: A name is no factor or no outcome.
        OutOfRangeError: A value of `fixed` lies outside what the trials span.

    Example:
        >>> from gpscale import Study
        >>> table = surface_data(Study("quickstart"), ("resolution", "width"), size=20)
        >>> bool((table["std"] > 0).all())
        True
    """
    grid = _cut(study, factors, outcome, size, fixed)
    x, y = np.meshgrid(grid.x, grid.y)
    names = (*grid.names, "c", "mean", "std", "variance")
    columns = zip(names, (x, y, _c(study, grid), grid.mean, grid.std, np.square(grid.std)), strict=True)
    return pd.DataFrame({name: values.ravel() for name, values in columns})


def plot_surface(
    study: StudyLike,
    factors: tuple[str, str] | None = None,
    outcome: str = "top1",
    figure: Figure | SubFigure | None = None,
    columns: Columns = 2,
    size: int = SIZE,
    fixed: Fixed | None = None,
    spread: Spread | None = None,
) -> Figure:
    """Draw contours of the surface's mean and of its spread, the trials, the base and the maximum.

    Trials are fainter the farther they are from the slice. Where MACs vary, lines join equal ones, and the maximum is
    that within the trials' range of MACs.

    Args:
        study: A fitted study.
        factors: As in `surface_data`.
        outcome: `"top1"` or `"top5"`.
        figure: Where to draw; None makes a figure.
        columns: Width of that figure; the panels stand above each other in one column, side by side in two.
        size: As in `surface_data`.
        fixed: As in `surface_data`.
        spread: `"std"` or `"variance"`; None takes the variance, as the paper does, where the sweep held MACs and
            varied two factors, else the standard deviation.

    Raises:
        FitError, OutOfRangeError: As in `surface_data`.
        UnknownNameError: A name is no factor, no outcome or no spread, or `columns` is neither 1 nor 2.

    Example:
        >>> from gpscale import Study
        >>> figure = plot_surface(Study("quickstart"), ("resolution", "width"), size=20)
        >>> figure.get_axes()[0].get_xscale()
        'linear'
    """
    check_columns(columns)
    if spread is not None and spread not in get_args(Spread):
        raise UnknownNameError.of("spread", spread, get_args(Spread))
    surface = study.joint_surface(outcome)
    grid = _cut(study, factors, outcome, size, fixed)
    spread = spread or ("std" if surface.names == FACTOR_NAMES else "variance")
    with style():
        figure = figure or new_figure(columns, _HEIGHTS[columns])
        costs = Costs(study.space) if surface.names == FACTOR_NAMES else None
        told = f"{describe(study, surface, grid.label, grid.fixed)}; ±: one standard deviation"
        if costs:
            low, high = study.facts["c_range"]
            told += f"; lines: MACs over the base's, $c$; star: maximum within the trials' $c$, {low:.2f} to {high:.2f}"
        caption(figure, told + unusable(study, [outcome]))
        mean, other = figure.subplots(*_PANELS[columns], squeeze=False).flat
        name = OUTCOME_LABELS[outcome]
        _draw(mean, grid, percent(grid.mean), "viridis", f"mean {name} (%)")
        if spread == "std":
            _draw(other, grid, grid.std * PERCENT, "cividis", f"standard deviation of {name} (points)")
        else:
            _draw(other, grid, np.square(grid.std * PERCENT), "cividis", f"variance of {name} (points$^2$)")
        root(figure).draw_without_rendering()
        measured = _measured(study, grid)
        avoided = np.vstack([grid.observations, _best(grid, measured), np.ones((1, 2))])
        named = [list(draw_mac_contours(ax, grid, costs, avoided)) if costs else [] for ax in (mean, other)]
        for ax in (mean, other):
            for color, width in ((INK, 2.0), ("white", 0.9)):
                trial_crosses(ax, grid.observations, fading(surface, grid.fixed), color, width).set_zorder(3)
        _label(mean, grid, measured, [drawn for drawn in named[0] if isinstance(drawn, Text)])
        return root(figure)


def _cut(
    study: StudyLike, factors: tuple[str, str] | None, outcome: str, size: int, fixed: Fixed | None
) -> SurfaceGrid:
    surface = study.joint_surface(outcome)
    x_name, y_name = choose_names(surface, factors, 2)
    return surface.grid(x_name, y_name, size, fixed=held(surface) if fixed is None else fixed)


def _draw(ax: Axes, grid: SurfaceGrid, values: FloatArray, colors: str, label: str) -> None:
    dress(ax)
    # lines of equal MACs go on beyond what was observed
    ax.set(xlim=(grid.x[0], grid.x[-1]), ylim=(grid.y[0], grid.y[-1]), autoscale_on=False)
    contours = ax.contourf(grid.x, grid.y, values, levels=_LEVELS, cmap=colors)
    # as vectors they are ten times as large, and viewers show the page through their seams
    contours.set_rasterized(True)
    bar = root(ax).colorbar(contours, ax=ax, label=label, pad=0.02)
    dress(bar.ax)
    ax.set_xlabel(f"{FACTOR_LABELS[grid.names[0]]} (base = 1)")
    ax.set_ylabel(f"{FACTOR_LABELS[grid.names[1]]} (base = 1)")


def _c(study: StudyLike, grid: SurfaceGrid) -> FloatArray:
    """Return MACs over the base's, (size, size) float64 as `grid.mean`; NaN where the sweep held MACs."""
    if len(grid.fixed) + len(grid.names) < len(FACTOR_NAMES):
        return np.full(grid.mean.shape, np.nan)
    x, y = grid.names
    return Costs(study.space).at(grid.fixed, **{x: grid.x, y: grid.y})


def _measured(study: StudyLike, grid: SurfaceGrid) -> npt.NDArray[np.bool_]:
    """Tell where the trials' range of MACs lies, (size, size) bool; everywhere where the sweep held MACs or none is."""
    low, high = study.facts["c_range"]
    c = _c(study, grid)
    inside = np.isnan(c) | ((c >= low) & (c <= high))
    return inside if inside.any() else np.ones_like(inside)


def _best(grid: SurfaceGrid, measured: npt.NDArray[np.bool_]) -> FloatArray:
    """Return where the highest mean is among the places that are told, (1, 2) float64."""
    row, column = np.unravel_index(np.argmax(np.where(measured, grid.mean, -np.inf)), grid.mean.shape)
    return np.array([[grid.x[column], grid.y[row]]])


def _label(ax: Axes, grid: SurfaceGrid, measured: npt.NDArray[np.bool_], written: Sequence[Text]) -> None:
    """Mark the maximum of the mean where there are trials of such MACs, and the base where it lies on the slice.

    Args:
        ax: Where.
        grid: The slice.
        measured: Where there are trials of such MACs, (size, size) bool.
        written: What stands on the panel already.
    """
    best = _best(grid, measured)
    ax.plot(*best.T, "*", ms=9, mfc="white", mec=INK, mew=0.7, clip_on=False, zorder=5)
    highest = np.argmax(np.where(measured, grid.mean, -np.inf))
    mean, std = float(percent(grid.mean.flat[highest])), grid.std.flat[highest] * PERCENT
    labels = [Label(f"maximum {mean:.1f} ± {std:.1f} %", best, INK)]
    if grid.x[0] <= 1 <= grid.x[-1] and grid.y[0] <= 1 <= grid.y[-1]:
        base = np.array([[1.0, 1.0]])
        ax.plot(*base.T, "^", ms=6.5, mfc=GREEN, mec="white", mew=0.6, zorder=4)
        labels.append(Label("base", base, INK))
    boxes = [text.get_window_extent() for text in written]
    places = [np.column_stack([np.linspace(box.x0, box.x1, 7), np.full(7, (box.y0 + box.y1) / 2)]) for box in boxes]
    hidden = [ax.transData.inverted().transform(place) for place in places for _ in range(2)]
    place_labels(ax, labels, np.vstack([grid.observations, *hidden]))
