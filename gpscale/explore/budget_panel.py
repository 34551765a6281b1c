"""From a budget on a slider to the architecture to build, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import get_args

import ipywidgets
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.text import Text

from gpscale.explore.controls import choose_macs, macs_of, macs_range
from gpscale.explore.live import LiveFigure
from gpscale.explore.panel import Panel
from gpscale.plotting import front_data, plot_front, plot_rule
from gpscale.plotting.front import front_caption
from gpscale.plotting.labels import MILLION, percent
from gpscale.plotting.look import INK, SMALL, caption, new_figure, style
from gpscale.recommendation import Method, Recommendation
from gpscale.study import Study

PICK = "#F0E442"
"""Yellow of Okabe and Ito: the recommendation."""

_HEIGHT = 3.6
_BUDGETS = 25


def budget(study: Study) -> Panel:
    """Show what to build for a budget: on the front with the predicted top-1, beside the rule, and in a table.

    Args:
        study: A study with a rule.

    Returns:
        Controls `macs` (millions) and `method`; `text` is the recommendation's table.

    Raises:
        FitError: The study has no rule.

    Example:
        >>> panel = budget(Study("quickstart"))
        >>> panel.controls["macs"].value = 3.0
        >>> "95 % interval" in panel.text.value
        True
    """
    return _Budget(study).panel


class _Budget:
    def __init__(self, study: Study) -> None:
        self._study = study
        self._macs = choose_macs(study, "budget")
        self._method = ipywidgets.ToggleButtons(options=get_args(Method), style={"button_width": "7em"})
        with style():
            figure = new_figure(2, _HEIGHT)
            place = figure.add_gridspec(1, 2, width_ratios=(1, 1.15))
            left, right = figure.add_subfigure(place[0]), figure.add_subfigure(place[1])
            ends = self._ends()
            told = front_caption(study, front_data(study), ends)
            caption(left, f"{told}; diamond: what to build, predicted, with the 95 % interval of one training")
            self._front = left.add_subplot()
            # inside the panel the prediction would hide trials
            self._below = left.supxlabel(" ", fontsize=SMALL)
            plot_front(study, ax=self._front, also=ends)
            plot_rule(study, figure=right, columns=1)
            self._factors = right.axes
            self._live = LiveFigure(figure)
        controls = {"macs": self._macs, "method": self._method}
        self.panel = Panel(f"recommendations of {study.name}", controls, self._draw)

    def _recommend(self, macs: int, method: str) -> Recommendation:
        return self._study.recommend(macs, base=self._study.base.name, method=method)

    def _draw(self) -> tuple[bytes, str]:
        pick = self._recommend(macs_of(self._study, self._macs), self._method.value)
        with style():
            front = _on_the_front(self._front, self._below, pick)
            picture = self._live.png([*front, *_on_the_rule(self._factors, pick)])
        return picture, pick._repr_html_()

    def _ends(self) -> list[float]:
        """Return the lowest and the highest end of all intervals that the controls can lead to, fractions."""
        budgets = np.geomspace(*macs_range(self._study), _BUDGETS).round()
        picks = [self._recommend(int(macs), method) for macs in budgets for method in get_args(Method)]
        ends = [end for pick in picks if pick.top1 for end in (pick.top1.low, pick.top1.high)]
        return [min(ends), max(ends)]


def _on_the_front(ax: Axes, below: Text, pick: Recommendation) -> Iterator[Artist]:
    assert pick.top1, "a study predicts top-1 for its own base and classes"
    labels = list(ax.texts)
    macs, (low, mean, high) = pick.macs / MILLION, percent([pick.top1.low, pick.top1.mean, pick.top1.high])
    yield ax.axvline(pick.budget / MILLION, color=INK, lw=0.8, ls=(0, (4, 2)))
    yield ax.vlines(macs, low, high, color=INK, lw=1.6)
    # both lines pass behind what is written
    yield from labels
    yield from ax.plot([macs], [mean], "D", ms=5.5, mfc=PICK, mec=INK, mew=0.8)
    yield ax.annotate(
        f"predicted {mean:.1f} %, 95 %: {low:.1f} to {high:.1f}",
        (0.5, 0),
        xycoords=below,
        ha="center",
        va="bottom",
        fontsize=SMALL,
    )


def _on_the_rule(panels: Sequence[Axes], pick: Recommendation) -> Iterator[Artist]:
    for ax, value in zip(panels, pick.factors, strict=True):
        yield ax.axvline(pick.budget / MILLION, color=INK, lw=0.8, ls=(0, (4, 2)))
        yield from ax.plot([pick.macs / MILLION], [value], "D", ms=5.5, mfc=PICK, mec=INK, mew=0.8, clip_on=False)
