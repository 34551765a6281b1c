"""What trainings of several rules' picks say: means, paired differences, a verdict.

All arms of a validation are trained with the same seeds and scored on the same test images, so that differences are
paired: a seed's data order and an image's difficulty fall on both sides. What is left has two sources:

    seeds   a = sum over budgets b of s_b^2 / n_b / B^2
    images  c = max(0, v - w) / I

s_b^2 is the variance of the n_b seeds' means at one of B budgets, v that over the I images of their means over seeds
and budgets, and w the part of v that is a seed's luck with single images, which s_b^2 holds already. Half of the 95 %
interval is sqrt(t^2 a + z^2 c): Student's t of the seeds' degrees of freedom for the one, the normal quantile for the
other. A bootstrap of seeds and images together is too wide with many seeds and too narrow with few. The budgets are
those that were asked for and are not drawn.

This takes the luck of a seed as independent between budgets, but for pairs of the very same trainings at two of them,
which are the same luck: their terms are summed before they are squared. Where it is so, the interval holds the truth in
about 95 % of cases (more of them with two seeds, which tell little). Where a seed favours one rule at all budgets, or
one side alone has the same training at several, it holds it in fewer. A second interval, by seed, takes nothing as
independent but seeds: each seed's mean over the budgets is one value, as if there were one budget. It has n - 1 degrees
of freedom and not about B (n - 1), so it is the wider one where the first is right; it is known where each seed has
every budget.

Source: Graybill and Wang, "Confidence Intervals on Nonnegative Linear Combinations of Variances" (1980), whose idea the
half width is; Satterthwaite, "An Approximate Distribution of Estimates of Variance Components" (1946), for the degrees
of freedom; Holm, "A Simple Sequentially Rejective Multiple Test Procedure" (1979).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.sparse.csgraph import connected_components
from scipy.stats import norm, t

LEVEL = 0.05
_LEAST_P = 1e-12

Verdict = Literal["better", "worse", "tie", ""]
"""Empty where chance was not measured."""

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
        mean: Mean over the budgets of the mean difference of top-1 over the pairs at each, a fraction of images: where
            pairs are missing, budgets and not pairs have equal weight.
        low, high: Ends of its 95 % interval over seeds and test images; NaN where a budget has one pair alone.
        low_by_seed, high_by_seed: Ends of the interval that does not take the luck of a seed as independent between
            budgets; NaN with one budget, which needs none, with one seed, and where a seed lacks a budget.
        p_value: Two-sided, of no difference, as `low` and `high`; NaN where these are.
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
    low_by_seed: float
    high_by_seed: float
    p_value: float
    wins: int
    ties: int
    losses: int
    coinciding: int

    @property
    def verdict(self) -> Verdict:
        """`"better"` or `"worse"` where the interval leaves 0 out, else `"tie"`; empty where there is no interval."""
        return _verdict(self.low, self.high)

    @property
    def verdict_by_seed(self) -> Verdict:
        """As `verdict`, of the interval by seed."""
        return _verdict(self.low_by_seed, self.high_by_seed)

    def verdict_at(self, p_corrected: float) -> Verdict:
        """Return the verdict as one of several comparisons.

        Args:
            p_corrected: The p-value, corrected for their number; NaN for the primary one, which needs no correction.
        """
        return "tie" if self.verdict and p_corrected >= LEVEL else self.verdict

    def __str__(self) -> str:
        if math.isnan(self.low):
            return f"{100 * self.mean:+.2f} points, a budget has one pair alone: no interval"
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
    budgets, seeds = np.array(pairs).T
    each = matrix.mean(axis=1)
    mean, spread = _mean_and_spread(matrix, budgets, [(id(own[pair]), id(its[pair])) for pair in pairs])
    half = math.nan if spread is None else spread.half_width(LEVEL)
    by_seed = _spread_by_seed(matrix, budgets, seeds)
    half_by_seed = math.nan if by_seed is None else by_seed.half_width(LEVEL)
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
        low_by_seed=mean - half_by_seed,
        high_by_seed=mean + half_by_seed,
        p_value=math.nan if spread is None else spread.p_value(mean),
        wins=wins,
        ties=len(pairs) - wins - losses,
        losses=losses,
        coinciding=sum(own[pair] is its[pair] for pair in pairs),
    )


def _verdict(low: float, high: float) -> Verdict:
    if math.isnan(low):
        return ""
    if low > 0:
        return "better"
    return "worse" if high < 0 else "tie"


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
    mean, spread = _mean_and_spread(matrix, np.zeros(len(matrix), dtype=np.int64), range(len(matrix)))
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


def _mean_and_spread(
    matrix: NDArray[np.int8] | NDArray[np.float64], budgets: NDArray[np.int64], trainings: Sequence[Hashable]
) -> tuple[float, _Spread | None]:
    """Return the mean over budgets of the means over seeds, and how sure it is.

    Args:
        matrix: One row a training or pair of trainings, one column a test image, (n, images).
        budgets: Of each row, (n,).
        trainings: Of each row, what it shares with those of the same trainings at other budgets alone.

    Returns:
        The spread is None where a budget has one row alone.
    """
    rows = [np.flatnonzero(budgets == budget) for budget in np.unique(budgets)]
    groups = [matrix[own].astype(np.float64) for own in rows]
    images = np.mean([group.mean(axis=0) for group in groups], axis=0)
    mean = float(images.mean())
    if min(map(len, groups)) < 2:
        return mean, None
    shared = [{trainings[row] for row in own.tolist()} for own in rows]
    common = np.array([[len(one & other) for other in shared] for one in shared])
    weights = np.array([1 / len(group) / len(groups) for group in groups])
    stds = weights * [group.mean(axis=1).std(ddof=1) for group in groups]
    _, blocks = connected_components(common)
    # budgets that share trainings know no more of chance than one of them
    terms = [
        (stds[block] @ common[np.ix_(block, block)] @ stds[block], min(len(groups[place]) for place in block) - 1)
        for block in (np.flatnonzero(blocks == number) for number in np.unique(blocks))
    ]
    seeds = float(sum(term for term, _ in terms))
    # without any spread, any number of degrees will do
    degrees = seeds**2 / sum(float(term) ** 2 / freedom for term, freedom in terms) if seeds else 1.0
    by_image = weights[:, None] * [group.std(axis=0, ddof=1) for group in groups]
    luck = float((by_image * (common @ by_image)).sum(axis=0).mean())
    return mean, _Spread(seeds, max(0.0, float(images.var(ddof=1)) - luck) / images.size, degrees)


def _spread_by_seed(matrix: NDArray[np.int8], budgets: NDArray[np.int64], seeds: NDArray[np.int64]) -> _Spread | None:
    """Return how sure the mean is if nothing but seeds is independent.

    Args:
        matrix: As in `_mean_and_spread`.
        budgets: Of each row, (n,).
        seeds: Of each row, (n,).

    Returns:
        None with one budget or one seed, and where a seed lacks a budget.
    """
    distinct, count = np.unique(seeds), len(np.unique(budgets))
    if count < 2 or len(seeds) < count * len(distinct):
        return None
    means = np.stack([matrix[seeds == seed].mean(axis=0) for seed in distinct])
    return _mean_and_spread(means, np.zeros(len(means), dtype=np.int64), range(len(means)))[1]
