"""Accuracy along one factor. Figures 4 and 5 of the method paper where the sweep held MACs, else a slice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from gpscale.factors import FACTOR_NAMES
from gpscale.plotting.base import Columns, StudyLike, is_base
from gpscale.plotting.labels import FACTOR_LABELS, OUTCOME_LABELS, FloatArray, Label, along, percent, place_labels
from gpscale.plotting.look import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    LINE,
    RED,
    UNCUT,
    caption,
    check_columns,
    dress,
    limit_accuracies,
    new_figure,
    root,
    style,
)
from gpscale.plotting.mac_contours import Costs
from gpscale.plotting.slices import choose_names, describe, fading, held, trial_crosses, unusable
from gpscale.surrogate.surface import Fixed
from gpscale.surrogate.views import SurfaceLine
from gpscale.trial import OUTCOMES, check_outcome
from gpscale.units import Z95

BoolArray = npt.NDArray[np.bool_]

_HEIGHTS: dict[Columns, float] = {1: 4.4, 2: 2.7}
_ACROSS: dict[Columns, int] = {1: 1, 2: 2}

_NO_COSTLIER = 1.03
"""MACs up to so many times those of the base count as no more than those."""


def line_data(
    study: StudyLike, factor: str | None = None, outcome: str | None = None, fixed: Fixed | None = None
) -> pd.DataFrame:
    """Tabulate the surface along one factor, and the trials.

    Args:
        study: A fitted study.
        factor: Along which factor; None takes the one that the sweep varied, else the first that varies.
        outcome: `"top1"` or `"top5"`; None for both, or for top-1 where top-5 is the same in all trials.
        fixed: Where the other factors are held; None takes the base.

    Returns:
        One row an `outcome` and a point of the surface (`kind` = `"surface"`) or a trial (`"trial"`): the factor under
        its own name, `c` (MACs over the base's; of the surface between the architectures of the study's space, NaN
        where the sweep held MACs), `value` (posterior mean or measured accuracy, a fraction), `low` and `high` (95 %
        band of the surface), `training_low` and `training_high` (of one new training); of a trial, `base` (is the base
        model), `better` (measured above the base, with at most 1.03 times its MACs) and `strength` (1 on the line, less
        the farther its other factors are from where the line holds them).

    Raises:
        FitError: The factor is none of the surface, or did not vary.
        UnknownNameError: `factor` is no factor, or `outcome` no outcome.
        OutOfRangeError: A value of `fixed` lies outside what the trials span.

    Example:
        >>> from gpscale import Study
        >>> table = line_data(Study("quickstart"), "width", "top1")
        >>> int((table["kind"] == "trial").sum())
        24
    """
    return pd.concat([_table(study, factor, name, fixed) for name in _outcomes(study, outcome)], ignore_index=True)


def plot_line(
    study: StudyLike,
    factor: str | None = None,
    outcome: str | None = None,
    figure: Figure | SubFigure | None = None,
    columns: Columns = 2,
    fixed: Fixed | None = None,
) -> Figure:
    """Draw accuracy along one factor: mean, 95 % bands, trials better and worse than the base in two colours.

    Trials are fainter the farther they are from the line; a c that no trial has is shaded.

    Args:
        study: A fitted study.
        factor: As in `line_data`.
        outcome: As in `line_data`; one panel each.
        figure: Where to draw; None makes a figure.
        columns: Width of that figure; the panels stand above each other in one column, side by side in two.
        fixed: As in `line_data`.

    Raises:
        FitError, OutOfRangeError: As in `line_data`.
        UnknownNameError: As in `line_data`, or `columns` is neither 1 nor 2.

    Example:
        >>> from gpscale import Study
        >>> figure = plot_line(Study("quickstart"), "width", "top1")
        >>> len(figure.get_axes())
        1
    """
    check_columns(columns)
    outcomes = _outcomes(study, outcome)
    surface, line = study.joint_surface(outcomes[0]), _cut(study, factor, outcomes[0], fixed)
    table = line_data(study, factor, outcome, fixed)
    across = min(_ACROSS[columns], len(outcomes))
    rows = -(-len(outcomes) // across)
    with style():
        figure = figure or new_figure(columns, _HEIGHTS[columns] * (rows / 2 if columns == 1 else 1))
        seen = describe(study, surface, line.label, line.fixed)
        told = f"{seen}; 95 % bands: dark, surface; light, one new training"
        if _unmeasured(study, table).any():
            low, high = study.facts["c_range"]
            told += f"; grey: $c$ beyond the trials' {low:.2f} to {high:.2f}"
        caption(figure, told + unusable(study, outcomes))
        panels = figure.subplots(rows, across, squeeze=False).ravel()
        for ax, name in zip(panels, outcomes, strict=True):
            ax.set_xlabel(f"{FACTOR_LABELS[line.name]} (base = 1)")
            ax.set_ylabel(f"{OUTCOME_LABELS[name]} (%)")
            _draw(ax, table[table["outcome"] == name], line.name)
            _shade(ax, line.x, _unmeasured(study, table[table["outcome"] == name]))
        for ax, name in zip(panels, outcomes, strict=True):
            _label(ax, table[table["outcome"] == name], line.name)
        return root(figure)


def _outcomes(study: StudyLike, outcome: str | None) -> list[str]:
    if outcome is not None:
        return [check_outcome(outcome)]
    return [name for name in OUTCOMES if name == "top1" or study.facts["diagnostics"][name] is not None]


def _table(study: StudyLike, factor: str | None, outcome: str, fixed: Fixed | None) -> pd.DataFrame:
    line = _cut(study, factor, outcome, fixed)
    surface = study.joint_surface(outcome)
    c: FloatArray = np.full(len(line.x), np.nan)
    if surface.names == FACTOR_NAMES:
        c = Costs(study.space).at(line.fixed, **{line.name: line.x})
    columns = {
        "outcome": outcome,
        "kind": "surface",
        line.name: line.x,
        "c": c,
        "value": line.mean,
        "low": line.mean - Z95 * line.std,
        "high": line.mean + Z95 * line.std,
        "training_low": line.mean - Z95 * line.observation_std,
        "training_high": line.mean + Z95 * line.observation_std,
        "base": False,
        "better": False,
        "strength": np.nan,
    }
    finished = study.finished
    base = is_base(finished)
    trials = {"outcome": outcome, "kind": "trial", line.name: finished[line.name], "c": finished["c"]}
    better = (finished[outcome] > finished.loc[base, outcome].mean()) & (finished["c"] <= _NO_COSTLIER)
    strength = fading(surface, line.fixed, finished[list(surface.names)].to_numpy(dtype=float))
    trials |= {"value": finished[outcome], "base": base, "better": better, "strength": strength}
    return pd.concat([pd.DataFrame(columns), pd.DataFrame(trials)], ignore_index=True)


def _unmeasured(study: StudyLike, table: pd.DataFrame) -> BoolArray:
    """Tell which points of the surface have a c that no trial has; none where the sweep held MACs."""
    low, high = study.facts["c_range"]
    c: FloatArray = table.loc[table["kind"] == "surface", "c"].to_numpy(dtype=float)
    beyond: BoolArray = (c < low / _NO_COSTLIER) | (c > high * _NO_COSTLIER)
    return beyond


def _shade(ax: Axes, x: FloatArray, where: BoolArray) -> None:
    """Shade the parts of a panel over `x` that are told, over its whole height."""
    ax.fill_between(x, 0, 1, where=where.tolist(), transform=ax.get_xaxis_transform(), fc=FAINT, alpha=0.3, lw=0)


def _cut(study: StudyLike, factor: str | None, outcome: str, fixed: Fixed | None) -> SurfaceLine:
    surface = study.joint_surface(outcome)
    (name,) = choose_names(surface, None if factor is None else (factor,), 1)
    return surface.line(name, fixed=held(surface) if fixed is None else fixed)


def _draw(ax: Axes, table: pd.DataFrame, name: str) -> None:
    dress(ax)
    line, trials = table[table["kind"] == "surface"], table[table["kind"] == "trial"]
    x = line[name].to_numpy()
    low, high, training_low, training_high, mean = (
        percent(line[column]) for column in ("low", "high", "training_low", "training_high", "value")
    )
    ax.fill_between(x, training_low, training_high, color=BLUE, alpha=0.12, lw=0)
    ax.fill_between(x, low, high, color=BLUE, alpha=0.25, lw=0)
    ax.plot(x, mean, color=BLUE, lw=LINE)
    points = _points(trials, name)
    for rows, color in _groups(trials):
        crosses = trial_crosses(ax, points[rows], trials.loc[rows, "strength"].to_numpy(), color)
        crosses.set_zorder(3.1 if color == RED else 3)
    base = points[trials["base"].to_numpy()]
    # a cross at the same place is seen before it
    ax.plot(*base.T, "^", ms=6.5, mfc=GREEN, mec="white", mew=0.6, zorder=2.9, **UNCUT)
    limit_accuracies(ax)


def _groups(trials: pd.DataFrame) -> list[tuple[BoolArray, str]]:
    """Return rows and colour of the trials that are not the base, better ones first."""
    base, better = trials["base"].to_numpy(dtype=bool), trials["better"].to_numpy(dtype=bool)
    return [(better, RED), (~better & ~base, INK)]


def _texts(line: pd.DataFrame, trials: pd.DataFrame) -> tuple[str, str]:
    """Return what the two groups are called; of a slice, where most trials are far away, the second is not named."""
    if not trials["base"].any():
        return "", "trials"
    return ("better than base", "not better") if line["c"].isna().all() else ("better, no costlier", "")


def _points(trials: pd.DataFrame, name: str) -> FloatArray:
    return np.column_stack([trials[name], percent(trials["value"])]).astype(np.float64)


def _label(ax: Axes, table: pd.DataFrame, name: str) -> None:
    line, trials = table[table["kind"] == "surface"], table[table["kind"] == "trial"]
    points = _points(trials, name)
    labels = [Label("base", points[trials["base"].to_numpy(dtype=bool)], GREEN)]
    strength = trials["strength"].to_numpy()
    for (rows, color), text in zip(_groups(trials), _texts(line, trials), strict=True):
        if text and rows.any():
            # a label stands beside a mark that can be seen
            labels.append(Label(text, points[rows & (strength >= 0.5 * strength[rows].max())], color))
    root(ax).draw_without_rendering()
    marks = np.concatenate([points, along(ax, line[name], percent(line["value"]))])
    place_labels(ax, [label for label in labels if len(label.anchors)], marks)
