"""What a sampler is, and how to add one.

A sampler draws architectures from the feasible part of a `SearchSpace`. To add one: write `sampling/<name>.py` with a
class that has a `name` and `draw`, decorate it with `@register`, import it in `sampling/__init__.py`, and list its
options as fields of the class; the contract tests then run over it.

The contract: no duplicates, the same generator state gives the same draw, and the first k of a draw of n are the draw
of k (prefix-stable), so that a sweep can be lengthened.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Protocol

import numpy as np

from gpscale import families
from gpscale.errors import SpaceError, UnknownNameError
from gpscale.families import Architecture, Integers
from gpscale.search_space import SearchSpace
from gpscale.units import format_macs

END_TOLERANCE = 0.03
"""How close to an end of the band its own architecture must be."""


@dataclasses.dataclass(frozen=True)
class Band:
    """Lowest and highest reduction factor c of a sweep, both included.

    Raises:
        SpaceError: `low` is not positive, or not below `high`.

    Example:
        >>> Band(low=0.3).high
        1.1
    """

    low: float = 0.2
    high: float = 1.1

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high:
            raise SpaceError(f"`band` needs 0 < low < high. Got low={self.low}, high={self.high}. Swap or widen them.")


class Sampler(Protocol):
    """Draws architectures from a feasible set.

    Example:
        >>> sampler: Sampler = make("sobol")
        >>> space = SearchSpace.enumerate("mobilevitv2_050@64", num_classes=10)
        >>> len(sampler.feasible(space, Band(0.2, 1.1))) < len(space)
        True
    """

    name: ClassVar[str]
    fixed_macs: ClassVar[bool]

    def feasible(self, space: SearchSpace, band: Band) -> SearchSpace:
        """Return the part of the space that this sampler may draw from."""
        ...

    def draw(self, feasible: SearchSpace, count: int, generator: np.random.Generator) -> Integers:
        """Return up to `count` distinct indices into `feasible`, int64, fewer only where no more exist."""
        ...


_SAMPLERS: dict[str, type[Any]] = {}


def register(sampler: type[Any]) -> type[Any]:
    """Add a sampler class to the registry (decorator)."""
    _SAMPLERS[sampler.name] = sampler
    return sampler


def names() -> list[str]:
    """Return the names of all samplers.

    Example:
        >>> "sobol" in names()
        True
    """
    return sorted(_SAMPLERS)


def make(name: str, **options: Any) -> Sampler:
    """Make a sampler.

    Args:
        name: Its name in the registry.
        options: The fields of its class.

    Raises:
        UnknownNameError: No sampler, or none of its options, has that name.

    Example:
        >>> make("line", factor="width", compensate="resolution")
        Line(factor='width', compensate='resolution', c=1.0, tolerance=0.03)
    """
    if name not in _SAMPLERS:
        raise UnknownNameError.of("sampler", name, _SAMPLERS)
    known = [field.name for field in dataclasses.fields(_SAMPLERS[name])]
    for option in options:
        if option not in known:
            raise UnknownNameError.of(f"option of sampler {name!r}:", option, known)
    sampler: Sampler = _SAMPLERS[name](**options)
    return sampler


def plan(space: SearchSpace, sampler: Sampler, count: int, *, band: Band, seed: int) -> list[Architecture]:
    """Choose the architectures of a sweep.

    First the base, then (unless the sampler works at fixed MACs) one architecture near each end of the band, then the
    sampler's draw. A longer plan begins with the shorter one.

    Args:
        space: The whole space.
        sampler: Draws the rest.
        count: Architectures in all, at least 1.
        band: Reduction factors to cover.
        seed: Fixes the draw.

    Returns:
        `count` distinct architectures.

    Raises:
        SpaceError: The band holds no architecture, or fewer than `count`.

    Example:
        >>> space = SearchSpace.enumerate("mobilevitv2_050@64", num_classes=10)
        >>> [architecture.pixels for architecture in plan(space, make("sobol"), 4, band=Band(), seed=0)]
        [64, 48, 64, 96]
    """
    feasible = sampler.feasible(space, band)
    if not len(feasible):
        raise SpaceError(
            f"the band must hold at least one architecture. Between {format_macs(band.low * space.base_macs)} and "
            f"{format_macs(band.high * space.base_macs)} MACs of base {space.base.name} there is none that sampler "
            f"{sampler.name!r} may draw; the bounds reach from {format_macs(space.macs[0])} to "
            f"{format_macs(space.macs[-1])}. Widen `band` or `space`."
        )
    family = families.get(space.base.family)
    first = [family.row(space.base.architecture)]
    if not sampler.fixed_macs:
        first += [feasible.integers[_near_end(feasible, band, end)] for end in (band.low, band.high)]
    indices = sampler.draw(feasible, min(count, len(feasible)), np.random.default_rng(seed))
    rows = np.concatenate([np.stack(first), feasible.integers[indices]])
    _, kept = np.unique(rows, axis=0, return_index=True)
    chosen = rows[np.sort(kept)]
    if len(chosen) < count:
        raise SpaceError(
            f"`trials` must not exceed the architectures there are. Sampler {sampler.name!r} has {len(chosen)} to "
            f"offer. Got trials={count}. Ask for at most {len(chosen)}, or widen `space` or `band`."
        )
    return [family.architecture(row) for row in chosen[:count]]


def _near_end(feasible: SearchSpace, band: Band, end: float) -> int:
    """Return the index of the architecture most like the base among those within 3 % of an end of the band."""
    gap = np.abs(feasible.c / end - 1)
    near = np.flatnonzero(gap <= max(END_TOLERANCE, float(gap.min())))
    distance = (feasible.log_factors[near] ** 2).sum(axis=1)
    return int(near[np.argmin(distance)])
