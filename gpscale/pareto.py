"""Which finished trials are worth following: NSGA-III survival on (MACs / base MACs, 1 - top-1).

NSGA-III is an optimiser; finished trials need only its survival step (errata, row 17). It keeps whole non-dominated
ranks as long as they fit, then takes from the first rank that does not fit one by one, those that spread best over the
reference directions. So the survivors go beyond rank 1 where the front is small, and leave some of the front out where
it is large. `ParetoSelection.front` is rank 1, whole.
"""

from __future__ import annotations

import dataclasses
import math
import warnings

import numpy as np
import numpy.typing as npt

from gpscale.errors import FitError

DEFAULT_SHARE = 0.2
DEFAULT_BAND = (0.2, 1.1)

IntArray = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, eq=False)
class ParetoSelection:
    """What NSGA-III survival keeps of n trials.

    Attributes:
        indices: Survivors, (k,) int64, ascending in MACs.
        ranks: Non-dominated rank of every trial, (n,) int64: 1 = dominated by none, 0 = outside the band or not above
            the floor.
        hypervolume: Of the front, in units of base MACs x fraction of images; the reference is `reference`.
        reference: Worst corner: upper end of the band, 1 - floor.
        n_inside: Trials inside the band and above the floor.
        share, band, floor: As given.
    """

    indices: IntArray
    ranks: IntArray
    hypervolume: float
    reference: tuple[float, float]
    n_inside: int
    share: float
    band: tuple[float, float]
    floor: float

    @property
    def front(self) -> IntArray:
        """Trials that no other dominates, (f,) int64, ascending in number."""
        return np.flatnonzero(self.ranks == 1)


def select(
    macs_ratio: npt.ArrayLike,
    top1: npt.ArrayLike,
    *,
    share: float = DEFAULT_SHARE,
    band: tuple[float, float] = DEFAULT_BAND,
    floor: float = 0.0,
) -> ParetoSelection:
    """Keep ceil(share * n_inside) trials: few MACs, high accuracy, spread over the front.

    The result depends on the trials alone: not on their order (where two have equal MACs and accuracy, the earlier
    counts as the first), and not on numpy's global generator.

    Args:
        macs_ratio: MACs over the base's, (n,), > 0; the reduction factor c.
        top1: (n,), fractions in [0, 1].
        share: Share of the trials inside that survives, in (0, 1].
        band: Lowest and highest `macs_ratio`. Eq. 4 leaves the ends out; here they are in, so that a band that ends at
            1 holds the base.
        floor: Accuracy that a trial must exceed; the chance level, say.

    Raises:
        FitError: Fewer than two trials are inside, the arrays do not match, or a setting is not legal.

    Source: Eq. 4 and section 4.4 of the method paper; Deb and Jain 2014, "An Evolutionary Many-Objective Optimization
    Algorithm Using Reference-Point-Based Nondominated Sorting Approach, Part I".
    """
    ratios, accuracies = _checked(macs_ratio, top1, share, band, floor)
    inside = np.flatnonzero((ratios >= band[0]) & (ratios <= band[1]) & (accuracies > floor))
    if len(inside) < 2:
        raise FitError(
            f"A Pareto set needs at least 2 trials with MACs within {band[0]:g} to {band[1]:g} of the base's and top-1 "
            f"above {floor:g}. Got {len(inside)} of {len(ratios)}. Run more trials, train longer, or widen the band."
        )
    inside = inside[np.lexsort((-accuracies[inside], ratios[inside]))]
    objectives = np.column_stack([ratios[inside], 1.0 - accuracies[inside]])
    ranks = np.zeros(len(ratios), dtype=np.int64)
    ranks[inside] = _ranks(objectives)
    # Rounded first, so that 0.2 * 15 = 3.0000000000000004 is 3.
    count = math.ceil(round(share * len(inside), 9))
    reference = (band[1], 1.0 - floor)
    return ParetoSelection(
        indices=inside[np.sort(_survivors(objectives, count))],
        ranks=ranks,
        hypervolume=hypervolume(ratios[inside], accuracies[inside], reference),
        reference=reference,
        n_inside=len(inside),
        share=share,
        band=band,
        floor=floor,
    )


