"""Designs at fixed MACs: one factor (figures 4 and 5 of the method paper) or two (figures 6 and 7) vary.

A named factor compensates, so that every architecture costs about the same; the others stay at the base.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gpscale.errors import FactorError
from gpscale.factors import FACTOR_NAMES, check_factor_name
from gpscale.families import Integers
from gpscale.sampling.base import Band, register
from gpscale.search_space import SearchSpace


@register
@dataclasses.dataclass(frozen=True)
class Line:
    """Vary one factor over all its levels at fixed MACs.

    Attributes:
        factor: The one that varies: resolution, ir_depth, vit_depth or width.
        compensate: What closes the MACs: one other factor, or several.
        c: MACs to hold, over the base's.
        tolerance: Largest relative distance from them.

    Raises:
        UnknownNameError: `factor` or `compensate` is no factor.
        FactorError: They are the same, or a number is not positive.
    """

    factor: str = "resolution"
    compensate: str | tuple[str, ...] = "width"
    c: float = 1.0
    tolerance: float = 0.03

    name: ClassVar[str] = "line"
    fixed_macs: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_factors((self.factor,), _names(self.compensate))
        _check_positive(c=self.c, tolerance=self.tolerance)

    def feasible(self, space: SearchSpace, band: Band) -> SearchSpace:
        """Return, for each level of the factor, the architecture that comes closest to the MACs by compensation."""
        return _closed(space, (self.factor,), _names(self.compensate), self.c, self.tolerance)

    def draw(self, feasible: SearchSpace, count: int, generator: np.random.Generator) -> Integers:
        """Return up to `count` distinct indices into `feasible`, int64: the ends first, then halving the gaps."""
        order = np.argsort(feasible.factors[:, FACTOR_NAMES.index(self.factor)], kind="stable")
        return order[_halving_order(len(order))][:count]


@register
@dataclasses.dataclass(frozen=True)
class Grid:
    """Vary two factors on a lattice at fixed MACs.

    Attributes:
        factors: The two that vary.
        compensate: What closes the MACs: one other factor, or several.
        shape: Lattice points along each factor, evenly spaced between its bounds, moved to the nearest level.
        c: MACs to hold, over the base's.
        tolerance: Largest relative distance from them; lattice points that cannot be closed are left out.

    Raises:
        UnknownNameError: A name is no factor.
        FactorError: Two of the names are the same, the lattice has no points, or a number is not positive.
    """

    factors: tuple[str, str] = ("resolution", "width")
    compensate: str | tuple[str, ...] = ("ir_depth", "vit_depth")
    shape: tuple[int, int] = (6, 6)
    c: float = 1.0
    tolerance: float = 0.03

    name: ClassVar[str] = "grid"
    fixed_macs: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_pair("factors", self.factors, "two factors that vary", '("resolution", "width")')
        _check_factors(tuple(self.factors), _names(self.compensate))
        _check_pair("shape", self.shape, "two whole numbers of at least 2", "(6, 6)")
        if not all(isinstance(points, int) and points >= 2 for points in self.shape):
            raise FactorError(
                f"`shape` must be two whole numbers of at least 2. Got {self.shape!r}. Take (6, 6), for example."
            )
        _check_positive(c=self.c, tolerance=self.tolerance)

    def feasible(self, space: SearchSpace, band: Band) -> SearchSpace:
        """Return, for each lattice point, the architecture that comes closest to the MACs by compensation."""
        bounds = space.bounds.to_dict()
        lattice = {
            name: np.linspace(*bounds[name], points) for name, points in zip(self.factors, self.shape, strict=True)
        }
        return _closed(space, tuple(self.factors), _names(self.compensate), self.c, self.tolerance, lattice)

    def draw(self, feasible: SearchSpace, count: int, generator: np.random.Generator) -> Integers:
        """Return up to `count` distinct indices into `feasible`, int64, in a random order."""
        return generator.permutation(len(feasible))[:count]


def _names(compensate: str | Iterable[str]) -> tuple[str, ...]:
    names = tuple(compensate) if isinstance(compensate, list | tuple) else (compensate,)
    if not names:
        raise FactorError(f"`compensate` must name at least one factor. Got none. Known: {', '.join(FACTOR_NAMES)}.")
    return names


def _check_pair(option: str, value: object, rule: str, example: str) -> None:
    if not (isinstance(value, list | tuple) and len(value) == 2):
        raise FactorError(f"`{option}` must be {rule}. Got {value!r}. Take {example}, for example.")


def _check_positive(**options: object) -> None:
    for option, value in options.items():
        if not (isinstance(value, int | float) and 0 < value < math.inf):
            raise FactorError(f"`{option}` must be a positive number. Got {value!r}. Leave it out for the default.")


def _check_factors(vary: tuple[str, ...], compensate: tuple[str, ...]) -> None:
    names = [check_factor_name(name) for name in (*vary, *compensate)]
    if len(set(names)) < len(names):
        raise FactorError(
            f"the factors that vary and the one that compensates must differ. Got {', '.join(names)}. "
            f"Known: {', '.join(FACTOR_NAMES)}."
        )


def _closed(
    space: SearchSpace,
    vary: tuple[str, ...],
    compensate: tuple[str, ...],
    c: float,
    tolerance: float,
    lattice: dict[str, NDArray[np.float64]] | None = None,
) -> SearchSpace:
    """Return one architecture for each combination of levels of `vary`, closed by `compensate`, others at the base."""
    columns = {name: space.factors[:, FACTOR_NAMES.index(name)] for name in FACTOR_NAMES}
    keep = np.abs(space.c / c - 1) <= tolerance
    for name in FACTOR_NAMES:
        if name not in (*vary, *compensate):
            keep &= columns[name] == 1.0
    rows = np.flatnonzero(keep)
    levels = {name: np.unique(columns[name]) for name in vary}
    if lattice is not None:
        levels = {name: _snapped(levels[name], lattice[name]) for name in vary}
    chosen = []
    for combination in itertools.product(*(levels[name] for name in vary)):
        here = rows[_all_equal((columns[name][rows] for name in vary), combination)]
        if len(here):
            chosen.append(here[np.argmin(np.abs(space.c[here] - c))])
    picked = np.unique(np.array(chosen, dtype=np.int64))
    return space.take(picked)


def _snapped(levels: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.unique([levels[np.argmin(np.abs(levels - value))] for value in wanted])


def _all_equal(columns: Iterable[NDArray[np.float64]], values: tuple[float, ...]) -> NDArray[np.bool_]:
    equal = [column == value for column, value in zip(columns, values, strict=True)]
    return np.asarray(np.logical_and.reduce(equal), dtype=np.bool_)


def _halving_order(count: int) -> Integers:
    """Return 0..count-1 ordered so that every prefix is spread: both ends, then the middle of the widest gap."""
    order = [0, count - 1][: max(0, min(count, 2))]
    while len(order) < count:
        taken = sorted(order)
        gaps = [(right - left, -left) for left, right in itertools.pairwise(taken)]
        width, left = max(gaps)
        order.append(-left + width // 2)
    return np.array(order, dtype=np.int64)
