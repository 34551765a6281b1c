"""Uniform draws from the feasible set."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from gpscale.families import Integers
from gpscale.sampling.base import Band, register
from gpscale.search_space import SearchSpace


@register
@dataclasses.dataclass(frozen=True)
class Random:
    """Draw architectures inside the band, all alike, without replacement."""

    name: ClassVar[str] = "random"
    fixed_macs: ClassVar[bool] = False

    def feasible(self, space: SearchSpace, band: Band) -> SearchSpace:
        """Return the architectures inside the band."""
        return space.feasible(band.low * space.base_macs, band.high * space.base_macs)

    def draw(self, feasible: SearchSpace, count: int, generator: np.random.Generator) -> Integers:
        """Return `count` distinct indices into `feasible`, int64, shape (count,)."""
        return generator.permutation(len(feasible))[:count]
