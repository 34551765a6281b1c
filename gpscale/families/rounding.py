"""Rounding of real factors to the integers that get built. Numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

CHANNEL_DIVISOR = 8
_SHRINK_LIMIT = 0.9


def round_half_up(values: ArrayLike) -> NDArray[np.int64]:
    """Round to the nearest integer, halves up.

    Args:
        values: Real numbers, any shape.
    """
    return np.floor(np.asarray(values, dtype=np.float64) + 0.5).astype(np.int64)


def round_channels(values: ArrayLike, divisors: ArrayLike = CHANNEL_DIVISOR) -> NDArray[np.int64]:
    """Round channel numbers to the nearest positive multiple of 8, or of other divisors, that loses at most 10 %.

    Args:
        values: Positive real channel numbers, any shape.
        divisors: What the channels must be multiples of, positive integers, a number or a shape that broadcasts.

    Source: `make_divisible` of the MobileNet reference code, as timm uses it.
    """
    wanted, multiples = np.asarray(values, dtype=np.float64), np.asarray(divisors, dtype=np.int64)
    rounded: NDArray[np.int64] = np.maximum(multiples, multiples * round_half_up(wanted / multiples))
    return np.where(rounded < _SHRINK_LIMIT * wanted, rounded + multiples, rounded)


def channel_steps(nominal: float, low: float, high: float, divisor: int = CHANNEL_DIVISOR) -> NDArray[np.float64]:
    """Return the multipliers in (low, high) at which `round_channels(nominal * multiplier, divisor)` may change.

    Args:
        nominal: Channels at multiplier 1.
        low: Lower end of the multipliers.
        high: Upper end of the multipliers.
        divisor: What the channels are multiples of.

    Returns:
        Sorted multipliers, shape (m,), float64.
    """
    top = int(nominal * high / divisor) + 2
    multiples = divisor * np.arange(top + 1, dtype=np.float64)
    steps = np.concatenate([multiples + divisor / 2, multiples / _SHRINK_LIMIT]) / nominal
    return sorted_distinct(steps[(steps > low) & (steps < high)])


def sorted_distinct(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distinct values, ascending, shape (m,), of an array, shape (n,).

    Unlike `np.unique` it does not load `numpy.ma`, which would take longer than enumerating a space does.
    """
    return np.array(sorted(set(values.tolist())), dtype=np.float64)


def spread_blocks(total: int, base: Sequence[int]) -> tuple[int, ...]:
    """Spread `total` blocks over the stages in the proportions of `base`.

    Largest remainder, ties to the later stage, at least one block a stage.

    Args:
        total: Blocks in all; raised to one per stage if lower.
        base: Blocks per stage of the base model, each positive.

    Returns:
        Blocks per stage; their sum is `max(total, len(base))`.

    Example:
        >>> spread_blocks(9, (1, 2, 1, 1, 1))
        (1, 3, 1, 2, 2)
    """
    whole = sum(base)
    total = max(total, len(base))
    counts = [max(1, blocks * total // whole) for blocks in base]
    # integers: what a stage still lacks, times `whole`, so that ties are exact
    while sum(counts) < total:
        lacks = [
            (blocks * total - count * whole, stage)
            for stage, (blocks, count) in enumerate(zip(base, counts, strict=True))
        ]
        counts[max(lacks)[1]] += 1
    while sum(counts) > total:
        exceeds = [
            (count * whole - blocks * total, -stage)
            for stage, (blocks, count) in enumerate(zip(base, counts, strict=True))
            if count > 1
        ]
        counts[-max(exceeds)[1]] -= 1
    return tuple(counts)
