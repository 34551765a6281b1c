"""The default sampler: a scrambled Sobol sequence carried onto the feasible set."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from gpscale.families import Integers
from gpscale.sampling.base import Band, register
from gpscale.search_space import SearchSpace

_FIRST_WINDOW = 0.01


@register
@dataclasses.dataclass(frozen=True)
class Sobol:
    """Spread evenly in log MACs over the band, then over pixel sizes, then over both depths; width closes the MACs.

    Each Sobol point (four coordinates in [0, 1)) becomes one architecture by conditioning. The first coordinate sets
    the MACs, which leaves the architectures within about 1 % of them; the second picks one of their pixel sizes, all
    alike, so that only sizes which few MACs allow are rarer over the whole band; the third and fourth pick the levels
    of the two depths closest to an even spread in log-factors over what is left. What then remains differs in width,
    and the one closest to the MACs is taken. Architectures already taken are left out from the start, so nothing is
    ever rejected.
    """

    name: ClassVar[str] = "sobol"
    fixed_macs: ClassVar[bool] = False

    def feasible(self, space: SearchSpace, band: Band) -> SearchSpace:
        """Return the architectures inside the band."""
        return space.feasible(band.low * space.base_macs, band.high * space.base_macs)

    def draw(self, feasible: SearchSpace, count: int, generator: np.random.Generator) -> Integers:
        """Return `count` distinct indices into `feasible`, int64, shape (count,)."""
        log_macs = np.log(feasible.macs)
        span = max(float(log_macs[-1] - log_macs[0]), np.finfo(float).tiny)
        # a power of two keeps the balance of the sequence; its prefix does not depend on how many are drawn
        sequence = qmc.Sobol(d=4, scramble=True, rng=generator).random_base2(max(1, int(np.ceil(np.log2(count + 1)))))
        free = np.ones(len(feasible), dtype=bool)
        chosen = np.empty(count, dtype=np.int64)
        for position, point in enumerate(sequence[:count]):
            target = float(log_macs[0] + point[0] * span)
            candidates = _window(log_macs, free, target)
            for factor, quantile in ((0, point[1]), (1, point[2]), (2, point[3])):
                levels = feasible.log_factors[candidates, factor]
                candidates = candidates[levels == _level(levels, float(quantile), by_rank=factor == 0)]
            closest = candidates[np.argmin(np.abs(log_macs[candidates] - target))]
            chosen[position] = closest
            free[closest] = False
        return chosen


def _window(log_macs: NDArray[np.float64], free: NDArray[np.bool_], target: float) -> Integers:
    """Return the free indices with log MACs near `target`, in the narrowest window that holds one."""
    width = _FIRST_WINDOW
    while True:
        low, high = np.searchsorted(log_macs, [target - width, target + width])
        found = np.arange(low, high, dtype=np.int64)[free[low:high]]
        if len(found):
            return found
        width *= 2


def _level(values: NDArray[np.float64], quantile: float, *, by_rank: bool) -> float:
    """Return the level at `quantile` of the distinct values: by rank, or closest on their scale."""
    levels = np.unique(values)
    if by_rank:
        return float(levels[int(quantile * len(levels))])
    wanted = levels[0] + quantile * (levels[-1] - levels[0])
    return float(levels[np.argmin(np.abs(levels - wanted))])
