"""The front: top-1 against MACs of all finished trials, and what rule and width knob alone are predicted to give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gpscale import rules
from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES
from gpscale.plotting.base import Columns, StudyLike, at_base, is_base
from gpscale.plotting.labels import MILLION, FloatArray, Label, along, percent, place_labels
from gpscale.plotting.look import (
    BLUE,
    FAINT,
    GREEN,
    LINE,
    MUTED,
    PURPLE,
    RED,
    caption,
    check_columns,
    dress,
    log_ticks,
    log_x,
    new_figure,
    root,
    style,
)
from gpscale.search_space import SearchSpace
from gpscale.units import Z95

_HEIGHTS: dict[Columns, float] = {1: 2.9, 2: 3.6}
_DASHED = (0, (3, 1.5))
_OTHERS = tuple(name for name in FACTOR_NAMES if name != "width")

_PREDICTED = {"rule": "what the rule builds (solid)", "width_only": "width multiplier as it is (dashed)"}
"""What a caption calls what the surface predicts."""

_LOOKS: dict[str, tuple[str, Any, str]] = {
    "rule": (RED, "-", "rule, predicted"),
    "width_only": (PURPLE, _DASHED, "width only, predicted"),
}
"""Colour, dashes and label of each line."""

_BUDGETS = 60
"""At which the rule is asked: over c 0.2 to 1.1 they are 3 % apart, as far as a pick may stay below its budget."""

CHOSEN_BY = {
    "mean": "",
    "first": "; top-1 of the first seed alone",
    "posterior": "; top-1 of trials: mean of the surface there",
}
"""What a caption says of the top-1 that the Pareto set was chosen by."""


def front_data(study: StudyLike) -> pd.DataFrame:
    """Tabulate the finished trials and their standing, and what the rule and width alone are predicted to give.

    Returns:
        One row a finished trial (`kind` = `"trial"`), ordered by MACs; then one an architecture that the study's rule
        builds for a budget, of some evenly spaced in log MACs over the rule's range (`"rule"`; none where the study has
        no rule); then one an architecture of the study's space that differs from the base in width alone and whose
        MACs lie among the trials' (`"width_only"`): `id` (empty where predicted), `macs`
        (multiply-accumulates of one image), `c` (over the base's), `top1` (a fraction; of a trial what the Pareto set
        was chosen by, which is what was measured unless the sweep says otherwise; else the mean of the surface), `low`
        and `high` (95 % band of the surface; NaN for a trial), the four realised factors, `rank` (1 = dominated by
        none, 0 = outside the band or not above the floor, or no trial), `survivor` (in the Pareto set), `base` (is the
        base model), `width_only` (differs from the base in width alone, or is the base).

    Raises:
        FitError: The study has no Pareto set.

    Example:
        >>> from gpscale import Study
        >>> table = front_data(Study("quickstart"))
        >>> front = table[table["rank"] == 1].sort_values("macs")
        >>> bool(front["top1"].is_monotonic_increasing)
        True
    """
    pareto = study.facts["pareto"]
    if pareto is None:
        raise FitError(
            f"A front needs a study with a Pareto set. Study {study.name!r} has none: {study.facts['rule_missing']}"
        )
    trials = pd.DataFrame(study.finished[["id", "macs", "c", "top1", *FACTOR_NAMES]])
    trials["top1"] = trials["id"].map(pareto["top1"])
    trials["rank"] = trials["id"].map(pareto["ranks"]).astype(int)
    trials["survivor"] = trials["id"].isin(pareto["survivors"])
    trials = trials.assign(kind="trial", low=np.nan, high=np.nan).sort_values(["macs", "top1"])
    table = pd.concat([trials, _built_by_rule(study, trials), _width_only(study, trials)], ignore_index=True)
    table["base"], table["width_only"] = is_base(table), at_base(table, _OTHERS)
    return table[
        ["kind", "id", "macs", "c", "top1", "low", "high", *FACTOR_NAMES, "rank", "survivor", "base", "width_only"]
    ]


def plot_front(study: StudyLike, ax: Axes | None = None, columns: Columns = 1, also: Sequence[float] = ()) -> Figure:
    """Draw top-1 against MACs: all trials, their front as a step line, the base, what the rule builds, and width alone.

    The Pareto set is marked where the rule follows it.

    Args:
        study: A study with a Pareto set.
        ax: Where to draw; None makes a figure.
        columns: Width of that figure.
        also: Accuracies that the panel must have room for beside those that it shows, fractions.

    Raises:
        FitError: The study has no Pareto set.
        UnknownNameError: `columns` is neither 1 nor 2.

    Example:
        >>> from gpscale import Study
        >>> figure = plot_front(Study("quickstart"))
        >>> len(figure.get_axes())
        1
    """
    check_columns(columns)
    table = front_data(study)
    with style():
        if ax is None:
            figure = new_figure(columns, _HEIGHTS[columns])
            ax = figure.add_subplot()
            caption(figure, front_caption(study, table, also))
        circled = not study.facts["rule_missing"] and study.rule.source == "trials"
        _draw(ax, table, study.base.macs, _limits(table, also), circled)
        return root(ax)


def front_caption(study: StudyLike, table: pd.DataFrame, also: Sequence[float] = ()) -> str:
    """Return the caption of a front: which study, what is predicted, what was measured.

    Args:
        study: What is drawn.
        table: Its `front_data`.
        also: As in `plot_front`.
    """
    trials, predicted = table[table["kind"] == "trial"], table[table["kind"] != "trial"]
    told = f"{study.name}: {len(trials)} trials, base {study.base.name}"
    if len(predicted):
        names = [text for kind, text in _PREDICTED.items() if (predicted["kind"] == kind).any()]
        told += f"; predicted: {', '.join(names)}; bands: 95 % of the surface"
        low, high = _limits(table, also)
        if (percent(predicted["low"]) < low).any() or (percent(predicted["high"]) > high).any():
            told += ", cut at the frame"
    if _narrow(table).any():
        told += "; square: width alone, measured"
    return told + CHOSEN_BY[study.facts["pareto"]["values"]]


def _limits(table: pd.DataFrame, also: Sequence[float]) -> tuple[float, float]:
    """Return the ends of the axis of top-1 (%); the band may leave it, its line and the trials may not."""
    heights = percent(table["top1"])
    margin = 0.08 * np.ptp(heights)
    low, high = (np.append(percent(also), end) for end in (heights.min() - margin, heights.max() + margin))
    return max(float(low.min()), 0.0), min(float(high.max()), 100.0)


def _built_by_rule(study: StudyLike, trials: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of what the rule builds; none where the study has no rule."""
    if study.facts["rule_missing"]:
        return trials.iloc[:0]
    ground = rules.Ground(study.space, gp=study.rule)
    low, high = np.array(study.rule.c_range) * study.base.macs
    budgets = np.clip(np.geomspace(low, high, _BUDGETS).astype(int), int(np.ceil(low)), int(high))
    picks = [rules.pick(rules.get("rule"), ground, int(budget)).index for budget in budgets]
    return _predicted(study, study.space.take(np.unique(picks)), "rule")


