"""How well a study predicts a trial that it has not seen: leave-one-out predictions against what was measured."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from gpscale.errors import FitError
from gpscale.plotting.base import Columns, StudyLike
from gpscale.plotting.labels import OUTCOME_LABELS, PERCENT, percent
from gpscale.plotting.look import BLUE, MUTED, RED, UNCUT, caption, check_columns, dress, new_figure, root, style
from gpscale.surrogate.diagnostics import Diagnostics, Scores
from gpscale.trial import check_outcome
from gpscale.units import Z95

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
        `measured` and `predicted` (fractions), `low` and `high` (95 % interval of one training; of the surface widened
        by what the other trials call for, where it is recalibrated), `inside` (measured lies in it).

    Raises:
        FitError: There is no surface of that outcome.
        UnknownNameError: `outcome` is neither.

    Example:
        >>> from gpscale import Study
        >>> table = diagnostics_data(Study("quickstart"))
        >>> sorted(table["model"].unique())
        ['joint', 'log_macs']
    """
    found = _diagnostics(study, outcome)
    measured = np.array(found.measured)
    tables = []
    widened = (found.left_out_recalibration, np.ones(found.n))
    for model, left_out, factor in zip(MODELS, (found.joint_left_out, found.log_macs_left_out), widened, strict=True):
        mean, reach = np.array(left_out.mean), Z95 * np.array(left_out.std) * factor
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
        UnknownNameError: `outcome` is neither, or `columns` is neither 1 nor 2.

    Example:
        >>> from gpscale import Study
        >>> figure = plot_diagnostics(Study("quickstart"))
        >>> len(figure.get_axes())
        2
    """
    check_columns(columns)
    table, found = diagnostics_data(study, outcome), _diagnostics(study, outcome)
    name = OUTCOME_LABELS[outcome]
    knows = "more than MACs do" if found.knows_more_than_macs else "no more than MACs do"
    recalibrated = f"; its intervals are recalibrated by {found.recalibration:.2f}" if found.recalibration != 1 else ""
    with style():
        figure = figure or new_figure(columns, _HEIGHTS[columns])
        caption(
            figure,
            f"{study.name}, {found.n} trials: each predicted by a model fitted without it; the surface knows {knows}"
            f"{recalibrated}; bars: 95 % interval of one training, red where it misses what was measured",
        )
        panels = figure.subplots(*_PANELS[columns], squeeze=False, sharex=True, sharey=True).flat
        titles = ("joint surface", "Gaussian process on log MACs alone")
        for ax, model, title, scores in zip(panels, MODELS, titles, (found.joint, found.log_macs), strict=True):
            rows = table[table["model"] == model]
            _draw(ax, rows, table)
            ax.set_title(f"{title}\n{_summary(scores)}{' as fitted' if recalibrated and model == 'joint' else ''}")
            ax.set_ylabel(f"predicted {name} (%)")
            ax.set_xlabel(f"measured {name} (%)")
            ax.tick_params(labelleft=True, labelbottom=True)
        return root(figure)


def _diagnostics(study: StudyLike, outcome: str) -> Diagnostics:
    stored = study.facts["diagnostics"][check_outcome(outcome)]
    if stored is None:
        raise FitError(f"Study {study.name!r} has no surface of {outcome}: it is the same in all trials. Use top1.")
    return Diagnostics.from_dict(stored)


def _summary(scores: Scores) -> str:
    inside = f"{100 * scores.coverage:.0f} % inside"
    return f"RMSE {scores.rmse * PERCENT:.2f} points, Spearman {scores.spearman:.2f}, {inside}"


def _draw(ax: Axes, table: pd.DataFrame, both: pd.DataFrame) -> None:
    dress(ax)
    measured, ends = percent(both["measured"]), percent(both[["low", "high"]])
    low, high = measured.min(), measured.max()
    margin = 0.06 * (high - low)
    ax.set_xlim(max(low - margin, 0.0), min(high + margin, 100.0))
    ax.set_ylim(max(min(ends.min(), low) - margin, 0.0), min(max(ends.max(), high) + margin, 100.0))
    ax.axline((low, low), slope=1.0, color=MUTED, lw=0.6, zorder=1)
    width = 0.9 if len(table) <= 40 else 0.6
    for inside, color in ((True, BLUE), (False, RED)):
        rows = table[table["inside"] == inside]
        x = percent(rows["measured"])
        ax.vlines(x, percent(rows["low"]), percent(rows["high"]), color=color, lw=width, alpha=0.4, zorder=2)
        ax.plot(x, percent(rows["predicted"]), "o", ms=3, mfc=color, mec="white", mew=0.3, zorder=3, **UNCUT)
