"""The front: top-1 against MACs of all finished trials."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES
from gpscale.plotting.base import Columns, StudyLike, is_base
from gpscale.plotting.labels import MILLION, PERCENT, Label, along, place_labels
from gpscale.plotting.look import (
    BLUE,
    FAINT,
    GREEN,
    LINE,
    RED,
    caption,
    dress,
    log_ticks,
    log_x,
    new_figure,
    root,
    style,
)

_HEIGHTS: dict[Columns, float] = {1: 2.7, 2: 3.6}


def front_data(study: StudyLike) -> pd.DataFrame:
    """Tabulate the finished trials and their standing.

    Returns:
        One row a finished trial, ordered by MACs: `id`, `macs` (multiply-accumulates of one image), `c` (over the
        base's), `top1` (a fraction), the four realised factors, `rank` (1 = dominated by none, 0 = outside the band or
        not above the floor), `survivor` (in the Pareto set), `base` (is the base model).

    Raises:
        FitError: The study has no Pareto set.
    """
    pareto = study.facts["pareto"]
    if pareto is None:
        raise FitError(
            f"A front needs a study with a Pareto set. Study {study.name!r} has none: {study.facts['rule_missing']}"
        )
    table = study.finished[["id", "macs", "c", "top1", *FACTOR_NAMES]].copy()
    table["rank"] = table["id"].map(pareto["ranks"]).astype(int)
    table["survivor"] = table["id"].isin(pareto["survivors"])
    table["base"] = is_base(table)
    return table.sort_values(["macs", "top1"], ignore_index=True)


def plot_front(study: StudyLike, ax: Axes | None = None, columns: Columns = 1) -> Figure:
    """Draw top-1 against MACs: all trials, the front as a step line, the Pareto set, the base.

    Args:
        study: A study with a Pareto set.
        ax: Where to draw; None makes a figure.
        columns: Width of that figure.

    Raises:
        FitError: The study has no Pareto set.
    """
    table = front_data(study)
    with style():
        if ax is None:
            figure = new_figure(columns, _HEIGHTS[columns])
            ax = figure.add_subplot()
            caption(figure, f"{study.name}: {len(table)} trials, base {study.base.name}")
        _draw(ax, table, study.base.macs)
        return root(ax)


def _draw(ax: Axes, table: pd.DataFrame, base_macs: int) -> None:
    dress(ax)
    macs, top1 = table["macs"].to_numpy(dtype=float) / MILLION, table["top1"].to_numpy(dtype=float) * PERCENT
    front, survivor, base = (table["rank"] == 1).to_numpy(), table["survivor"].to_numpy(), table["base"].to_numpy()
    log_x(ax, macs.min() / 1.06, macs.max() * 1.06)
    ax.set_xlabel("MACs (M)")
    ax.set_ylabel("top-1 (%)")
    ax.margins(y=0.08)
    ax.plot(macs[~front], top1[~front], "o", ms=3, mfc=FAINT, mec="white", mew=0.3)
    # up to the next trial's MACs nothing better is known than the trial before it
    steps_x, steps_y = np.append(macs[front], macs.max() * 1.06), np.append(top1[front], top1[front][-1:])
    ax.plot(steps_x, steps_y, drawstyle="steps-post", color=BLUE, lw=LINE, zorder=2.5)
    ax.plot(macs[front], top1[front], "o", ms=3.6, mfc=BLUE, mec="white", mew=0.3, zorder=3)
    ax.plot(macs[survivor], top1[survivor], "o", ms=6, mfc="none", mec=RED, mew=0.8, zorder=3)
    ax.plot(macs[base], top1[base], "^", ms=6.5, mfc=GREEN, mec="white", mew=0.6, zorder=4)
    _add_ratio_axis(ax, base_macs)
    corners = np.column_stack([np.repeat(steps_x, 2)[1:], np.repeat(steps_y, 2)[:-1]])
    root(ax).draw_without_rendering()
    line, points = along(ax, *corners.T), np.column_stack([macs, top1])
    labels = [
        Label("base", points[base], GREEN),
        Label("front", points[front], BLUE),
        Label(f"Pareto set ({survivor.sum()})", points[survivor], RED),
    ]
    place_labels(ax, [label for label in labels if len(label.anchors)], np.concatenate([points, line]))


def _add_ratio_axis(ax: Axes, base_macs: int) -> None:
    """Write c above the axes."""
    unit = base_macs / MILLION
    above = ax.secondary_xaxis("top", functions=(lambda macs: np.divide(macs, unit), lambda c: np.multiply(c, unit)))
    dress(above)
    low, high = ax.get_xlim()
    log_ticks(above.xaxis, low / unit, high / unit)
    above.spines["top"].set_visible(True)
    above.set_xlabel("MACs / base MACs, $c$")