def _width_only(study: StudyLike, trials: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of width alone; none where the space has fewer than two such architectures."""
    space = study.space.feasible(int(trials["macs"].min()), int(trials["macs"].max()))
    narrow = np.flatnonzero(np.isclose(space.factors[:, [FACTOR_NAMES.index(name) for name in _OTHERS]], 1).all(axis=1))
    return _predicted(study, space.take(narrow), "width_only") if len(narrow) >= 2 else trials.iloc[:0]


def _predicted(study: StudyLike, built: SearchSpace, kind: str) -> pd.DataFrame:
    """Return rows of architectures, with what the joint surface says of them."""
    found = study.joint_surface().predict(built.factors)
    values = {"top1": found.mean, "low": found.mean - Z95 * found.std, "high": found.mean + Z95 * found.std}
    table = pd.DataFrame(built.factors, columns=list(FACTOR_NAMES)).assign(macs=built.macs, c=built.c, **values)
    return table.assign(kind=kind, id="", rank=0, survivor=False)


def _draw(ax: Axes, table: pd.DataFrame, base_macs: int, limits: tuple[float, float], circled: bool) -> None:
    dress(ax)
    trials = table[table["kind"] == "trial"]
    points = _points(trials)
    front, survivor = (trials["rank"] == 1).to_numpy(), trials["survivor"].to_numpy() & circled
    base, narrow = trials["base"].to_numpy(), _narrow(trials).to_numpy()
    macs, top1 = points.T
    log_x(ax, macs.min() / 1.06, macs.max() * 1.06)
    ax.set_xlabel("MACs (M)")
    ax.set_ylabel("top-1 (%)")
    ax.set_ylim(*limits)
    lines = [_draw_predicted(ax, table[table["kind"] == kind], *look) for kind, look in _LOOKS.items()]
    ax.plot(macs[~front], top1[~front], "o", ms=3, mfc=FAINT, mec="white", mew=0.3)
    # up to the next trial's MACs nothing better is known than the trial before it
    steps_x, steps_y = np.append(macs[front], macs.max() * 1.06), np.append(top1[front], top1[front][-1:])
    ax.plot(steps_x, steps_y, drawstyle="steps-post", color=BLUE, lw=0.6 * LINE, zorder=2.5)
    ax.plot(macs[front], top1[front], "o", ms=3.6, mfc=BLUE, mec="white", mew=0.3, zorder=3)
    ax.plot(macs[survivor], top1[survivor], "o", ms=6, mfc="none", mec=MUTED, mew=0.6, zorder=3)
    ax.plot(macs[narrow], top1[narrow], "s", ms=3.6, mfc=PURPLE, mec="white", mew=0.4, zorder=3.5)
    ax.plot(macs[base], top1[base], "^", ms=6.5, mfc=GREEN, mec="white", mew=0.6, zorder=4)
    _add_ratio_axis(ax, base_macs)
    corners = np.column_stack([np.repeat(steps_x, 2)[1:], np.repeat(steps_y, 2)[:-1]])
    root(ax).draw_without_rendering()
    labels = [
        Label("base", points[base], GREEN),
        *(Label(text, line, color) for line, (color, _, text) in zip(lines, _LOOKS.values(), strict=True)),
        Label("front, measured", points[front], BLUE),
        Label(f"Pareto set ({survivor.sum()})", points[survivor], MUTED),
    ]
    marks = [along(ax, *line.T) for line in (corners, *lines) if len(line)]
    place_labels(ax, [label for label in labels if len(label.anchors)], np.concatenate([points, *marks]))


def _draw_predicted(ax: Axes, rows: pd.DataFrame, color: str, dashes: Any, _: str) -> FloatArray:
    """Draw a line and its band, and return the line's points."""
    line = _points(rows)
    ax.fill_between(line[:, 0], percent(rows["low"]), percent(rows["high"]), color=color, alpha=0.12, lw=0)
    ax.plot(*line.T, color=color, lw=LINE, ls=dashes, zorder=2.7)
    return line


def _narrow(table: pd.DataFrame) -> pd.Series[bool]:
    """Tell which rows are trials that differ from the base in width alone."""
    return (table["kind"] == "trial") & table["width_only"] & ~table["base"]


def _points(table: pd.DataFrame) -> FloatArray:
    """Return MACs (M) and top-1 (%), (n, 2) float64."""
    return np.column_stack([table["macs"] / MILLION, percent(table["top1"])]).astype(np.float64)


def _add_ratio_axis(ax: Axes, base_macs: int) -> None:
    """Write c above the axes."""
    unit = base_macs / MILLION
    above = ax.secondary_xaxis("top", functions=(lambda macs: np.divide(macs, unit), lambda c: np.multiply(c, unit)))
    dress(above)
    low, high = ax.get_xlim()
    log_ticks(above.xaxis, low / unit, high / unit)
    above.spines["top"].set_visible(True)
    above.set_xlabel("MACs / base MACs, $c$")
