"""A slice against an iso-MAC profile: what a factor seems to do, and what it does at a price."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from gpscale.explore.controls import choose_factor, choose_macs, choose_outcome, hold_factor, macs_of
from gpscale.explore.live import LiveFigure
from gpscale.explore.marks import accuracy_limits, held_text, keep_title, title
from gpscale.explore.panel import Panel
from gpscale.plotting.labels import FACTOR_LABELS, OUTCOME_LABELS, FloatArray, percent
from gpscale.plotting.look import BLUE, INK, LINE, caption, dress, new_figure, style
from gpscale.plotting.mac_contours import Costs
from gpscale.plotting.slices import choose_names, fading, held, trial_crosses, varying_names
from gpscale.study import Study
from gpscale.surrogate.surface import Surface
from gpscale.surrogate.views import SurfaceLine, SurfaceProfile
from gpscale.units import Z95, format_macs

NEAR = 0.1
"""Trials whose MACs differ from a profile's by at most this share are drawn with it."""

_HEIGHT = 3.0


def slice_and_profile(study: Study, factor: str | None = None) -> Panel:
    """Show one factor twice, side by side: along a slice, where MACs vary, and at equal MACs.

    On the left the other factors stay where their sliders stand. On the right MACs stay, and at each level of the
    factor the other three are the best that the surface knows for what is left.

    Args:
        study: A study with a surface over all four factors.
        factor: To begin with; None takes the first that varies.

    Returns:
        Controls `factor`, `outcome`, `macs` (millions, of the profile), and one by the name of each factor (the slice).

    Raises:
        FitError: The surface has fewer factors, or `factor` did not vary.
        UnknownNameError: `factor` is no factor.

    Example:
        >>> panel = slice_and_profile(Study("quickstart"), "width")
        >>> panel.controls["macs"].value = 3.0
    """
    return _SliceAndProfile(study, factor).panel


class _SliceAndProfile:
    def __init__(self, study: Study, factor: str | None) -> None:
        self._study = study
        surface = study.joint_surface()
        (name,) = choose_names(surface, None if factor is None else (factor,), 1)
        names = varying_names(surface)
        surface.line(name, 2)
        study.iso_macs(name, study.base.macs)
        self._factor, self._outcome = choose_factor("factor", names, name), choose_outcome(study)
        self._macs = choose_macs(study, "profile at")
        self._sliders = {other: hold_factor(surface, other) for other in surface.names if other in names}
        self._costs = Costs(study.space)
        self._still = functools.lru_cache(maxsize=8)(self._draw_still)
        controls = {"factor": self._factor, "outcome": self._outcome, "macs": self._macs, **self._sliders}
        self.panel = Panel(f"slice and iso-MAC profile of {study.name}", controls, self._draw)

    def _draw(self) -> tuple[bytes, str]:
        factor, outcome = self._factor.value, self._outcome.value
        for name, slider in self._sliders.items():
            slider.layout.display = "none" if name == factor else None
        live, left, right = self._still(factor, outcome)
        surface = self._study.joint_surface(outcome)
        fixed = {**held(surface), **{name: slider.value for name, slider in self._sliders.items()}}
        macs = macs_of(self._study, self._macs)
        profile = self._study.iso_macs(factor, macs, outcome=outcome)
        with style():
            slice_ = self._draw_slice(left, surface, surface.line(factor, fixed=fixed))
            return live.png([*slice_, *self._draw_profile(right, profile, macs)]), ""

    def _draw_still(self, factor: str, outcome: str) -> tuple[LiveFigure, Axes, Axes]:
        study, name = self._study, OUTCOME_LABELS[outcome]
        surface = study.joint_surface(outcome)
        with style():
            figure = new_figure(2, _HEIGHT)
            caption(
                figure,
                f"{study.name}, {len(surface.values)} trials. Left: slice of the joint {name} surface, crosses are "
                "trials, fainter the farther they are from the slice. Right: the best that the surface promises at "
                f"equal MACs, crosses are trials within {NEAR:.0%} of them. 95 % bands of the surface",
            )
            left, right = figure.subplots(1, 2, sharex=True, sharey=True)
            for ax in (left, right):
                dress(ax)
                ax.set_xlabel(f"{FACTOR_LABELS[factor]} (base = 1)")
                keep_title(ax, lines=2)
            low, high = surface.bounds[factor]
            left.set_xlim(low - 0.03 * (high - low), high + 0.03 * (high - low))
            left.set_ylim(*accuracy_limits(surface))
            left.set_ylabel(f"{name} (%)")
            return LiveFigure(figure), left, right

    def _draw_slice(self, ax: Axes, surface: Surface, line: SurfaceLine) -> Iterator[Artist]:
        yield ax.fill_between(line.x, *_band(line), color=BLUE, alpha=0.25, lw=0)
        yield from ax.plot(line.x, percent(line.mean), color=BLUE, lw=LINE)
        trials = np.column_stack([line.observations, percent(surface.values)])
        yield trial_crosses(ax, trials, fading(surface, line.fixed), INK)
        c = np.interp(line.x[[0, -1]], self._costs.levels[line.name], self._costs.over((line.name,), line.fixed))
        yield title(ax, f"slice at {held_text(line.fixed)}\n$c$ grows from {c[0]:.2f} to {c[1]:.2f}")

    def _draw_profile(self, ax: Axes, profile: SurfaceProfile, macs: int) -> Iterator[Artist]:
        yield ax.vlines(profile.levels, *_band(profile), color=BLUE, alpha=0.25, lw=4)
        yield from ax.plot(profile.levels, percent(profile.mean), "o-", ms=3.6, color=BLUE, lw=LINE)
        trials = trials_near(self._study.finished, macs)
        yield from ax.plot(trials[profile.name], percent(trials[profile.outcome]), "x", ms=4, mew=1, color=INK)
        c = macs / self._study.base.macs
        yield title(ax, f"iso-MAC profile\n{format_macs(macs)} MACs, $c$ = {c:.2f}")


def _band(view: SurfaceLine | SurfaceProfile) -> tuple[FloatArray, FloatArray]:
    """Return both ends of the 95 % band of the surface, percent."""
    reach = Z95 * view.std
    return percent(view.mean - reach), percent(view.mean + reach)


def trials_near(finished: pd.DataFrame, macs: int) -> pd.DataFrame:
    """Return the trials of about as many MACs.

    Args:
        finished: `Study.finished`.
        macs: Multiply-accumulates of one image.
    """
    return finished[(finished["macs"] / macs - 1).abs() <= NEAR]
