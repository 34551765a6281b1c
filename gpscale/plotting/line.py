"""Accuracy along one factor. Figures 4 and 5 of the method paper where the sweep held MACs, else a slice."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gpscale.plotting.base import Columns, StudyLike, is_base
from gpscale.plotting.labels import FACTOR_LABELS, OUTCOME_LABELS, PERCENT, Label, along, place_labels
from gpscale.plotting.look import BLUE, GREEN, INK, LINE, RED, caption, dress, new_figure, root, style
from gpscale.plotting.slices import choose_names, describe, held
from gpscale.surrogate.views import SurfaceLine

_HEIGHTS: dict[Columns, float] = {1: 2.7, 2: 3.4}
_Z95 = 1.959963984540054


def line_data(study: StudyLike, factor: str | None = None, outcome: str = "top1") -> pd.DataFrame:
    """Tabulate the surface along one factor, and the trials.

    Args:
        study: A fitted study.
        factor: Along which factor; None takes the one that the sweep varied, else the first that varies.
        outcome: `"top1"` or `"top5"`.

    Returns:
        One row a point of the surface (`kind` = `"surface"`) or a trial (`"trial"`): the factor under its own name,
        `value` (posterior mean or measured accuracy, a fraction), `low` and `high` (95 % band of the surface),
        `training_low` and `training_high` (of one new training); of a trial, `base` (is the base model) and `better`
        (measured above the base).

    Raises:
        FitError: The factor is none of the surface, or did not vary.
        UnknownNameError: `factor` is no factor.
    """
    line = _cut(study, factor, outcome)
    columns = {
        "kind": "surface",
        line.name: line.x,
        "value": line.mean,
        "low": line.mean - _Z95 * line.std,
        "high": line.mean + _Z95 * line.std,
        "training_low": line.mean - _Z95 * line.observation_std,
        "training_high": line.mean + _Z95 * line.observation_std,
        "base": False,
        "better": False,
    }
    finished = study.finished
    base = is_base(finished)
    trials = {"kind": "trial", line.name: finished[line.name], "value": finished[outcome], "base": base}
    trials["better"] = finished[outcome] > finished.loc[base, outcome].mean()
    return pd.concat([pd.DataFrame(columns), pd.DataFrame(trials)], ignore_index=True)


def plot_line(
    study: StudyLike,
    factor: str | None = None,
    outcome: str = "top1",
    ax: Axes | None = None,
    columns: Columns = 1,
) -> Figure:
    """Draw accuracy along one factor: mean, 95 % bands, trials better and worse than the base in two colours.

    Args:
        study: A fitted study.
        factor: As in `line_data`.
        outcome: `"top1"` or `"top5"`.
        ax: Where to draw; None makes a figure.
        columns: Width of that figure.

    Raises:
        FitError: As in `line_data`.
        UnknownNameError: As in `line_data`.
    """
    surface = study.joint_surface(outcome)
    line, table = _cut(study, factor, outcome), line_data(study, factor, outcome)
    with style():
        if ax is None:
            figure = new_figure(columns, _HEIGHTS[columns])
            ax = figure.add_subplot()
            seen = describe(study, surface, line.label, line.fixed)
            caption(figure, f"{seen}; 95 % bands: dark, surface; light, one new training")
        ax.set_xlabel(f"{FACTOR_LABELS[line.name]} (base = 1)")
        ax.set_ylabel(f"{OUTCOME_LABELS[outcome]} (%)")
        _draw(ax, table, line.name)
        return root(ax)


def _cut(study: StudyLike, factor: str | None, outcome: str) -> SurfaceLine:
    surface = study.joint_surface(outcome)
    (name,) = choose_names(surface, None if factor is None else (factor,), 1)
    return surface.line(name, fixed=held(surface))


def _draw(ax: Axes, table: pd.DataFrame, name: str) -> None:
    dress(ax)
    line, trials = table[table["kind"] == "surface"], table[table["kind"] == "trial"]
    x = line[name].to_numpy()
    low, high, training_low, training_high, mean = (
        line[column].to_numpy(dtype=float) * PERCENT
        for column in ("low", "high", "training_low", "training_high", "value")
    )
    ax.fill_between(x, training_low, training_high, color=BLUE, alpha=0.12, lw=0)
    ax.fill_between(x, low, high, color=BLUE, alpha=0.25, lw=0)
    ax.plot(x, mean, color=BLUE, lw=LINE)
    points = np.column_stack([trials[name], trials["value"] * PERCENT])
    base, better = trials["base"].to_numpy(dtype=bool), trials["better"].to_numpy(dtype=bool)
    if base.any():
        groups = [(better, RED, "better than base"), (~better & ~base, INK, "not better")]
    else:
        groups = [(~base, INK, "trials")]
    labels = [Label("base", points[base], GREEN)]
    for chosen, color, text in groups:
        ax.plot(*points[chosen].T, "x", ms=4, mew=1.0, color=color, zorder=3)
        labels.append(Label(text, points[chosen], color))
    ax.plot(*points[base].T, "^", ms=6.5, mfc=GREEN, mec="white", mew=0.6, zorder=4)
    root(ax).draw_without_rendering()
    marks = np.concatenate([points, along(ax, x, mean)])
    place_labels(ax, [label for label in labels if len(label.anchors)], marks)
