"""Fit the scaling rule to what the joint surface expects to be best at each budget.

The method paper follows the finished trials of the Pareto set: few, each with the luck of one training. The joint
surface has seen all trials, and can be asked for any architecture. So the rule follows here, at budgets evenly spaced
in log c, the architecture of the space that it expects most of among those that use the budget. Trend and GP residual
are then fitted as in `rules.fit`.

What the trials leave open is drawn: each draw of the surface's posterior has best architectures of its own, to which
the rule is fitted again, and their spread is the `s_boot` of `rules.fit`. Each draw is made at those architectures of
all budgets that were the best of their budget in any of `_SCOUTS_PER_DRAW` times as many draws of that budget alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES
from gpscale.rules.fit import MIN_POINTS, assemble
from gpscale.rules.gp_rule import FloatArray, GPRule
from gpscale.search_space import BUDGET_SHARE, SearchSpace
from gpscale.surrogate.surface import Surface

BUDGETS = 25
"""At which the surface is asked: over c 0.2 to 1.1 they are 7 % apart."""

_SCOUTS_PER_DRAW = 5
_MOST = 2000
"""Architectures of a budget that are drawn at: those with the highest mean + `_OPTIMISM` standard deviations, where
there are more. A covariance of all is as large as the square of their number."""
_OPTIMISM = 2.0


def fit_rule_to_surface(
    surface: Surface,
    space: SearchSpace,
    c_range: tuple[float, float],
    *,
    band: tuple[float, float],
    seed: int = 0,
    draws: int = 200,
) -> GPRule:
    """Find the best architecture of each budget and fit the rule to them.

    Args:
        surface: The joint surface.
        space: The architectures to choose from.
        c_range: Lowest and highest reduction factor of the finished trials; the rule holds there.
        band: Lowest and highest reduction factor of a budget.
        seed: Fixes the draws and the restarts of the optimiser.
        draws: Of the surface's posterior, >= 0; with 0 the band is the GP's alone.

    Raises:
        FitError: The surface is not over all factors, or the space has too few sizes within the range, or `draws` is
            negative.
    """
    if surface.names != FACTOR_NAMES:
        raise FitError(
            f"A rule needs a surface over {', '.join(FACTOR_NAMES)}. Got one over {', '.join(surface.names)}. Sweep "
            "all of them."
        )
    if draws < 0:
        raise FitError(f"`draws` must be 0 or more. Got {draws}. The default is 200.")
    low, high = max(band[0], c_range[0]), min(band[1], c_range[1])
    asked = _budgets(space, low, high)
    slices = list(asked.values())
    if len(slices) < MIN_POINTS:
        raise FitError(
            f"A rule needs architectures for at least {MIN_POINTS} budgets between c = {low:.3g} and {high:.3g}. The "
            f"space has some for {len(slices)}. Widen `space`, run trials over a wider range of c, or set "
            "`fit.rule_from` to trials, whose rule needs no more than that many of them."
        )
    found = [surface.predict(space.factors[rows]) for rows in slices]
    best = np.array([rows.start + int(np.argmax(at.mean)) for rows, at in zip(slices, found, strict=True)])
    replicates = None
    if draws:
        generator = np.random.default_rng(seed)
        likely = []
        for rows, at in zip(slices, found, strict=True):
            some = rows.start + np.sort(np.argsort(-at.mean - _OPTIMISM * at.std, kind="stable")[:_MOST])
            scouted = surface.draw(space.factors[some], _SCOUTS_PER_DRAW * draws, generator)
            likely.append(some[np.unique(np.argmax(scouted, axis=1))])
        replicates = _drawn(surface, space, likely, draws, generator)
    return assemble(
        space.c[best],
        space.factors[best],
        replicates,
        c_range=c_range,
        fitted_range=(space.c[best[0]], max(asked)),
        seed=seed,
        source="surface",
    )


def _budgets(space: SearchSpace, low: float, high: float) -> dict[float, slice]:
    """Return the rows of the space that use each budget, by its c; budgets that nothing uses are left out.

    So are those that share architectures with the one below, where the range is narrow: no architecture counts twice.
    """
    found: dict[float, slice] = {}
    end = 0
    for ratio in np.geomspace(low / BUDGET_SHARE, high, BUDGETS) if low / BUDGET_SHARE < high else ():
        budget = ratio * space.base_macs
        first = int(np.searchsorted(space.macs, BUDGET_SHARE * budget, side="left"))
        last = int(np.searchsorted(space.macs, budget, side="right"))
        if end <= first < last:
            found[float(ratio)] = slice(first, last)
            end = last
    return found


def _drawn(
    surface: Surface,
    space: SearchSpace,
    likely: Sequence[npt.NDArray[np.int64]],
    draws: int,
    generator: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Find the best architectures of each draw of the surface.

    Args:
        surface: Is drawn from.
        space: The architectures.
        likely: For each of b budgets the rows of the space among which a draw has its best, ascending.
        draws: How many.
        generator: Draws.

    Returns:
        Their reduction factors, (draws, b) float64, and realised factors, (draws, b, 4) float64.
    """
    rows = np.concatenate(likely)
    surfaces = surface.draw(space.factors[rows], draws, generator)
    ends = np.cumsum([0, *map(len, likely)])
    best = [first + np.argmax(surfaces[:, first:last], axis=1) for first, last in itertools.pairwise(ends)]
    chosen = rows[np.stack(best, axis=1)]
    return space.c[chosen], space.factors[chosen]
