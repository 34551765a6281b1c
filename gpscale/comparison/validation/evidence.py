"""What trainings of several rules' picks say: means, paired differences, a verdict.

All arms of a validation are trained with the same seeds and scored on the same test images, so that differences are
paired: a seed's data order and an image's difficulty fall on both sides. What is left has two sources:

    seeds   a = sum over budgets b of s_b^2 / n_b / B^2
    images  c = max(0, v - w) / I

s_b^2 is the variance of the n_b seeds' means at one of B budgets, v that over the I images of their means over seeds
and budgets, and w the part of v that is a seed's luck with single images, which s_b^2 holds already. Half of the 95 %
interval is sqrt(t^2 a + z^2 c): Student's t of the seeds' degrees of freedom for the one, the normal quantile for the
other. It holds the truth in about 95 % of cases or more, most of all with two seeds, which tell little; a bootstrap of
seeds and images together is too wide with many seeds and too narrow with few. Seeds are taken as independent between
budgets. The budgets are those that were asked for and are not drawn.

Source: Graybill and Wang, "Confidence Intervals on Nonnegative Linear Combinations of Variances" (1980), whose idea the
half width is; Satterthwaite, "An Approximate Distribution of Estimates of Variance Components" (1946), for the degrees
of freedom; Holm, "A Simple Sequentially Rejective Multiple Test Procedure" (1979).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm, t

LEVEL = 0.05
_LEAST_P = 1e-12

Verdict = Literal["better", "worse", "tie"]

Hits = NDArray[np.bool_]
"""Which test images a training gets right, (images,) bool."""

Arm = Mapping[tuple[int, int], Hits]
"""The trainings of one rule, by budget and seed."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """How much more of the test images one rule gets right than another, at equal budgets.

    Attributes:
        ours, theirs: Names of the rules.
        budgets: Budgets at which both have a pick.
        trainings: Pairs of trainings, one for each of these budgets and seeds.
        mean: Mean difference of top-1 over the pairs, a fraction of images.
        low, high: Ends of its 95 % interval over seeds and test images; NaN with one seed.
        p_value: Two-sided, of no difference; NaN with one seed.
        wins, ties, losses: Pairs in which ours is better, equal, worse.
        coinciding: Pairs in which both rules build the same model, whose difference is 0.
    """

    ours: str
    theirs: str
    budgets: int
    trainings: int
    mean: float
    low: float
    high: float
    p_value: float
    wins: int
    ties: int
    losses: int
    coinciding: int

    @property
    def verdict(self) -> Verdict:
        """`"better"` or `"worse"` where the interval leaves 0 out, else `"tie"`."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "tie"

    def __str__(self) -> str:
        if math.isnan(self.low):
            return f"{100 * self.mean:+.2f} points, one seed: no interval"
        return f"{100 * self.mean:+.2f} points (95 % interval {100 * self.low:+.2f} to {100 * self.high:+.2f})"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; NaN is None."""
        values = dataclasses.asdict(self)
        return {
            key: None if isinstance(value, float) and math.isnan(value) else value for key, value in values.items()
        } | {"verdict": self.verdict}


def difference(ours: str, theirs: str, arms: Mapping[str, Arm]) -> Difference | None:
    """Compare two rules at all budgets and seeds that both have.

    Args:
        ours: Name of a rule.
        theirs: Name of another.
        arms: Trainings by rule; trainings that were shared are the same array.

    Returns:
        The difference; None where no budget has trainings of both.

    Example:
        >>> right, wrong = np.ones(8, bool), np.zeros(8, bool)
        >>> found = difference("a", "b", {"a": {(1, 0): right, (1, 1): right}, "b": {(1, 0): wrong, (1, 1): wrong}})
        >>> found.mean, found.wins, found.verdict
        (1.0, 2, 'better')
    """
    pairs = sorted(arms[ours].keys() & arms[theirs].keys())
    if not pairs:
        return None
    own, its = arms[ours], arms[theirs]
    matrix = np.stack([own[pair].astype(np.int8) - its[pair].astype(np.int8) for pair in pairs])
    budgets = np.array([budget for budget, _ in pairs])
    each = matrix.mean(axis=1)
    mean, spread = _mean_and_spread(matrix, budgets)
    half = math.nan if spread is None else spread.half_width(LEVEL)
    # equal numbers of images may differ by rounding
    wins, losses = int((each > 1e-12).sum()), int((each < -1e-12).sum())
    return Difference(
        ours=ours,
        theirs=theirs,
        budgets=len(set(budgets.tolist())),
        trainings=len(pairs),
        mean=mean,
        low=mean - half,
        high=mean + half,
        p_value=math.nan if spread is None else spread.p_value(mean),
        wins=wins,
        ties=len(pairs) - wins - losses,
        losses=losses,
        coinciding=sum(own[pair] is its[pair] for pair in pairs),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number; NaN stays NaN and is not counted.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, dtype=np.float64)
    corrected = np.full(len(values), math.nan)
    known = np.flatnonzero(np.isfinite(values))
    worst = 0.0
    for place, index in enumerate(known[np.argsort(values[known], kind="stable")]):
        worst = max(worst, min(1.0, float(values[index]) * (len(known) - place)))
        corrected[index] = worst
    return [round(value, 12) for value in corrected.tolist()]


def interval(hits: Mapping[int, Hits]) -> tuple[float, float, float]:
    """Return the mean accuracy of one pick over its seeds, and the ends of its 95 % interval over seeds and images.

    Args:
        hits: By seed.

    Returns:
        Fractions; ends are NaN with one seed.
    """
    matrix = np.stack([hits[one].astype(np.int8) for one in sorted(hits)])
    mean, spread = _mean_and_spread(matrix, np.zeros(len(matrix), dtype=np.int64))
    half = math.nan if spread is None else spread.half_width(LEVEL)
    return mean, mean - half, mean + half


@dataclasses.dataclass(frozen=True)
class _Spread:
    """How far a mean may lie from the truth.

    Attributes:
        seeds, images: Its variance by either source.
        degrees: Degrees of freedom of the first.
    """

    seeds: float
    images: float
    degrees: float

    def half_width(self, level: float) -> float:
        """Return half of the interval that misses the truth in a share `level` of cases."""
        return math.hypot(
            float(t.isf(level / 2, self.degrees)) * math.sqrt(self.seeds),
            float(norm.isf(level / 2)) * math.sqrt(self.images),
        )

    def p_value(self, mean: float) -> float:
        """Return the level at which the interval around `mean` ends at 0: two-sided, at least `_LEAST_P`."""
        if mean == 0:
            return 1.0
        if self.half_width(_LEAST_P) <= abs(mean):
            return _LEAST_P
        return float(brentq(lambda level: self.half_width(level) - abs(mean), _LEAST_P, 1.0))


def _mean_and_spread(matrix: NDArray[np.int8], budgets: NDArray[np.int64]) -> tuple[float, _Spread | None]:
    """Return the mean over budgets of the means over seeds, and how sure it is.

    Args:
        matrix: One row a training, one column a test image, (n, images).
        budgets: Of each row, (n,).

    Returns:
        The spread is None where a budget has one training alone.
    """
    groups = [matrix[budgets == budget].astype(np.float64) for budget in np.unique(budgets)]
    images = np.mean([group.mean(axis=0) for group in groups], axis=0)
    mean = float(images.mean())
    if min(len(group) for group in groups) < 2:
        return mean, None
    weights = [1 / len(group) / len(groups) ** 2 for group in groups]
    terms = [
        (weight * float(group.mean(axis=1).var(ddof=1)), len(group) - 1)
        for weight, group in zip(weights, groups, strict=True)
    ]
    seeds = sum(term for term, _ in terms)
    # without any spread, any number of degrees will do
    degrees = seeds**2 / sum(term**2 / freedom for term, freedom in terms) if seeds else 1.0
    luck = sum(weight * float(group.var(axis=0, ddof=1).mean()) for weight, group in zip(weights, groups, strict=True))
    return mean, _Spread(seeds, max(0.0, float(images.var(ddof=1)) - luck) / images.size, degrees)
