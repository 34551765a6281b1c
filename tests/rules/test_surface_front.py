"""The rule that follows the joint surface, on a surface whose best factors are known."""

from __future__ import annotations

import numpy as np
import pytest

from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES
from gpscale.rules.fit import LOG_STD_FLOOR, fit_rule
from gpscale.rules.gp_rule import GPRule
from gpscale.rules.surface_front import BUDGETS, fit_rule_to_surface
from gpscale.search_space import BUDGET_SHARE, SearchSpace
from gpscale.surrogate.surface import Surface

BAND = (0.2, 1.1)
SLOPES = np.array([0.3, 0.1, 0.2, 0.3])
FEW = 20
NOISE = 0.01


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    return SearchSpace.enumerate("mobilevitv2_050@64", num_classes=10)


def expected(c: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Top-1 that grows with log c, and falls off with the distance from c ** slope."""
    off = np.log(factors) - np.log(c)[:, None] * SLOPES
    return np.asarray(0.7 + 0.1 * np.log(c) - 0.15 * np.square(off).sum(axis=1))


def trials(
    space: SearchSpace, count: int, seed: int, noise: float = NOISE
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw architectures evenly in log c; return c, factors and the measured top-1."""
    generator = np.random.default_rng(seed)
    inside = np.flatnonzero((space.c >= BAND[0]) & (space.c <= BAND[1]))
    aims = np.exp(generator.uniform(*np.log(BAND), count))
    rows = np.unique([generator.choice(inside[np.abs(np.log(space.c[inside] / aim)) < 0.05]) for aim in aims])
    c, factors = space.c[rows], space.factors[rows]
    return c, factors, expected(c, factors) + noise * generator.standard_normal(len(c))


def fitted(space: SearchSpace, count: int = 50, seed: int = 0, draws: int = FEW, noise: float = NOISE) -> GPRule:
    c, factors, top1 = trials(space, count, seed, noise)
    surface = Surface.fit(factors, FACTOR_NAMES, top1, restarts=1)
    return fit_rule_to_surface(surface, space, (c.min(), c.max()), band=BAND, draws=draws)


def lost(rule: GPRule, space: SearchSpace) -> float:
    """Return what is lost, in top-1, by building what is nearest to the rule and not the best, mean over budgets."""
    losses = []
    for c in (0.25, 0.4, 0.55, 0.7, 0.85, 1.0):
        rows = space.rows_within(c * space.base_macs)
        asked = rule.predict(c)
        distance = (space.log_factors[rows] - np.log(asked.factors[0])) / asked.log_std[0]
        values = expected(space.c[rows], space.factors[rows])
        losses.append(values.max() - values[np.square(distance).sum(axis=1).argmin()])
    return float(np.mean(losses))


def test_the_best_of_the_surface_at_each_budget_is_what_the_rule_follows(space: SearchSpace) -> None:
    c, factors, top1 = trials(space, 50, 0)
    surface = Surface.fit(factors, FACTOR_NAMES, top1, restarts=1)
    rule = fit_rule_to_surface(surface, space, (c.min(), c.max()), band=BAND, draws=0)
    assert rule.source == "surface"
    best = []
    for ratio in np.geomspace(c.min() / BUDGET_SHARE, c.max(), BUDGETS):
        rows = space.rows_within(ratio * space.base_macs)
        best.append(rows.start + int(surface.predict(space.factors[rows]).mean.argmax()))
    assert len(best) == BUDGETS
    np.testing.assert_array_equal(rule.points_c, space.c[best])
    np.testing.assert_array_equal(rule.points_factors, space.factors[best])


def test_it_loses_less_than_a_rule_that_follows_the_trials(space: SearchSpace) -> None:
    ours, theirs = [], []
    for seed in range(4):
        c, factors, top1 = trials(space, 50, seed)
        ours.append(lost(fitted(space, 50, seed), space))
        theirs.append(lost(fit_rule(c, factors, top1, band=BAND, bootstrap=FEW), space))
    assert np.mean(ours) < 0.7 * np.mean(theirs)


def test_the_band_narrows_with_more_trials_and_never_below_its_floor(space: SearchSpace) -> None:
    few, many = fitted(space, 15, draws=60), fitted(space, 120, draws=60)
    assert many.log_std.mean() < 0.8 * few.log_std.mean()
    assert many.log_std.min() >= LOG_STD_FLOOR


def test_the_band_covers_the_law(space: SearchSpace) -> None:
    covered = []
    for seed in range(6):
        rule = fitted(space, 40, seed, draws=60)
        at = np.geomspace(*rule.fitted_range, 20)[1:-1]
        found, law = rule.predict(at), np.exp(np.log(at)[:, None] * SLOPES)
        covered.append(np.mean((found.low <= law) & (law <= found.high)))
    assert np.mean(covered) > 0.85


def test_the_same_seed_gives_the_same_rule_and_another_another_band(space: SearchSpace) -> None:
    c, factors, top1 = trials(space, 30, 0)
    surface = Surface.fit(factors, FACTOR_NAMES, top1, restarts=1)
    first, again, other = (
        fit_rule_to_surface(surface, space, (c.min(), c.max()), band=BAND, seed=seed, draws=FEW) for seed in (0, 0, 1)
    )
    assert first.to_dict() == again.to_dict()
    np.testing.assert_array_equal(first.points_c, other.points_c)
    assert not np.array_equal(first.log_std, other.log_std)


def test_points_lie_within_the_band_and_what_the_trials_span(space: SearchSpace) -> None:
    _, factors, top1 = trials(space, 40, 0)
    surface = Surface.fit(factors, FACTOR_NAMES, top1, restarts=1)
    rule = fit_rule_to_surface(surface, space, (0.3, 1.5), band=(0.2, 0.9), draws=FEW)
    low, high = rule.fitted_range
    assert low >= 0.3 - 1e-9
    assert high <= 0.9
    assert rule.c_range == (0.3, 1.5)


def test_it_is_stored_and_read_again(space: SearchSpace) -> None:
    rule = fitted(space, 30)
    assert GPRule.from_dict(rule.to_dict()).to_dict() == rule.to_dict()


def test_it_says_what_it_follows_and_what_its_band_knows_of(space: SearchSpace) -> None:
    rule = fitted(space, 30)
    assert rule.follows == f"what the surface expects most of at {len(rule.points_c)} budgets"
    assert rule.band_from == "GP and draws of the surface"
    assert fitted(space, 30, draws=0).band_from == "GP"


def test_what_no_rule_can_be_fitted_to_is_refused(space: SearchSpace) -> None:
    _, factors, top1 = trials(space, 40, 0)
    surface = Surface.fit(factors, FACTOR_NAMES, top1, restarts=1)
    raw = Surface.fit(factors[:, :2], FACTOR_NAMES[:2], top1, restarts=1)
    with pytest.raises(FitError, match="surface over resolution, ir_depth, vit_depth, width"):
        fit_rule_to_surface(raw, space, (0.2, 1.1), band=BAND)
    with pytest.raises(FitError, match="`draws` must be 0 or more. Got -1"):
        fit_rule_to_surface(surface, space, (0.2, 1.1), band=BAND, draws=-1)
    with pytest.raises(FitError, match="at least 3 budgets .* The space has some for 0"):
        fit_rule_to_surface(surface, space, (0.0001, 0.0002), band=(0.0001, 0.0002))
    with pytest.raises(FitError, match="The space has some for 1"):
        fit_rule_to_surface(surface, space, (0.5, 0.52), band=BAND)


def test_in_a_narrow_range_no_architecture_counts_twice(space: SearchSpace) -> None:
    _, factors, top1 = trials(space, 40, 0)
    surface = Surface.fit(factors, FACTOR_NAMES, top1, restarts=1)
    rule = fit_rule_to_surface(surface, space, (0.4, 0.5), band=BAND, draws=FEW)
    assert 3 <= len(rule.points_c) < BUDGETS
    assert np.all(np.diff(rule.points_c) > 0)
    assert np.isfinite(rule.log_mean).all()
    assert np.isfinite(rule.log_std).all()


def test_a_surface_on_which_more_macs_are_worse_has_a_rule_too(space: SearchSpace) -> None:
    c, factors, _ = trials(space, 40, 0)
    falling = Surface.fit(factors, FACTOR_NAMES, 0.9 - 0.5 * c, restarts=1)
    assert len(fit_rule_to_surface(falling, space, (0.2, 1.1), band=BAND, draws=0).points_c) == BUDGETS
