"""Whether two measurements of the same trials put them in the same order."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from gpscale.units import Z95

BINS = 3
"""Bins of c of about equal numbers of trials."""

_FIELLER = 0.437
_FEWEST_FOR_INTERVAL = 5


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Kendall's tau between two rankings of n trials.

    Attributes:
        n: Trials.
        tau: 1 for equal orders, -1 for opposite ones (tau-b).
        p_value: Chance of a tau at least as far from 0 if one ranking said nothing of the other; exact without ties.
        low, high: Ends of the 95 % interval; None with fewer than five trials.
    """

    n: int
    tau: float
    p_value: float
    low: float | None
    high: float | None


@dataclasses.dataclass(frozen=True)
class Bin:
    """Trials of about equal c.

    Attributes:
        c_low, c_high: Smallest and largest c among them.
        n: Trials.
        concordant, discordant: Pairs that both measurements put in the same order, and in opposite ones.
    """

    c_low: float
    c_high: float
    n: int
    concordant: int
    discordant: int


@dataclasses.dataclass(frozen=True)
class BinnedAgreement:
    """Kendall's tau over pairs of trials from the same bin of c, where size alone does not decide.

    Attributes:
        tau: Concordant minus discordant pairs, over all pairs inside bins.
        pairs: Pairs inside bins.
        bins: The bins, by rising c.
    """

    tau: float
    pairs: int
    bins: tuple[Bin, ...]


def agreement(first: NDArray[np.float64], second: NDArray[np.float64]) -> Agreement | None:
    """Compare two rankings.

    The interval is that of a normal atanh(tau) with variance 0.437 / (n - 4); a tau of 1 or -1 counts half a pair
    less there, which leaves it an interval too.

    Args:
        first: (n,) float64, one measurement of each trial, any unit.
        second: (n,) float64, another.

    Returns:
        None where there is nothing to rank: fewer than two trials, or all equal.

    Source: Fieller, Hartley and Pearson 1957, "Tests for rank correlation coefficients I".

    Example:
        >>> agreement(np.array([0.1, 0.2, 0.3]), np.array([0.5, 0.6, 0.7])).tau
        1.0
    """
    from scipy.stats import kendalltau

    n = len(first)
    if n < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    found = kendalltau(first, second)
    tau = round(float(found.statistic), 12)
    low = high = None
    if n >= _FEWEST_FOR_INTERVAL:
        farthest = 1 - 1 / (n * (n - 1) / 2)
        z, error = np.arctanh(np.clip(tau, -farthest, farthest)), Z95 * np.sqrt(_FIELLER / (n - 4))
        low, high = min(float(np.tanh(z - error)), tau), max(float(np.tanh(z + error)), tau)
    return Agreement(n, tau, float(found.pvalue), low, high)


def agreement_within_bins(
    c: NDArray[np.float64], first: NDArray[np.float64], second: NDArray[np.float64]
) -> BinnedAgreement | None:
    """Compare two rankings among trials of about equal c.

    Args:
        c: (n,) float64, > 0, reduction factors; their terciles are the bins.
        first: (n,) float64, one measurement of each trial, any unit.
        second: (n,) float64, another.

    Returns:
        None where no bin has two trials.
    """
    bins = []
    for rows in np.array_split(np.argsort(c, kind="stable"), BINS):
        signs = np.sign(np.subtract.outer(first[rows], first[rows]) * np.subtract.outer(second[rows], second[rows]))
        above = signs[np.triu_indices(len(rows), 1)]
        if len(rows):
            concordant, discordant = int((above > 0).sum()), int((above < 0).sum())
            bins.append(Bin(float(c[rows[0]]), float(c[rows[-1]]), len(rows), concordant, discordant))
    pairs = sum(bin.n * (bin.n - 1) // 2 for bin in bins)
    if not pairs:
        return None
    return BinnedAgreement(sum(bin.concordant - bin.discordant for bin in bins) / pairs, pairs, tuple(bins))