def hypervolume(macs_ratio: npt.ArrayLike, top1: npt.ArrayLike, reference: tuple[float, float]) -> float:
    """Return the area between a front and its worst corner, in units of base MACs x fraction of images.

    Args:
        macs_ratio: MACs over the base's, (n,), > 0.
        top1: (n,), fractions in [0, 1].
        reference: Worst corner: c and error; what is worse in either adds nothing.

    Example:
        >>> hypervolume([0.5], [0.6], (1.0, 1.0))
        0.3
    """
    from pymoo.indicators.hv import HV

    errors = 1.0 - np.asarray(top1, dtype=np.float64)
    return float(HV(ref_point=np.array(reference))(np.column_stack([macs_ratio, errors])))


def front_probability(macs: npt.ArrayLike, draws: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return how likely each of n architectures is on the front: none with as many MACs or fewer is better.

    Args:
        macs: Multiply-accumulates, (n,), or their ratios to the base's.
        draws: Accuracies that they may have, drawn for all of them together, (s, n).

    Returns:
        Share of the draws, (n,) float64, in [0, 1].

    Example:
        >>> front_probability([1, 2, 2], [[0.5, 0.6, 0.4], [0.5, 0.4, 0.7]]).tolist()
        [1.0, 0.5, 0.5]
    """
    counts, accuracies = np.asarray(macs), np.asarray(draws, dtype=np.float64)
    order = np.argsort(counts, kind="stable")
    best = np.maximum.accumulate(accuracies[:, order], axis=1)
    # up to the last of those with equal MACs
    reach = np.searchsorted(counts[order], counts, side="right") - 1
    return np.asarray(np.mean(accuracies >= best[:, reach], axis=0), dtype=np.float64)


def _checked(
    macs_ratio: npt.ArrayLike, top1: npt.ArrayLike, share: float, band: tuple[float, float], floor: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    ratios, accuracies = np.asarray(macs_ratio, dtype=np.float64), np.asarray(top1, dtype=np.float64)
    if ratios.ndim != 1 or ratios.shape != accuracies.shape:
        raise FitError(
            f"MACs and top-1 must be two arrays of one number a trial. Got shapes {ratios.shape} and "
            f"{accuracies.shape}. Leave failed trials out of both."
        )
    if not (np.isfinite(ratios).all() and (ratios > 0).all() and ((accuracies >= 0) & (accuracies <= 1)).all()):
        raise FitError(
            "MACs must be positive and top-1 fractions in [0, 1]. Got others. Leave failed trials out; divide percent "
            "by 100."
        )
    if not 0 < share <= 1:
        raise FitError(f"`share` must be in (0, 1]. Got {share:g}. 0.2 keeps a fifth of the trials.")
    if not 0 <= band[0] < band[1]:
        raise FitError(f"`band` needs 0 <= low < high. Got {band}. The default is {DEFAULT_BAND}.")
    if not 0 <= floor < 1:
        raise FitError(f"`floor` must be a fraction in [0, 1). Got {floor:g}. Chance level is 1 / classes.")
    return ratios, accuracies


def _ranks(objectives: npt.NDArray[np.float64]) -> IntArray:
    from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

    ranks = np.zeros(len(objectives), dtype=np.int64)
    for rank, members in enumerate(NonDominatedSorting().do(objectives), start=1):
        ranks[members] = rank
    return ranks


def _survivors(objectives: npt.NDArray[np.float64], count: int) -> IntArray:
    """Return the rows that survive: (count,) int64, in no order that means anything."""
    from pymoo.algorithms.moo.nsga3 import ReferenceDirectionSurvival
    from pymoo.core.population import Population
    from pymoo.core.problem import Problem
    from pymoo.util.ref_dirs import get_reference_directions

    # One direction a survivor, the two axes at least.
    directions = get_reference_directions("das-dennis", 2, n_partitions=max(1, count - 1))
    with warnings.catch_warnings():
        # pymoo's normalisation silences all warnings for the rest of the process; this puts them back.
        survivors = ReferenceDirectionSurvival(directions).do(
            Problem(n_var=1, n_obj=2),
            Population.new(F=objectives),
            n_survive=count,
            random_state=np.random.default_rng(0),
            return_indices=True,
        )
    return np.asarray(survivors, dtype=np.int64)
