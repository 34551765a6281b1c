"""What trainings of several rules' picks say: means, paired differences, a verdict.

All arms of a validation are trained with the same seeds and scored on the same test images, so that differences are
paired: a seed's data order and an image's difficulty fall on both sides. Intervals come from a bootstrap of both at
once: seeds are drawn with replacement within each budget, test images over all budgets together (through the normal
distribution of means over so many images). Deviations of the seed weights are stretched by sqrt(n / (n - 1)), without
which few seeds would seem surer than they are. The budgets are those that were asked for and are not drawn.

Source: Davison and Hinkley, "Bootstrap Methods and their Application" (1997), section 2.3 (the variance that resampling
n values gives is (n - 1) / n of theirs); Holm, "A Simple Sequentially Rejective Multiple Test Procedure" (1979).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 4000
LEVEL = 0.05

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


def difference(ours: str, theirs: str, arms: Mapping[str, Arm], seed: int = 0) -> Difference | None:
    """Compare two rules at all budgets and seeds that both have.

    Args:
        ours: Name of a rule.
        theirs: Name of another.
        arms: Trainings by rule; trainings that were shared are the same array.
        seed: Of the bootstrap.

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
    replicates = _replicates(matrix, budgets, seed)
    low, high = (math.nan, math.nan) if replicates is None else np.quantile(replicates, (LEVEL / 2, 1 - LEVEL / 2))
    # equal numbers of images may differ by rounding
    wins, losses = int((each > 1e-12).sum()), int((each < -1e-12).sum())
    return Difference(
        ours=ours,
        theirs=theirs,
        budgets=len(set(budgets.tolist())),
        trainings=len(pairs),
        mean=_mean_over_budgets(each, budgets),
        low=float(low),
        high=float(high),
        p_value=math.nan if replicates is None else _p_value(replicates),
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


def interval(hits: Mapping[int, Hits], seed: int = 0) -> tuple[float, float, float]:
    """Return the mean top-1 of one pick over its seeds, and the ends of its 95 % interval over seeds and images.

    Args:
        hits: By seed.
        seed: Of the bootstrap.

    Returns:
        Fractions; ends are NaN with one seed.
    """
    matrix = np.stack([hits[one].astype(np.int8) for one in sorted(hits)])
    replicates = _replicates(matrix, np.zeros(len(matrix), dtype=np.int64), seed)
    mean = float(matrix.mean())
    if replicates is None:
        return mean, math.nan, math.nan
    low, high = np.quantile(replicates, (LEVEL / 2, 1 - LEVEL / 2))
    return mean, float(low), float(high)


def _mean_over_budgets(each: NDArray[np.float64], budgets: NDArray[np.int64]) -> float:
    """Return the mean over budgets of the means over seeds."""
    return float(np.mean([each[budgets == budget].mean() for budget in np.unique(budgets)]))


def _replicates(matrix: NDArray[np.int8], budgets: NDArray[np.int64], seed: int) -> NDArray[np.float64] | None:
    """Return the mean under each resampling, (RESAMPLES,) float64; None where a budget has one training alone.

    Args:
        matrix: One row a training, one column a test image, (n, images).
        budgets: Of each row, (n,).
        seed: Of the generator.
    """
    groups = [np.flatnonzero(budgets == budget) for budget in np.unique(budgets)]
    if min(len(group) for group in groups) < 2:
        return None
    generator = np.random.default_rng(seed)
    count, images = matrix.shape
    values = matrix.astype(np.float64)
    # means over so many resampled images are normal; their covariance is that of the trainings over the images
    spread, axes = np.linalg.eigh(np.atleast_2d(np.cov(values, bias=True)) / images)
    deviations = (generator.standard_normal((RESAMPLES, count)) * np.sqrt(spread.clip(min=0))) @ axes.T
    weights = np.zeros((RESAMPLES, count))
    for group in groups:
        n = len(group)
        drawn = generator.multinomial(n, np.full(n, 1 / n), size=RESAMPLES) / n
        weights[:, group] = (1 / n + (drawn - 1 / n) * math.sqrt(n / (n - 1))) / len(groups)
    return np.asarray((weights * (values.mean(axis=1) + deviations)).sum(axis=1), dtype=np.float64)


def _p_value(replicates: NDArray[np.float64]) -> float:
    """Return twice the smaller share of replicates on either side of 0, at least one of all."""
    below, above = float((replicates <= 0).mean()), float((replicates >= 0).mean())
    return max(min(1.0, 2 * min(below, above)), 1 / len(replicates))
