"""The search space: every distinct architecture inside the bounds, counted exactly.

For MobileViTV2 that is some 10^5 architectures, so the space is enumerated, never sampled by rejection.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gpscale import families
from gpscale.errors import BudgetError, SpaceError
from gpscale.factors import FACTOR_NAMES, Bounds, Factors
from gpscale.families import Architecture, Base, Integers
from gpscale.units import format_macs, parse_macs

BUDGET_SHARE = 0.97
"""A budget counts as used when the MACs are at least this share of it."""

_Array = TypeVar("_Array", bound=NDArray[Any])


@dataclasses.dataclass(frozen=True, eq=False)
class Levels:
    """The distinct realisations of one factor.

    Attributes:
        integers: What each builds, int64, shape (m, columns of the factor).
        factors: The factor that each really is, float64, shape (m,).
    """

    integers: Integers
    factors: NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class SearchSpace:
    """Architectures of one base, in order of their MACs.

    A space is kept and shared by all who enumerate it, so its arrays are read-only.

    Attributes:
        base: The base model.
        bounds: Bounds on the factors that were asked for.
        pixel_step: Pixel sizes are multiples of it.
        num_classes: Outputs of the classifier that is counted.
        levels: For each factor, its distinct realisations.
        codes: Which level of each factor an architecture has, int32, shape (n, 4), columns as `FACTOR_NAMES`.
        macs: Multiply-accumulates of one image, int64, shape (n,), ascending.
        base_macs: The same of the base.

    Example:
        >>> space = SearchSpace.enumerate("mobilevitv2_050@64", num_classes=10)
        >>> architecture, macs = space.nearest(Factors(width=0.8), "20M")
        >>> macs <= 20_000_000
        True
    """

    base: Base
    bounds: Bounds
    pixel_step: int
    num_classes: int
    levels: Mapping[str, Levels]
    codes: NDArray[np.int32]
    macs: Integers
    base_macs: int

    def __len__(self) -> int:
        return len(self.macs)

    def __repr__(self) -> str:
        span = f"{format_macs(self.macs[0])} to {format_macs(self.macs[-1])} MACs" if len(self) else "empty"
        return f"SearchSpace({self.base.name}, {len(self):,} architectures, {span})"

    @functools.cached_property
    def integers(self) -> Integers:
        """Architectures as rows of integers, int64, shape (n, k)."""
        return _read_only(_rows(self.base, self.levels, self.codes))

    @functools.cached_property
    def factors(self) -> NDArray[np.float64]:
        """Realised factors in the order of `FACTOR_NAMES`, float64, shape (n, 4)."""
        columns = [self.levels[name].factors[self.codes[:, position]] for position, name in enumerate(FACTOR_NAMES)]
        return _read_only(np.stack(columns, axis=1))

    @functools.cached_property
    def params(self) -> Integers:
        """Parameters of each architecture, int64, shape (n,)."""
        return _read_only(families.get(self.base.family).count(self.integers, self.num_classes)[1])

    @functools.cached_property
    def log_factors(self) -> NDArray[np.float64]:
        """Natural logarithm of the realised factors, float64, shape (n, 4)."""
        return _read_only(np.log(self.factors))

    @property
    def c(self) -> NDArray[np.float64]:
        """Reduction factors: MACs over the base's, float64, shape (n,)."""
        return self.macs / self.base_macs

    @classmethod
    def enumerate(
        cls,
        base: Base | str,
        bounds: Bounds | None = None,
        *,
        pixel_step: int | None = None,
        num_classes: int = 1000,
    ) -> SearchSpace:
        """Enumerate every distinct architecture of `base` within `bounds`.

        Args:
            base: A base model or its name, for example `"mobilevitv2_050@64"`.
            bounds: Bounds on the requested factors; the defaults of `Bounds` when absent.
            pixel_step: Pixel sizes are multiples of it; must divide the base's pixels. Default: a quarter of them.
            num_classes: Outputs of the classifier.

        Raises:
            SpaceError: The step does not divide the base's pixels, or a factor has no legal value within its bounds.
            UnknownNameError: The base is not known.

        Example:
            >>> len(SearchSpace.enumerate("mobilevitv2_050@64", num_classes=10))
            84084
        """
        base = families.parse_base(base) if isinstance(base, str) else base
        bounds = bounds or Bounds()
        step = check_pixel_step(base, pixel_step)
        return _enumerate(base, bounds, step, num_classes)

    def feasible(self, low: str | float, high: str | float) -> SearchSpace:
        """Return the part of the space with `low <= MACs <= high`.

        Args:
            low: Multiply-accumulates, a number or a string such as `"5M"`.
            high: The same.
        """
        ends = [parse_macs(end) if isinstance(end, str) else end for end in (low, high)]
        first = int(np.searchsorted(self.macs, ends[0], side="left"))
        last = int(np.searchsorted(self.macs, ends[1], side="right"))
        return self.take(slice(first, max(first, last)))

    def take(self, rows: slice | Integers) -> SearchSpace:
        """Return the architectures at `rows`, a slice or ascending indices, int64."""
        return dataclasses.replace(self, codes=self.codes[rows], macs=self.macs[rows])

    def within_budget(self, budget: float, *, share: float = BUDGET_SHARE) -> SearchSpace:
        """Return the architectures that fit a budget and use it; arguments and errors as of `rows_within`."""
        return self.take(self.rows_within(budget, share=share))

    def rows_within(self, budget: float, *, share: float = BUDGET_SHARE) -> slice:
        """Return the rows of the architectures that fit a budget and use at least `share` of it.

        Where nothing uses that much, the share is taken of the largest architecture that fits.

        Args:
            budget: Multiply-accumulates of one image.
            share: Least part of the budget to use, in (0, 1].

        Raises:
            BudgetError: Nothing fits.
        """
        last = int(np.searchsorted(self.macs, budget, side="right"))
        if last == 0:
            smallest = self.macs[0] if len(self) else self.base_macs
            raise BudgetError(
                f"no architecture of {self.base.family} fits {format_macs(budget)} MACs; the smallest in `space` of "
                f"base {self.base.name} has {format_macs(smallest)}. Raise the budget, lower `space.width.low` "
                f"(now {self.bounds.width[0]}), or take a smaller base."
            )
        first = int(np.searchsorted(self.macs, share * budget, side="left"))
        if first == last:
            first = int(np.searchsorted(self.macs, share * float(self.macs[last - 1]), side="left"))
        return slice(first, last)

    def nearest(
        self, factors: Factors, budget: str | float, scale: NDArray[np.float64] | float = 1.0
    ) -> tuple[Architecture, int]:
        """Find the architecture closest to `factors` among those that fit `budget` and use it.

        Args:
            factors: What is wanted.
            budget: Multiply-accumulates of one image, or a string such as `"20M"`.
            scale: Unit of distance in each log-factor, positive, shape (4,) or a number.

        Returns:
            The architecture and its MACs. Never above the budget; ties go to the larger architecture.

        Raises:
            BudgetError: Nothing fits.
        """
        part = self.within_budget(parse_macs(budget))
        index = part.nearest_index(factors, scale)
        return part.architecture(index), int(part.macs[index])

    def nearest_index(self, factors: Factors, scale: NDArray[np.float64] | float = 1.0) -> int:
        """Return the index of the architecture closest to `factors` in log-factors over `scale`, the last on a tie."""
        distance = (((self.log_factors - np.log(np.array(list(factors)))) / scale) ** 2).sum(axis=1)
        return int(np.flatnonzero(distance == distance.min())[-1])

    def architecture(self, index: int) -> Architecture:
        """Return the architecture at an index."""
        return families.get(self.base.family).architecture(self.integers[index])

    def pixels(self) -> Integers:
        """Return the pixels of a side of each architecture, int64, shape (n,)."""
        return np.round(self.factors[:, 0] * self.base.architecture.pixels).astype(np.int64)


