"""The controls of panels: which values they can take, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Sequence

import ipywidgets

from gpscale.plotting.labels import FACTOR_LABELS, MILLION, OUTCOME_LABELS
from gpscale.study import Study
from gpscale.surrogate.surface import Surface
from gpscale.trial import OUTCOMES

_STEPS = 100
_WIDE = {"description_width": "initial"}
_SLIDER = {"width": "420px"}


def label(factor: str) -> str:
    """Return what a control writes for a factor, for example `"width w"`."""
    return FACTOR_LABELS[factor].replace("$", "")


def choose_factor(text: str, names: Sequence[str], chosen: str) -> ipywidgets.Dropdown:
    """Make a choice between factors.

    Args:
        text: What is chosen.
        names: The factors.
        chosen: The first choice.
    """
    return ipywidgets.Dropdown(
        options=[(label(name), name) for name in names], value=chosen, description=text, style=_WIDE
    )


def choose_outcome(study: Study) -> ipywidgets.ToggleButtons:
    """Make a choice between the outcomes of which the study has a surface."""
    there = [name for name in OUTCOMES if study.facts["diagnostics"][name] is not None]
    return ipywidgets.ToggleButtons(
        options=[(OUTCOME_LABELS[name], name) for name in there], style={"button_width": "6em"}
    )


def hold_factor(surface: Surface, name: str) -> ipywidgets.FloatSlider:
    """Make a slider over the observed values of a factor, at the base or as near to it as they come."""
    low, high = surface.bounds[name]
    return ipywidgets.FloatSlider(
        value=min(max(1.0, low), high),
        min=low,
        max=high,
        step=0.01,
        readout_format=".2f",
        description=f"{label(name)} held at",
        style=_WIDE,
        layout=_SLIDER,
    )


def choose_macs(study: Study, text: str, c: float = 0.5) -> ipywidgets.FloatLogSlider:
    """Make a slider over the MACs of the study's finished trials, in millions.

    Args:
        study: A fitted study.
        text: What the MACs are.
        c: Where it starts, as a share of the base's MACs, or as near to it as the trials come.
    """
    low, high = macs_range(study)
    first, last = math.log10(low / MILLION), math.log10(high / MILLION)
    return ipywidgets.FloatLogSlider(
        value=min(max(c * study.base.macs, low), high) / MILLION,
        base=10,
        min=first,
        max=last,
        step=(last - first) / _STEPS,
        readout_format=".1f",
        description=f"{text} (M MACs)",
        style=_WIDE,
        layout=_SLIDER,
    )


def macs_range(study: Study) -> tuple[int, int]:
    """Return the lowest and the highest MACs inside the span of the study's finished trials."""
    low, high = (share * study.base.macs for share in study.facts["c_range"])
    return math.ceil(low), math.floor(high)


def macs_of(study: Study, slider: ipywidgets.FloatLogSlider) -> int:
    """Return the MACs at which a slider of `choose_macs` stands, never outside `macs_range`."""
    low, high = macs_range(study)
    macs: float = slider.value * MILLION
    return min(max(round(macs), low), high)
