"""gpscale: which resolution, depth and width should a MobileViTV2 have for a budget of multiply-accumulates?

    import gpscale
    print(gpscale.recommend(macs="500M"))

The public names, and the modules of the package, are loaded when they are first used, so that importing the package
imports nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from gpscale.errors import GpscaleError
    from gpscale.factors import Bounds, Factors
    from gpscale.recommendation import Recommendation
    from gpscale.recommender import recommend
    from gpscale.search_space import SearchSpace
    from gpscale.study import Study
    from gpscale.sweep import SweepConfig

_HOMES = {
    "Bounds": "gpscale.factors",
    "Factors": "gpscale.factors",
    "GpscaleError": "gpscale.errors",
    "Recommendation": "gpscale.recommendation",
    "SearchSpace": "gpscale.search_space",
    "Study": "gpscale.study",
    "SweepConfig": "gpscale.sweep",
    "recommend": "gpscale.recommender",
}

__all__ = [
    "Bounds",
    "Factors",
    "GpscaleError",
    "Recommendation",
    "SearchSpace",
    "Study",
    "SweepConfig",
    "recommend",
]


def __getattr__(name: str) -> Any:
    import importlib

    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    try:
        return importlib.import_module(f"gpscale.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"gpscale.{name}":
            raise
        raise AttributeError(f"module 'gpscale' has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