def check_pixel_step(base: Base, pixel_step: int | None) -> int:
    """Return the pixel step to use for `base`, its family's default when None.

    Raises:
        SpaceError: The step does not divide the base's pixels.
    """
    if pixel_step is None:
        return families.get(base.family).default_pixel_step(base)
    pixels = base.architecture.pixels
    if pixel_step < 1 or pixels % pixel_step:
        raise SpaceError(
            f"`space.pixel_step` must divide the base's pixels ({pixels}), so that the base itself is legal. "
            f"Got {pixel_step}. Take {pixels // 4 or pixels}, for example."
        )
    return pixel_step


@functools.lru_cache(maxsize=8)
def _enumerate(base: Base, bounds: Bounds, pixel_step: int, num_classes: int) -> SearchSpace:
    family = families.get(base.family)
    own = family.row(base.architecture)
    levels: dict[str, Levels] = {}
    for position, (name, (low, high)) in enumerate(bounds.to_dict().items()):
        values = family.level_values(base, name, low, high, pixel_step)
        if not len(values):
            raise SpaceError(
                f"`space.{name}` must allow at least one architecture. Got [{low}, {high}], which excludes everything "
                f"(pixel step {pixel_step}). Widen the bounds."
            )
        rows = np.repeat(own[None], len(values), axis=0)
        rows[:, family.columns[name]] = family.realise(base, name, values, pixel_step)
        realised = family.realised(base, rows)[:, position]
        levels[name] = Levels(_read_only(rows[:, family.columns[name]]), _read_only(realised))
    grid = _count_product(base, levels, num_classes)
    macs = grid.ravel()
    # equal MACs keep the order of the grid, so that the order is the same everywhere
    order = np.argsort(macs, kind="stable")
    codes = np.stack(np.unravel_index(order, grid.shape), axis=1).astype(np.int32)
    base_macs = int(family.count(own[None], num_classes)[0][0])
    return SearchSpace(
        base, bounds, pixel_step, num_classes, levels, _read_only(codes), _read_only(macs[order]), base_macs
    )


def _count_product(base: Base, levels: Mapping[str, Levels], num_classes: int) -> Integers:
    """Return the MACs of every combination of levels, shape: one axis for each of `FACTOR_NAMES`.

    The two depths add up (`families.base`), so that it is enough to count where one of them is at its lowest.
    """
    shape = [len(levels[name].factors) for name in FACTOR_NAMES]

    def count_face(lowest: str) -> Integers:
        face = [1 if name == lowest else size for name, size in zip(FACTOR_NAMES, shape, strict=True)]
        codes = np.indices(face, dtype=np.int32).reshape(len(face), -1).T
        return families.get(base.family).count(_rows(base, levels, codes), num_classes)[0].reshape(face)

    of_ir, of_vit = count_face("vit_depth"), count_face("ir_depth")
    # both hold the edge where both depths are at their lowest
    return of_ir + of_vit - np.take(of_ir, [0], axis=FACTOR_NAMES.index("ir_depth"))


def _rows(base: Base, levels: Mapping[str, Levels], codes: NDArray[np.int32]) -> Integers:
    """Return the integers, shape (n, k), of codes, shape (n, 4)."""
    family = families.get(base.family)
    # columns of no factor are the base's own
    rows = np.repeat(family.row(base.architecture)[None], len(codes), axis=0)
    for position, name in enumerate(FACTOR_NAMES):
        rows[:, family.columns[name]] = levels[name].integers[codes[:, position]]
    return rows


def _read_only(array: _Array) -> _Array:
    array.flags.writeable = False
    return array
