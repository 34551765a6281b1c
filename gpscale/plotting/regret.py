"""How many trials are enough: the regret of what surface and rule pick, against the trials that they were fitted to."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from gpscale.errors import FitError
from gpscale.plotting.base import Columns, StudyLike
from gpscale.plotting.labels import PERCENT, label_ends
from gpscale.plotting.look import (
    BLUE,
    FAINT,
    LINE,
    MUTED,
    RED,
    UNCUT,
    caption,
    check_columns,
    dress,
    new_figure,
    root,
    style,
)

_TITLES = {"rule": "the rule picks", "surface": "the surface picks"}
_HEIGHTS: dict[Columns, float] = {1: 4.6, 2: 2.6}
_PANELS: dict[Columns, tuple[int, int]] = {1: (2, 1), 2: (1, 2)}
_DASHED = (0, (3, 1.5))


def regret_data(study: StudyLike) -> pd.DataFrame:
    """Tabulate the regret of a study's picks by the number of trials, as `gpscale regret` has stored it.

    Returns:
        One row an arm (`arm` = `"rule"` or `"surface"`), order (`kind` = `"plan"` or `"random"`) and number of
        `trials`: `orders` that had a pick, `regret`, `low`, `high` (95 % interval; NaN in the order of the plan) and
        `lost` (fractions), `same` (share of the budgets); `chance` and `noise`, the same in all rows, fractions.

    Raises:
        FitError: `gpscale regret` has not been run since the study was fitted.

    Example:
        >>> from gpscale import Study
        >>> table = regret_data(Study("quickstart"))
        >>> sorted(table["arm"].unique())
        ['rule', 'surface']
    """
    found = study.regret
    if found is None:
        raise FitError(
            f"A figure of regret needs the trials to be replayed. Study {study.name!r} was fitted since, or has not "
            "been replayed at all. Run `gpscale regret` on its run directory."
        )
    table = pd.DataFrame(found["rows"]).assign(chance=found["chance"], noise=found["noise"])
    columns = ["arm", "kind", "trials", "orders", "regret", "low", "high", "same", "lost", "chance", "noise"]
    numbers = dict.fromkeys(columns[4:], "float64")
    return table[columns].astype(numbers)


def plot_regret(study: StudyLike, figure: Figure | SubFigure | None = None, columns: Columns = 2) -> Figure:
    """Draw regret against the number of trials, beside a pick by lot and the noise of a training.

    Args:
        study: A study with a stored regret.
        figure: Where to draw; None makes a figure.
        columns: Width of that figure; the panels stand above each other in one column, side by side in two.

    Raises:
        FitError: As in `regret_data`.
        UnknownNameError: `columns` is neither 1 nor 2.

    Example:
        >>> from gpscale import Study
        >>> figure = plot_regret(Study("quickstart"))
        >>> len(figure.get_axes())
        2
    """
    check_columns(columns)
    table = regret_data(study)
    orders = int(table.loc[table["kind"] == "random", "orders"].max())
    with style():
        figure = figure or new_figure(columns, _HEIGHTS[columns])
        caption(
            figure,
            f"{study.name}, {table['trials'].max()} trials: top-1 of a pick after so many of them, below the best "
            f"measured; mean over budgets, of {orders} random orders with the 95 % interval of their mean",
        )
        panels = figure.subplots(*_PANELS[columns], squeeze=False, sharex=True, sharey=True).flat
        top = PERCENT * max(table[["regret", "high", "chance", "noise"]].max())
        for ax, (arm, title) in zip(panels, _TITLES.items(), strict=True):
            _draw(ax, table[table["arm"] == arm], top)
            ax.set_title(title)
            ax.set_ylabel("regret (points of top-1)")
            ax.set_xlabel("trials")
            ax.tick_params(labelleft=True, labelbottom=True)
        return root(figure)


def _draw(ax: Axes, table: pd.DataFrame, top: float) -> None:
    dress(ax)
    ax.set_ylim(0.0, 1.05 * top)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    chance, noise = (PERCENT * float(table[name].iloc[0]) for name in ("chance", "noise"))
    ax.axhline(chance, color=MUTED, lw=0.6, zorder=1)
    ax.axhspan(0.0, noise, color=FAINT, alpha=0.35, lw=0, zorder=0)
    labels = [(chance, "by lot", MUTED), (noise, "noise", MUTED)]
    for kind, color, dashes, name in (("random", BLUE, "-", "random order"), ("plan", RED, _DASHED, "plan's order")):
        rows = table[(table["kind"] == kind) & table["regret"].notna()]
        if not len(rows):
            continue
        trials = rows["trials"].to_numpy()
        low, high, value = (PERCENT * rows[column].to_numpy() for column in ("low", "high", "regret"))
        if not np.isnan(low).any():
            ax.fill_between(trials, low, high, color=color, alpha=0.2, lw=0)
        ax.plot(trials, value, color=color, ls=dashes, lw=LINE, marker="o", ms=3, mec="white", mew=0.3, **UNCUT)
        labels.append((float(value[-1]), name, color))
    label_ends(ax, labels)
