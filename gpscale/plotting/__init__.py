"""Figures of a study: one look, one file a figure.

Each figure is a pure `<name>_data(study)`, which returns a table, and a `plot_<name>(study)`, which returns a
matplotlib `Figure` that belongs to no window. Nothing here touches matplotlib's backend, and its settings only inside
`style()`. Names are loaded when first used: matplotlib is slow to import.

>>> from gpscale.plotting import FIGURES
>>> "front" in FIGURES
True
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpscale.plotting.base import StudyLike
    from gpscale.plotting.catalogue import FIGURES
    from gpscale.plotting.curves import curves_data, plot_curves
    from gpscale.plotting.diagnostics import diagnostics_data, plot_diagnostics
    from gpscale.plotting.files import draw_all
    from gpscale.plotting.front import front_data, plot_front
    from gpscale.plotting.iso_macs import iso_macs_data, plot_iso_macs
    from gpscale.plotting.line import line_data, plot_line
    from gpscale.plotting.look import style
    from gpscale.plotting.regret import plot_regret, regret_data
    from gpscale.plotting.rule import plot_rule, rule_data
    from gpscale.plotting.staircases import plot_staircases, staircases_data
    from gpscale.plotting.surface import plot_surface, surface_data

__all__ = [
    "FIGURES",
    "StudyLike",
    "curves_data",
    "diagnostics_data",
    "draw_all",
    "front_data",
    "iso_macs_data",
    "line_data",
    "plot_curves",
    "plot_diagnostics",
    "plot_front",
    "plot_iso_macs",
    "plot_line",
    "plot_regret",
    "plot_rule",
    "plot_staircases",
    "plot_surface",
    "regret_data",
    "rule_data",
    "staircases_data",
    "style",
    "surface_data",
]

_MODULES = {"FIGURES": "catalogue", "StudyLike": "base", "draw_all": "files", "style": "look"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # `front_data` and `plot_front` live in front.py
    module = _MODULES.get(name) or name.removeprefix("plot_").removesuffix("_data")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
