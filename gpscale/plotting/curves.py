"""Learning curves with and without the average of the weights (EMA). Figure 9 of the method paper.

The paper draws the mean of several architectures with a band of their spread. Here single trials are drawn, chosen over
the range of c (at fixed MACs: of the factor that varied), before all others: the spread is one over architectures, and
is seen as such.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES, FACTOR_SYMBOLS
from gpscale.plotting.base import Columns, StudyLike
from gpscale.plotting.labels import FACTOR_LABELS, OUTCOME_LABELS, PERCENT, FloatArray, label_ends
from gpscale.plotting.look import (
    FAINT,
    LINE,
    caption,
    check_columns,
    dress,
    new_figure,
    ordered_colors,
    root,
    style,
)
from gpscale.trial import check_outcome

CHOSEN = 4
"""Trials that are drawn in colour."""

_HEIGHTS: dict[Columns, float] = {1: 4.4, 2: 2.7}
_PANELS: dict[Columns, tuple[int, int]] = {1: (2, 1), 2: (1, 2)}
_DOTS_UP_TO = 12
_DASHED = (0, (2.5, 1.5))


def curves_data(study: StudyLike, outcome: str = "top1", count: int = CHOSEN) -> pd.DataFrame:
    """Tabulate the learning curves of all finished trials.

    Args:
        study: A fitted study.
        outcome: `"top1"` or `"top5"`.
        count: Trials to choose.

    Returns:
        One row a trial and epoch: `id`, `c`, or the factor that varied if MACs were held (the rows' order), `epoch`
        (from 1), `loss` and `accuracy` (validation, of the weights themselves; nats, a fraction), `ema_loss` and
        `ema_accuracy` (of the averaged weights; equal to those where the recipe keeps no average), `chosen` (is one of
        the `count` spread evenly over the logarithm of the second column).

    Raises:
        FitError: No finished trial has a learning curve.
        UnknownNameError: `outcome` is neither.
        ValueError: `count` is negative.

    Example:
        >>> from gpscale import Study
        >>> table = curves_data(Study("quickstart"))
        >>> int(table["epoch"].max())
        8
    """
    check_outcome(outcome)
    if count < 0:
        raise ValueError(f"`count` must be at least 0. Got {count}. Take 0 to choose no trial.")
    curves = study.curves
    if not len(curves):
        raise FitError(
            f"Learning curves need a finished trial with a `curve.csv`. Study {study.name!r} has none. "
            "Train its trials with `gpscale sweep`."
        )
    axis = _axis(study)
    position = study.finished.set_index("id")[axis]
    table = pd.DataFrame(
        {
            "id": curves["id"],
            axis: curves["id"].map(position),
            "epoch": curves["epoch"],
            "loss": curves["validation_loss"],
            "accuracy": curves[outcome],
            "ema_loss": curves["ema_validation_loss"],
            "ema_accuracy": curves[f"ema_{outcome}"],
        }
    )
    trials = table.drop_duplicates("id")
    table["chosen"] = table["id"].isin(trials["id"].to_numpy()[_spread(trials[axis].to_numpy(dtype=float), count)])
    return table.sort_values([axis, "id", "epoch"], ignore_index=True)


def plot_curves(
    study: StudyLike,
    outcome: str = "top1",
    figure: Figure | SubFigure | None = None,
    columns: Columns = 2,
    count: int = CHOSEN,
) -> Figure:
    """Draw validation loss and accuracy against epochs, with and without EMA.

    Args:
        study: As in `curves_data`.
        outcome: `"top1"` or `"top5"`.
        figure: Where to draw; None makes a figure.
        columns: Width of that figure; the panels stand above each other in one column, side by side in two.
        count: Trials in colour.

    Raises:
        FitError: As in `curves_data`.
        UnknownNameError: `outcome` is neither, or `columns` is neither 1 nor 2.

    Example:
        >>> from gpscale import Study
        >>> figure = plot_curves(Study("quickstart"))
        >>> len(figure.get_axes())
        2
    """
    check_columns(columns)
    table, axis = curves_data(study, outcome, count), _axis(study)
    averaged = not np.array_equal(table[["loss", "accuracy"]], table[["ema_loss", "ema_accuracy"]])
    chosen, trials = table.loc[table["chosen"], "id"].nunique(), table["id"].nunique()
    with style():
        figure = figure or new_figure(columns, _HEIGHTS[columns])
        kinds = "solid: averaged weights (EMA), dashed: the weights themselves" if averaged else "no EMA was kept"
        others = f"; grey: the other {trials - chosen}{' (EMA)' if averaged else ''}" if trials > chosen else ""
        told = "$c$: MACs / base MACs" if axis == "c" else f"{FACTOR_LABELS[axis]} (base = 1), MACs fixed"
        caption(figure, f"{study.name}: {chosen} of {trials} trials; {kinds}{others}; {told}")
        losses, accuracies = figure.subplots(*_PANELS[columns], squeeze=False).flat
        losses.set_ylabel("validation loss (nats)")
        accuracies.set_ylabel(f"validation {OUTCOME_LABELS[outcome]} (%)")
        percent = table.assign(accuracy=table["accuracy"] * PERCENT, ema_accuracy=table["ema_accuracy"] * PERCENT)
        for ax, name in ((losses, "loss"), (accuracies, "accuracy")):
            _draw(ax, percent, name, axis, averaged)
        return root(figure)


def _axis(study: StudyLike) -> str:
    """Return what trials are told apart by: c, or at fixed MACs the factor that varied."""
    names = study.facts["surface_names"]
    return "c" if len(names) == len(FACTOR_NAMES) else str(names[0])


def _spread(values: FloatArray, count: int) -> list[int]:
    """Return places of up to `count` values, each the free one nearest to one of as many even steps of their log."""
    logs, picked = np.log(values), list[int]()
    for wanted in np.linspace(logs.min(), logs.max(), min(count, len(values))):
        distance = np.abs(logs - wanted)
        distance[picked] = np.inf
        picked.append(int(distance.argmin()))
    return picked


def _draw(ax: Axes, table: pd.DataFrame, name: str, axis: str, averaged: bool) -> None:
    dress(ax)
    epochs = int(table["epoch"].max())
    marker = "o" if epochs <= _DOTS_UP_TO else ""
    for _, curve in table[~table["chosen"]].groupby("id", sort=False):
        ax.plot(curve["epoch"], curve[f"ema_{name}"], color=FAINT, lw=0.4, alpha=0.7, zorder=1)
    chosen = table[table["chosen"]]
    labels, symbol = [], FACTOR_SYMBOLS.get(axis, axis)
    for color, (_, curve) in zip(ordered_colors(chosen["id"].nunique()), chosen.groupby("id", sort=False), strict=True):
        if averaged:
            ax.plot(curve["epoch"], curve[name], color=color, lw=0.9, ls=_DASHED, zorder=2)
        ax.plot(curve["epoch"], curve[f"ema_{name}"], marker=marker, ms=2.5, color=color, lw=LINE, zorder=3)
        labels.append((float(curve[f"ema_{name}"].iloc[-1]), f"${symbol}$ = {curve[axis].iloc[0]:.2f}", color))
    ax.set_xlabel("epoch")
    ax.set_xlim(1 - 0.02 * epochs, epochs * 1.02)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    label_ends(ax, labels)
