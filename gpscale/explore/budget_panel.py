"""From a budget on a slider to the architecture to build, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import get_args

import ipywidgets
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from gpscale.explore.controls import choose_macs, macs_of, macs_range
from gpscale.explore.live import LiveFigure
from gpscale.explore.panel import Panel
from gpscale.plotting import plot_front, plot_rule
from gpscale.plotting.labels import MILLION, PERCENT
from gpscale.plotting.look import INK, SMALL, halo, new_figure, style
from gpscale.recommender import Method, Recommendation
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
            self._front = left.add_subplot()
            plot_front(study, ax=self._front)
            plot_rule(study, figure=right, columns=1)
            self._factors = right.axes
            self._widen()
            self._live = LiveFigure(figure)
        controls = {"macs": self._macs, "method": self._method}
        self.panel = Panel(f"recommendations of {study.name}", controls, self._draw)

    def _recommend(self, macs: int, method: str) -> Recommendation:
        return self._study.recommend(macs, base=self._study.base.name, method=method)

    def _draw(self) -> tuple[bytes, str]:
        pick = self._recommend(macs_of(self._study, self._macs), self._method.value)
        with style():
            picture = self._live.png([*_on_the_front(self._front, pick), *_on_the_rule(self._factors, pick)])
        return picture, pick._repr_html_()

    def _widen(self) -> None:
        """Make room on the front for every interval that the controls can lead to."""
        budgets = np.geomspace(*macs_range(self._study), _BUDGETS).round()
        picks = [self._recommend(int(macs), method) for macs in budgets for method in get_args(Method)]
        ends = [end * PERCENT for pick in picks if pick.top1 for end in (pick.top1.low, pick.top1.high)]
        low, high = self._front.get_ylim()
        self._front.set_ylim(min(low, *ends), max(high, *ends))


def _on_the_front(ax: Axes, pick: Recommendation) -> Iterator[Artist]:
    assert pick.top1, "a study predicts top-1 for its own base and classes"
    macs, mean = pick.macs / MILLION, pick.top1.mean * PERCENT
    yield ax.axvline(pick.budget / MILLION, color=INK, lw=0.8, ls=(0, (4, 2)))
    yield ax.vlines(macs, pick.top1.low * PERCENT, pick.top1.high * PERCENT, color=INK, lw=1.6)
    yield from ax.plot([macs], [mean], "D", ms=5.5, mfc=PICK, mec=INK, mew=0.8)
    # towards the middle, so that the text stays on the panel
    right = ax.transAxes.inverted().transform(ax.transData.transform((macs, mean)))[0] > 0.5
    yield ax.annotate(
        f"predicted {mean:.1f} %\n95 %: {pick.top1.low * PERCENT:.1f} to {pick.top1.high * PERCENT:.1f}",
        (pick.budget / MILLION, 0),
        xycoords=ax.get_xaxis_transform(),
        xytext=(-4 if right else 4, 4),
        textcoords="offset points",
        ha="right" if right else "left",
        fontsize=SMALL,
        path_effects=halo(),
    )


def _on_the_rule(panels: Sequence[Axes], pick: Recommendation) -> Iterator[Artist]:
    for ax, value in zip(panels, pick.factors, strict=True):
        yield ax.axvline(pick.budget / MILLION, color=INK, lw=0.8, ls=(0, (4, 2)))
        yield from ax.plot([pick.macs / MILLION], [value], "D", ms=5.5, mfc=PICK, mec=INK, mew=0.8, clip_on=False)
