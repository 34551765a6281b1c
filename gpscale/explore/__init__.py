"""Widgets for notebooks: move a slider, see the study answer.

`contours`, `slice_and_profile` and `budget` each return a `Panel`: controls above a picture. On a page that cannot run
it a panel is the picture it showed last. `show` calls anything of these, or any other method of a study, and where the
study's design does not give it returns the reason instead of raising.

Names are loaded when first used, and need ipywidgets: `pip install "gpscale[notebook]"`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gpscale.errors import MissingPackageError

if TYPE_CHECKING:
    from gpscale.explore.budget_panel import budget
    from gpscale.explore.contour_panel import contours
    from gpscale.explore.panel import Panel
    from gpscale.explore.profile_panel import slice_and_profile
    from gpscale.explore.reason import Reason, show

__all__ = ["Panel", "Reason", "budget", "contours", "show", "slice_and_profile"]

_HOMES = {
    "Panel": "panel",
    "Reason": "reason",
    "budget": "budget_panel",
    "contours": "contour_panel",
    "show": "reason",
    "slice_and_profile": "profile_panel",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != "ipywidgets":
            raise
        raise MissingPackageError.of("gpscale.explore", "ipywidgets", "notebook") from None
