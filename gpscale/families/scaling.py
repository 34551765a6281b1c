"""The largest member of a family at or under a budget, found among all members on a path of growth."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gpscale.errors import BudgetError, UnknownNameError
from gpscale.factors import Factors
from gpscale.families.base import Architecture, Base, Family, Integers, parse_base
from gpscale.units import format_macs, parse_macs

_COMPOUND = {"resolution": 1.15, "ir_depth": 1.2, "vit_depth": 1.2, "width": 1.1}
_MACS_PER_STEP = math.log(_COMPOUND["ir_depth"] * _COMPOUND["width"] ** 2 * _COMPOUND["resolution"] ** 2)

PATHS = {
    "width": {"width": 1.0},
    "resolution": {"resolution": 1.0},
    "depth": {"ir_depth": 1.0, "vit_depth": 1.0},
    "compound": {name: math.log(growth) / _MACS_PER_STEP for name, growth in _COMPOUND.items()},
}
"""What each way of scaling does: factor = t to the power of its exponent. Compound is EfficientNet's, with t near c.

Source: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (2019), section 3.3.
"""

_SMALLEST, _LARGEST = 1 / 16, 8.0  # of each factor


@dataclasses.dataclass(frozen=True)
class Scaled:
    """A member of a family scaled to a budget.

    Attributes:
        base: What was scaled.
        by: How: a key of `PATHS`.
        architecture: The member.
        factors: Its realised factors.
        macs: Multiply-accumulates of one image.
        params: Number of parameters.
    """

    base: Base
    by: str
    architecture: Architecture
    factors: Factors
    macs: int
    params: int


def scale_to(
    family: Family, macs: str | float, by: str = "width", *, base: Base | str | None = None, num_classes: int = 1000
) -> Scaled:
    """Return the largest member of `family` at or under a budget of MACs.

    Every member on the path is counted: the factors that `by` names grow together from the base's, each rounded as the
    family rounds, over all pixel sizes that it takes. Each stays within 1/16 and 8.

    Args:
        family: The family.
        macs: Multiply-accumulates of one image, a number or a string such as `"300M"`.
        by: `"width"`, `"resolution"`, `"depth"` or `"compound"`.
        base: What to scale, or its name; by default the stock base whose MACs are nearest the budget, as a ratio, of
            those that can be brought under it.
        num_classes: Outputs of the classifier.

    Returns:
        The member; of several with the same MACs the one with the larger factors.

    Raises:
        BudgetError: The smallest member is above the budget.
        UnknownNameError: `by` is not known, or `base` is no base of the family.

    Example:
        >>> from gpscale.families import get
        >>> scaled = scale_to(get("mobilenetv2"), "200M", by="width", base="mobilenetv2_100@224")
        >>> scaled.macs <= 200_000_000
        True
    """
    if by not in PATHS:
        raise UnknownNameError.of("way of scaling", by, PATHS)
    budget = parse_macs(macs)
    if isinstance(base, str):
        base = parse_base(base)
    if base is not None and base.family != family.name:
        raise UnknownNameError.of(f"base of {family.name}", base.name, family.stock_bases)
    smallest: list[tuple[int, str]] = []
    for tried in _by_nearness(family, budget, num_classes) if base is None else [base]:
        rows, _ = members(family, tried, PATHS[by])
        counts, params = family.count(rows, num_classes)
        fitting = np.flatnonzero(counts <= budget)
        if len(fitting):
            best = int(fitting[np.flatnonzero(counts[fitting] == counts[fitting].max())[-1]])
            return Scaled(
                base=tried,
                by=by,
                architecture=family.architecture(rows[best]),
                factors=Factors(*family.realised(tried, rows[best : best + 1])[0].tolist()),
                macs=int(counts[best]),
                params=int(params[best]),
            )
        smallest.append((int(counts.min()), tried.name))
    least, name = min(smallest)
    others = ", ".join(way for way in PATHS if way != by)
    raise BudgetError(
        f"no {family.name if base is None else base.name} scaled by {by} fits {format_macs(budget)} MACs; the smallest "
        f"has {format_macs(least)} ({name}). Raise the budget, or scale by {others}."
    )


def _by_nearness(family: Family, budget: float, num_classes: int) -> list[Base]:
    bases = [parse_base(name) for name in family.stock_bases]
    counts = family.count(np.stack([family.row(base.architecture) for base in bases]), num_classes)[0]
    return [bases[place] for place in np.abs(np.log(counts / budget)).argsort(kind="stable")]


def members(
    family: Family, base: Base, exponents: Mapping[str, float], pixel_step: int = 1
) -> tuple[Integers, NDArray[np.float64]]:
    """Return every member on a path, from the smallest factors to the largest.

    Args:
        family: The family.
        base: The member at t = 1.
        exponents: What the path does: factor = t to the power of its exponent, positive; absent factors stay 1.
        pixel_step: Pixel sizes are multiples of it.

    Returns:
        Rows of integers, (n, k), and the t of each, (n,) float64, ascending: the geometric middle of the span of t in
        which it is the member.
    """
    steps = {name: _steps(family, base, name, pixel_step) ** (1 / exponent) for name, exponent in exponents.items()}
    ends = np.array(sorted({step for part in steps.values() for step in part.tolist()}))
    # between two steps nothing changes; beyond the last nothing is known to
    times = np.sqrt(ends[:-1] * ends[1:]) if len(ends) > 1 else np.ones(1)
    times = times[(times >= max(part[0] for part in steps.values())) & (times <= min(p[-1] for p in steps.values()))]
    rows = np.repeat(family.row(base.architecture)[None], len(times), axis=0)
    for name, exponent in exponents.items():
        rows[:, family.columns[name]] = family.realise(base, name, times**exponent, pixel_step)
    return rows, times


def _steps(family: Family, base: Base, name: str, pixel_step: int) -> NDArray[np.float64]:
    """Return where the realisation of a factor changes, ascending, with both ends of its range, shape (m,)."""
    values = family.level_values(base, name, _SMALLEST, _LARGEST, pixel_step)
    low, high = values[:-1].copy(), values[1:].copy()
    left = family.realise(base, name, low, pixel_step)
    for _ in range(48):  # each of two neighbours holds on its side of one point
        middle = (low + high) / 2
        below = (family.realise(base, name, middle, pixel_step) == left).all(axis=1)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.concatenate([[_SMALLEST], high, [_LARGEST]])
