"""How well a study predicts a trial that it has not seen: leave-one-out predictions against what was measured."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from gpscale.errors import FitError
from gpscale.plotting.base import Z95, Columns, StudyLike
from gpscale.plotting.labels import OUTCOME_LABELS, PERCENT
from gpscale.plotting.look import BLUE, MUTED, RED, caption, dress, new_figure, root, style
from gpscale.surrogate.diagnostics import Diagnostics, Scores

MODELS = ("joint", "log_macs")

_HEIGHTS: dict[Columns, float] = {1: 5.4, 2: 3.4}
_PANELS: dict[Columns, tuple[int, int]] = {1: (2, 1), 2: (1, 2)}


def diagnostics_data(study: StudyLike, outcome: str = "top1") -> pd.DataFrame:
    """Tabulate what is predicted of each trial by models that have not seen it.

    Args:
        study: A fitted study.
        outcome: `"top1"` or `"top5"`.

    Returns:
        One row a model (`model` = `"joint"`, the surface, or `"log_macs"`, a GP on log MACs alone) and trial: `id`,
        `measured` and `predicted` (fractions), `low` and `high` (95 % interval of one training), `inside` (measured
        lies in it).

    Raises:
        FitError: There is no surface of that outcome.

    Example:
        >>> from gpscale import Study
        >>> table = diagnostics_data(Study("quickstart"))
        >>> sorted(table["model"].unique())
        ['joint', 'log_macs']
    """
    found = _diagnostics(study, outcome)
    measured = np.array(found.measured)
    tables = []
    for model, left_out in zip(MODELS, (found.joint_left_out, found.log_macs_left_out), strict=True):
        mean, reach = np.array(left_out.mean), Z95 * np.array(left_out.std)
        columns = {"model": model, "id": study.facts["surface_ids"], "measured": measured, "predicted": mean}
        columns |= {"low": mean - reach, "high": mean + reach, "inside": np.abs(measured - mean) <= reach}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def plot_diagnostics(
    study: StudyLike,
    outcome: str = "top1",
    figure: Figure | SubFigure | None = None,
    columns: Columns = 2,
) -> Figure:
    """Draw leave-one-out predictions with 95 % intervals against what was measured, surface and log MACs alone.

    Args:
        study: A fitted study.
        outcome: `"top1"` or `"top5"`.
        figure: Where to draw; None makes a figure.
        columns: Width of that figure; the panels stand above each other in one column, side by side in two.

    Raises:
        FitError: As in `diagnostics_data`.

    Example:
        >>> from gpscale import Study
        >>> figure = plot_diagnostics(Study("quickstart"))
        >>> len(figure.get_axes())
        2
    """
    table, found = diagnostics_data(study, outcome), _diagnostics(study, outcome)
    name = OUTCOME_LABELS[outcome]
    knows = "more than MACs do" if found.knows_more_than_macs else "no more than MACs do"
    with style():
        figure = figure or new_figure(columns, _HEIGHTS[columns])
        caption(
            figure,
            f"{study.name}, {found.n} trials: each predicted by a model fitted without it; the surface knows {knows}; "
            "bars: 95 % interval of one training, red where it misses what was measured",
        )
        panels = figure.subplots(*_PANELS[columns], squeeze=False, sharex=True, sharey=True).flat
        titles = ("joint surface", "Gaussian process on log MACs alone")
        for ax, model, title, scores in zip(panels, MODELS, titles, (found.joint, found.log_macs), strict=True):
            _draw(ax, table[table["model"] == model], table)
            ax.set_title(f"{title}\n{_summary(scores)}")
            ax.set_ylabel(f"predicted {name} (%)")
            ax.set_xlabel(f"measured {name} (%)")
            ax.tick_params(labelleft=True, labelbottom=True)
        return root(figure)


def _diagnostics(study: StudyLike, outcome: str) -> Diagnostics:
    stored = study.facts["diagnostics"][outcome]
    if stored is None:
        raise FitError(f"Study {study.name!r} has no surface of {outcome}: it is the same in all trials. Use top1.")
    return Diagnostics.from_dict(stored)


def _summary(scores: Scores) -> str:
    return (
        f"RMSE {scores.rmse * PERCENT:.2f} points, Spearman {scores.spearman:.2f}, {100 * scores.coverage:.0f} % inside"
    )


def _draw(ax: Axes, table: pd.DataFrame, both: pd.DataFrame) -> None:
    dress(ax)
    measured, ends = both["measured"] * PERCENT, both[["low", "high"]].to_numpy() * PERCENT
    low, high = measured.min(), measured.max()
    margin = 0.06 * (high - low)
    ax.set_xlim(low - margin, high + margin)
    ax.set_ylim(min(ends.min(), low) - margin, max(ends.max(), high) + margin)
    ax.axline((low, low), slope=1.0, color=MUTED, lw=0.6, zorder=1)
    width = 0.9 if len(table) <= 40 else 0.6
    for inside, color in ((True, BLUE), (False, RED)):
        rows = table[table["inside"] == inside]
        x = rows["measured"] * PERCENT
        ax.vlines(x, rows["low"] * PERCENT, rows["high"] * PERCENT, color=color, lw=width, alpha=0.4, zorder=2)
        ax.plot(x, rows["predicted"] * PERCENT, "o", ms=3, mfc=color, mec="white", mew=0.3, zorder=3)
