"""Which factors move the accuracy: Sobol indices of a joint surface, and what MACs buy when spent on one factor.

Inputs are the logarithms of the factors, each uniform over its span among the trials and independent of the others. Of
the variance of accuracy over that box, S_j is the share that factor j explains alone (first order), T_j the share that
is gone when all others are known (total: its interactions with them too).

The surface is known only where trials are, and its lengthscales are guessed from as few, so the indices are uncertain.
Hyperparameters are fitted again to `HALVES` random halves of the trials, whose spread is about that of fits to other
trials as many as these; with each, and all trials, `DRAWS` surfaces are drawn from the posterior, on all points of one
Saltelli design together. Each has indices of its own: an interval holds 95 % of them, and the estimate is their mean.
What the surface fails to predict enters by its recalibration. A part of the box has fewer MACs than any trial, or more;
how large the part is that has not is told, for elsewhere the surface extrapolates. With the hyperparameters of one fit
alone, trials that are nothing but noise would confirm or deny whatever is claimed.

The claim that is judged is that of section 4.2 of the method paper, "Resolution and width are more significant": that
each of the two has a higher total index than each depth. It is confirmed where `SURE` of the surfaces have it so, and
denied where, for one of the four pairs, as many (corrected for there being four) have it the other way.

A wide factor that moves accuracy a lot may move MACs a lot, too. The slope of a factor is what top-1 gains on average
along log factor (the least-squares plane over the box), divided by what log MACs gain (the same over the search space),
for twice the MACs.

Source: Saltelli et al. 2010, "Variance based sensitivity analysis of model output", as `scipy.stats.sobol_indices` has
it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES, FACTOR_SYMBOLS
from gpscale.surrogate.posterior import FloatArray
from gpscale.surrogate.surface import Surface

HALVES = 40
POINTS = 256
DRAWS = 10
"""Surfaces for each half of the trials."""

CLAIMED = ("resolution", "width")
"""The factors that matter more, as the method paper has it."""

SURE = 0.975
_PAIRS = 4


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Something of a surface, and how sure that is.

    Attributes:
        mean: Mean over the surfaces that were drawn.
        low, high: Ends of the interval that holds 95 % of them.
    """

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: FloatArray) -> Estimate:
        """Summarise what each surface that was drawn has, (s,) float64."""
        low, high = np.percentile(values, (2.5, 97.5))
        return cls(float(values.mean()), float(low), float(high))


