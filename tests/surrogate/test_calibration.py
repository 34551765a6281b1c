"""The factor that recalibrates intervals, and what they hold with it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from gpscale.factors import FACTOR_NAMES
from gpscale.surrogate.calibration import LEVELS, coverage, factors_from_others, recalibration
from gpscale.surrogate.surface import Surface
from gpscale.units import Z95


def normal(n: int, scale: float = 1.0) -> np.ndarray:
    """Return residuals that lie as normal ones should, n of them."""
    return scale * norm.ppf((np.arange(n) + 0.5) / n)


def test_intervals_that_hold_as_they_should_are_left_alone() -> None:
    assert recalibration(normal(60)) == 1.0


@pytest.mark.parametrize(("scale", "wider"), [(2.0, True), (0.3, False)])
def test_intervals_that_are_too_narrow_or_too_wide_are_not(scale: float, wider: bool) -> None:
    factor = recalibration(normal(60, scale))
    assert (factor > 1) == wider
    assert factor == pytest.approx(scale, rel=0.2)


@pytest.mark.parametrize(("n", "place"), [(19, 19), (38, 38), (39, 38), (96, 93)])
def test_the_factor_takes_the_residual_that_conformal_prediction_takes(n: int, place: int) -> None:
    z = 3.0 * np.random.default_rng(n).standard_normal(n)
    assert recalibration(z) == pytest.approx(np.sort(np.abs(z))[place - 1] / Z95)


def test_a_single_wild_residual_of_many_does_not_set_the_factor() -> None:
    z = normal(96, 1.8)
    wild = z.copy()
    wild[-1] = 1000.0
    assert recalibration(wild) == recalibration(z)


def test_with_fewer_than_nineteen_trials_residuals_are_taken_for_normal() -> None:
    z = np.array([3.0, -3.0, 3.0, -3.0] * 3)
    # 97.5 % quantile of Student's t with 12 degrees of freedom
    assert recalibration(z) == pytest.approx(3.0 * 2.178813 / Z95, rel=1e-6)


@pytest.mark.parametrize("n", [12, 30, 96])
def test_recalibrated_intervals_hold_about_what_they_promise_of_residuals_with_heavy_tails(n: int) -> None:
    generator = np.random.default_rng(0)
    held = []
    for _ in range(300):
        factor = recalibration(1.5 * generator.standard_t(3, n))
        held.append(np.mean(np.abs(1.5 * generator.standard_t(3, 1000)) <= Z95 * factor))
    # as fitted they hold 72 %
    assert 0.88 < np.mean(held) < 0.98


def test_what_recalibrated_intervals_hold_is_judged_by_the_other_trials() -> None:
    z = normal(30, 2.0)
    factors = factors_from_others(z)
    for i in (0, 7, 29):
        assert factors[i] == recalibration(np.delete(z, i))
    # the largest residual lies in its own interval, and not in one that the others give
    assert abs(z[0]) <= Z95 * recalibration(z) + 1e-12
    assert abs(z[0]) > Z95 * factors[0]
    middle = coverage(z, factors)[1]
    assert middle.after == np.mean(np.abs(z) <= norm.ppf(0.9) * factors) > middle.before


def test_what_recalibrated_intervals_hold_at_the_level_that_the_factor_is_chosen_at_is_not_told() -> None:
    generator = np.random.default_rng(0)
    for z in (0.01 * generator.standard_normal(30), 50 * generator.standard_cauchy(30)):
        # the same, whatever the residuals are
        assert np.mean(np.abs(z) <= Z95 * factors_from_others(z)) == 1 - 1 / 30
        assert [one.after is None for one in coverage(z, factors_from_others(z))] == [False, False, True]
    left_alone = coverage(normal(60), np.ones(60))
    assert all(one.after == one.before for one in left_alone)


def test_coverage_counts_at_each_level() -> None:
    found = coverage(np.array([0.1, 0.7, 1.3, 1.9, 2.5]), np.full(5, 2.0))
    assert tuple(one.level for one in found) == LEVELS
    assert [one.before for one in found] == [0.2, 0.4, 0.8]
    assert [one.after for one in found] == [0.6, 1.0, None]


def test_a_recalibrated_surface_expects_the_same_and_is_less_sure_everywhere() -> None:
    generator = np.random.default_rng(0)
    factors = np.exp(generator.uniform(-0.6, 0.6, (20, 4)))
    fitted = Surface.fit(factors, FACTOR_NAMES, 0.6 + 0.1 * np.log(factors[:, 0]), restarts=1)
    wider = fitted.recalibrated(1.7)
    points = np.exp(generator.uniform(-0.6, 0.6, (50, 4)))
    before, after = fitted.predict(points), wider.predict(points)
    np.testing.assert_allclose(after.mean, before.mean, rtol=1e-9)
    np.testing.assert_allclose(after.std, 1.7 * before.std, rtol=1e-6)
    np.testing.assert_allclose(after.observation_std, 1.7 * before.observation_std, rtol=1e-6)
    names = ("resolution", "width")
    np.testing.assert_allclose(wider.grid(*names, size=5).std, 1.7 * fitted.grid(*names, size=5).std, rtol=1e-6)
    assert wider.noise_estimate == pytest.approx(fitted.noise_estimate)
    again = Surface.from_dict(wider.to_dict())
    assert again.recalibration == 1.7
    np.testing.assert_array_equal(again.predict(points).std, after.std)


def test_a_surface_that_an_earlier_version_has_stored_is_not_recalibrated() -> None:
    factors = np.exp(np.random.default_rng(0).uniform(-0.6, 0.6, (20, 4)))
    fitted = Surface.fit(factors, FACTOR_NAMES, 0.6 + 0.1 * np.log(factors[:, 0]), restarts=1)
    stored = fitted.to_dict()
    del stored["recalibration"]
    assert Surface.from_dict(stored).recalibration == 1.0
