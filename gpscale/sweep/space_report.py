"""What a sweep's search space holds, and what its bounds and its band exclude."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpscale import families
from gpscale.factors import FACTOR_NAMES
from gpscale.search_space import SearchSpace
from gpscale.sweep.config import SweepConfig


def describe_space(config: SweepConfig, num_classes: int) -> dict[str, Any]:
    """Describe a sweep's search space as JSON values.

    Args:
        config: The sweep.
        num_classes: Classes to count with.

    Returns:
        Numbers of architectures (within the bounds, in, below and above the band, drawable by the sampler), for each
        factor its bounds, its realised levels and those that are never in the band (each run of adjacent ones), and
        the staircases: what each step of one factor costs with the others at the base.
    """
    space = config.search_space(num_classes)
    low, high = (end * space.base_macs for end in (config.band.low, config.band.high))
    feasible = space.feasible(low, high)
    return {
        "base": config.base,
        "base_macs": space.base_macs,
        "num_classes": num_classes,
        "band_macs": [low, high],
        "architectures": len(space),
        "feasible": len(feasible),
        "drawable": len(config.sampler.make().feasible(space, config.sampling_band)),
        "below": int((space.macs < low).sum()),
        "above": int((space.macs > high).sum()),
        "base_inside": all(low <= 1 <= high for low, high in config.space.bounds.to_dict().values()),
        "factors": {
            name: _factor(space, feasible, position, config.space.bounds.to_dict()[name])
            for position, name in enumerate(FACTOR_NAMES)
        },
        "staircases": _staircases(space, config),
    }


def _factor(space: SearchSpace, feasible: SearchSpace, position: int, bounds: tuple[float, float]) -> dict[str, Any]:
    levels = np.unique(space.factors[:, position])
    used = np.unique(feasible.factors[:, position])
    return {
        "bounds": list(bounds),
        "realised": [float(levels[0]), float(levels[-1])],
        "levels": len(levels),
        "in_band": [float(used[0]), float(used[-1])] if len(used) else None,
        "never_in_band": _runs(levels, ~np.isin(levels, used)),
    }


def _runs(levels: NDArray[np.float64], chosen: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Return each run of adjacent chosen levels: its ends, and how many levels it has.

    Args:
        levels: Ascending, (n,).
        chosen: Which of them, (n,).
    """
    ends = np.flatnonzero(np.diff(chosen, prepend=False, append=False)).reshape(-1, 2)
    return [
        {"low": float(levels[first]), "high": float(levels[after - 1]), "levels": int(after - first)}
        for first, after in ends
    ]


def _staircases(space: SearchSpace, config: SweepConfig) -> dict[str, list[Mapping[str, Any]]]:
    """Return, for each factor, the levels in order with MACs over the base's, the other factors at the base."""
    family = families.get(space.base.family)
    own = family.row(space.base.architecture)
    result: dict[str, list[Mapping[str, Any]]] = {}
    keys = {"resolution": "pixels", "ir_depth": "ir_blocks", "vit_depth": "vit_layers", "width": "width"}
    for name, (low, high) in config.space.bounds.to_dict().items():
        values = family.level_values(space.base, name, low, high, space.pixel_step)
        integers = family.realise(space.base, name, values, space.pixel_step)
        rows = np.repeat(own[None], len(values), axis=0)
        rows[:, family.columns[name]] = integers
        macs = family.count(rows, space.num_classes)[0]
        result[keys[name]] = [
            {"value": " ".join(map(str, row)), "macs_share": float(count / space.base_macs)}
            for row, count in zip(integers, macs, strict=True)
        ]
    return result