@dataclasses.dataclass(frozen=True)
class Sensitivity:
    """What each factor does to the accuracy.

    Attributes:
        first, total: Sobol indices by factor, shares of the variance; estimates may leave [0, 1] a little.
        per_doubling: Accuracy gained by twice the MACs spent on that factor alone, by factor, fractions of images.
        claim: Share of the surfaces drawn in which resolution and width both have a higher total index than each depth;
            None where one of the four did not vary.
        contrary: A depth, the one of resolution and width that it most often beats, and in what share of the surfaces;
            None as `claim`.
        unknown: Factors that are the same in all trials, of which nothing is known.
        measured: Share of the box whose MACs are within those of the trials, in [0, 1].
    """

    first: Mapping[str, Estimate]
    total: Mapping[str, Estimate]
    per_doubling: Mapping[str, Estimate]
    claim: float | None
    contrary: tuple[str, str, float] | None
    unknown: tuple[str, ...]
    measured: float

    @property
    def verdict(self) -> str:
        """One sentence: does this study confirm that resolution and width matter more?"""
        said = '"Resolution and width matter more than the depths" (method paper, section 4.2): '
        if self.claim is None or self.contrary is None:
            lacks = ", ".join(FACTOR_SYMBOLS[name] for name in self.unknown)
            return f"{said}undecided, for {lacks} did not vary in this study."
        order = sorted(self.total, key=lambda name: -self.total[name].mean)
        ranked = ", ".join(f"{FACTOR_SYMBOLS[name]} {self.total[name].mean:.2f}" for name in order)
        depth, other, share = self.contrary
        if share >= 1 - (1 - SURE) / _PAIRS:
            beaten = f"{FACTOR_SYMBOLS[depth]} matters more than {FACTOR_SYMBOLS[other]} in {share:.0%}"
            return f"{said}denied by this study; {beaten} of the surfaces drawn (total indices {ranked})."
        word = "confirmed" if self.claim >= SURE else "undecided"
        return f"{said}{word} by this study; {self.claim:.0%} of the surfaces drawn agree (total indices {ranked})."

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values, the verdict among them."""
        return {**dataclasses.asdict(self), "unknown": list(self.unknown), "verdict": self.verdict}


def sensitivity(
    surface: Surface,
    space_factors: FloatArray,
    space_macs: npt.ArrayLike,
    trial_macs: npt.ArrayLike,
    seed: int = 0,
    *,
    halves: int = HALVES,
    points: int = POINTS,
) -> Sensitivity:
    """Estimate which factors move a surface over the span of its trials.

    Args:
        surface: A surface over at least two factors that vary.
        space_factors: Realised factors of the search space, (m, 4) float64, columns as `FACTOR_NAMES`.
        space_macs: Their MACs, (m,).
        trial_macs: MACs of the surface's trials, (n,).
        seed: Fixes the design and the draws.
        halves: Random halves of the trials, each with hyperparameters of its own.
        points: Rows of the Saltelli design, a power of two; the surface is drawn at 2 + (number of factors) times as
            many points.

    Raises:
        FitError: Fewer than two factors vary.
    """
    from scipy.stats import sobol_indices

    names = [name for name in surface.names if name not in surface.constant_names]
    if len(names) < 2:
        raise FitError(
            f"A sensitivity compares factors, so at least two must vary. Got {', '.join(names)}. Take a study that "
            "varies more."
        )
    generator = np.random.default_rng(seed)
    design, unit = _design(surface, names, points, generator)
    drawn = np.concatenate([one.draw(design, DRAWS, generator) for one in _refitted(surface, halves, seed, generator)])
    drawn = drawn.reshape(-1, 2 + len(names), points)
    parts: dict[Literal["f_A", "f_B", "f_AB"], FloatArray] = {
        "f_A": drawn[:, 0],
        "f_B": drawn[:, 1],
        "f_AB": drawn[:, 2:].transpose(1, 0, 2),
    }
    found = sobol_indices(func=parts, n=points)
    first, total = np.atleast_2d(found.first_order), np.atleast_2d(found.total_order)
    slopes = _slopes(drawn[:, :2].reshape(-1, 2 * points), unit)
    costs = _costs(surface, names, space_factors, space_macs)
    macs = _macs(design[: 2 * points], surface, space_factors, space_macs)
    by_name, judged = dict(enumerate(names)), len(names) == len(FACTOR_NAMES)
    return Sensitivity(
        first={name: Estimate.of(first[:, j]) for j, name in by_name.items()},
        total={name: Estimate.of(total[:, j]) for j, name in by_name.items()},
        per_doubling={name: Estimate.of(np.log(2) * slopes[:, j] / costs[j]) for j, name in by_name.items()},
        claim=_claim(total, names) if judged else None,
        contrary=_contrary(total, names) if judged else None,
        unknown=tuple(name for name in FACTOR_NAMES if name not in names),
        measured=float(np.mean((macs >= np.min(trial_macs)) & (macs <= np.max(trial_macs)))),
    )


def _refitted(surface: Surface, halves: int, seed: int, generator: np.random.Generator) -> list[Surface]:
    """Return the surface on all trials with the hyperparameters of each of some random halves of them."""
    from gpscale.surrogate.fit import fit_posteriors

    inputs, outcomes = surface.posterior.inputs, surface.posterior.outcomes
    n = len(outcomes)
    rows = np.stack([generator.permutation(n)[: (n + 1) // 2] for _ in range(halves)])
    fits = fit_posteriors(inputs[rows], outcomes[rows], seed=seed, restarts=1)
    whole = (dataclasses.replace(fit, inputs=inputs, outcomes=outcomes) for fit in fits)
    return [dataclasses.replace(surface, posterior=fit.widened(surface.recalibration)) for fit in whole]


def _design(
    surface: Surface, names: list[str], points: int, generator: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return the factors at A, B and each AB_j, one after the other, and the unit cube's points of A and B."""
    from scipy.stats import qmc

    d = len(names)
    both = qmc.Sobol(2 * d, rng=generator).random(points)
    a, b = both[:, :d], both[:, d:]
    mixed = [np.where(np.arange(d) == j, b, a) for j in range(d)]
    unit = np.concatenate([a, b, *mixed])
    columns = []
    for name in surface.names:
        low, high = np.log(surface.bounds[name])
        columns.append(
            np.exp(low + (high - low) * unit[:, names.index(name)])
            if name in names
            else np.exp(low * np.ones(len(unit)))
        )
    return np.column_stack(columns), unit[: 2 * points]


def _slopes(values: FloatArray, unit: FloatArray) -> FloatArray:
    """Return the slopes of the least-squares planes through (s, m) values at (m, d) points: (s, d) float64."""
    matrix = np.column_stack([np.ones(len(unit)), unit])
    return np.asarray(np.linalg.lstsq(matrix, values.T, rcond=None)[0][1:].T, dtype=np.float64)


def _costs(surface: Surface, names: list[str], space_factors: FloatArray, space_macs: npt.ArrayLike) -> FloatArray:
    """Return what log MACs gain over the span of each factor, all others held: (d,) float64."""
    logs = np.log(space_factors)
    gained = _slopes(np.log(np.asarray(space_macs, dtype=np.float64))[None], logs)[0]
    spans = {name: np.log(high / low) for name, (low, high) in surface.bounds.items()}
    return np.array([gained[FACTOR_NAMES.index(name)] * spans[name] for name in names])


def _macs(points: FloatArray, surface: Surface, space_factors: FloatArray, space_macs: npt.ArrayLike) -> FloatArray:
    """Return about how many MACs points of the box have, by the plane of log MACs over the space: (m,) float64."""
    columns = [FACTOR_NAMES.index(name) for name in surface.names]
    matrix = np.column_stack([np.ones(len(space_factors)), np.log(space_factors[:, columns])])
    found = np.linalg.lstsq(matrix, np.log(np.asarray(space_macs, dtype=np.float64)), rcond=None)[0]
    return np.asarray(np.exp(found[0] + np.log(points) @ found[1:]), dtype=np.float64)


def _claim(total: FloatArray, names: list[str]) -> float:
    claimed = np.isin(names, CLAIMED)
    return float(np.mean(total[:, claimed].min(axis=1) > total[:, ~claimed].max(axis=1)))


def _contrary(total: FloatArray, names: list[str]) -> tuple[str, str, float]:
    shares = {
        (depth, other): float(np.mean(total[:, names.index(depth)] > total[:, names.index(other)]))
        for depth in names
        if depth not in CLAIMED
        for other in CLAIMED
    }
    depth, other = max(shares, key=lambda pair: shares[pair])
    return depth, other, shares[depth, other]
