"""Surfaces: what they predict, how they are sliced, what they refuse."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from gpscale.errors import FactorError, FitError, OutOfRangeError, UnknownNameError
from gpscale.factors import FACTOR_NAMES, Factors
from gpscale.surrogate.surface import Surface


def accuracy(factors: np.ndarray) -> np.ndarray:
    r, d_i, d_m, w = np.log(factors).T
    return 0.7 + 0.10 * r + 0.03 * d_i + 0.01 * d_m + 0.06 * w - 0.05 * r**2


def make_factors(n: int = 50, seed: int = 0) -> np.ndarray:
    return np.exp(np.random.default_rng(seed).uniform(np.log(0.5), np.log(2.0), (n, 4)))


@pytest.fixture(scope="module")
def surface() -> Surface:
    factors = make_factors()
    return Surface.fit(factors, FACTOR_NAMES, accuracy(factors) + np.random.default_rng(1).normal(0, 0.002, 50))


def test_a_surface_predicts_unseen_architectures(surface: Surface) -> None:
    factors = make_factors(100, seed=7)
    found = surface.predict(factors)
    assert np.sqrt(np.mean((found.mean - accuracy(factors)) ** 2)) < 0.004
    assert (found.observation_std > found.std).all()
    np.testing.assert_allclose(found.observation_std, np.hypot(found.std, surface.posterior.noise_std), rtol=1e-12)


def test_inputs_of_the_gp_are_log_factors_in_the_unit_cube(surface: Surface) -> None:
    logs = np.log(surface.observations)
    expected = (logs - logs.min(axis=0)) / np.ptp(logs, axis=0)
    np.testing.assert_allclose(surface.posterior.inputs, expected, atol=1e-15)


def test_a_grid_has_y_in_rows_and_x_in_columns(surface: Surface) -> None:
    grid = surface.grid("width", "resolution", size=7, fixed={"ir_depth": 1.5})
    assert grid.names == ("width", "resolution")
    assert grid.fixed == {"ir_depth": 1.5, "vit_depth": 1.0}
    one = surface.predict([[grid.y[5], 1.5, 1.0, grid.x[2]]])
    assert grid.mean[5, 2] == pytest.approx(one.mean[0], abs=1e-12)
    assert grid.std[5, 2] == pytest.approx(one.std[0], abs=1e-12)
    np.testing.assert_array_equal(grid.observations, surface.observations[:, [3, 0]])
    assert (grid.x[0], grid.x[-1]) == surface.bounds["width"]


def test_a_grid_takes_bounds_and_factors(surface: Surface) -> None:
    grid = surface.grid("width", "resolution", 3, Factors(ir_depth=1.9), {"width": (0.6, 0.8)})
    np.testing.assert_allclose(grid.x, [0.6, 0.7, 0.8])
    assert grid.fixed == {"ir_depth": 1.9, "vit_depth": 1.0}


def test_a_line_is_a_row_of_the_grid(surface: Surface) -> None:
    grid = surface.grid("width", "resolution", size=5, fixed=1.0)
    line = surface.line("width", size=5, fixed={"resolution": float(grid.y[3])})
    np.testing.assert_allclose(line.mean, grid.mean[3], atol=1e-12)
    np.testing.assert_allclose(line.observation_std, np.hypot(grid.std[3], grid.noise_std), atol=1e-12)


def test_slices_and_profiles_are_labelled_as_what_they_are(surface: Surface) -> None:
    assert surface.line("width", 3).label == (
        "slice of the joint top1 surface over width at r=1, d_i=1, d_m=1; MACs vary"
    )
    assert surface.profile("width", make_factors(6)).label == "best top1 of 6 architectures at each width"


def test_a_profile_finds_the_best_candidate_of_each_level(surface: Surface) -> None:
    candidates = make_factors(60, seed=3)
    candidates[:, 0] = np.array([0.5, 1.0, 1.5])[np.arange(60) % 3]
    candidates[3, 0] += 1e-13  # the same level, reached by another division
    profile = surface.profile("resolution", candidates)
    mean = surface.predict(candidates).mean
    np.testing.assert_allclose(profile.levels, [0.5, 1.0, 1.5])
    for k in range(3):
        members = np.arange(60)[np.arange(60) % 3 == k]
        assert profile.rows[k] == members[mean[members].argmax()]
        assert profile.mean[k] == mean[profile.rows[k]]


def test_a_factor_that_does_not_vary_is_left_out_and_recorded() -> None:
    factors = make_factors(20)
    factors[:, 2] = 4 / 3
    surface = Surface.fit(factors, FACTOR_NAMES, accuracy(factors))
    assert surface.constant_names == ("vit_depth",)
    assert surface.posterior.inputs.shape == (20, 3)
    moved = factors.copy()
    moved[:, 2] = 2.0
    np.testing.assert_array_equal(surface.predict(moved).mean, surface.predict(factors).mean)
    with pytest.raises(FitError, match=r"vit_depth needs trials in which it varies. Got 1.33333 in all 20"):
        surface.line("vit_depth")


def test_raw_surfaces_of_one_and_two_factors_are_surfaces() -> None:
    factors = make_factors(12)
    one = Surface.fit(factors[:, [0]], ["resolution"], accuracy(factors), outcome="top5")
    assert one.line("resolution", 4).label == "top5 over resolution"
    two = Surface.fit(factors[:, [0, 3]], ["resolution", "width"], accuracy(factors))
    assert two.grid("resolution", "width", 4).fixed == {}


def test_a_stored_surface_predicts_the_same(surface: Surface) -> None:
    again = Surface.from_dict(json.loads(json.dumps(surface.to_dict())))
    factors = make_factors(9, seed=5)
    np.testing.assert_array_equal(again.predict(factors).mean, surface.predict(factors).mean)
    np.testing.assert_array_equal(again.predict(factors).observation_std, surface.predict(factors).observation_std)
    assert again.to_dict() == surface.to_dict()


def refused(n: int = 20, **changes: Any) -> pytest.ExceptionInfo[FitError]:
    factors = make_factors(n)
    arguments = {"factors": factors, "names": FACTOR_NAMES, "values": accuracy(factors), **changes}
    with pytest.raises(FitError) as caught:
        Surface.fit(**arguments)
    return caught


def test_too_few_trials_are_counted_in_the_error() -> None:
    assert "over 4 factors needs at least 6 finished trials. Got 5." in str(refused(5).value)


def test_one_factor_needs_five_trials() -> None:
    caught = refused(4, factors=make_factors(4)[:, :1], names=["width"])
    assert "at least 5 finished trials. Got 4." in str(caught.value)


def test_constant_accuracies_are_refused() -> None:
    assert "must differ between trials. Got 0.1 in all 20." in str(refused(values=np.full(20, 0.1)).value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1, 67.0])
def test_accuracies_that_are_no_fractions_are_refused(bad: float) -> None:
    values = np.linspace(0.1, 0.9, 20)
    values[4] = bad
    assert "must be fractions in [0, 1]" in str(refused(values=values).value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1.0])
def test_factors_that_are_not_positive_are_refused(bad: float) -> None:
    factors = make_factors(20)
    factors[4, 1] = bad
    assert "positive and finite" in str(refused(factors=factors).value)


def test_equal_factors_in_all_trials_are_refused() -> None:
    assert "must vary. Got 20 trials" in str(refused(factors=np.ones((20, 4))).value)


def test_arrays_that_do_not_match_are_refused() -> None:
    assert "Got (20, 4) and (19,)" in str(refused(values=np.linspace(0, 1, 19)).value)


def test_an_unknown_factor_gets_the_nearest_name(surface: Surface) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'width'"):
        surface.line("widht")


def test_a_view_of_a_factor_that_the_surface_lacks_says_which_it_has() -> None:
    factors = make_factors(12)
    surface = Surface.fit(factors[:, [0, 3]], ["resolution", "width"], accuracy(factors))
    with pytest.raises(FitError, match="this surface has resolution, width"):
        surface.line("ir_depth")


def test_a_grid_of_one_factor_twice_is_refused(surface: Surface) -> None:
    with pytest.raises(FitError, match="two different factors"):
        surface.grid("width", "width")


@pytest.mark.parametrize("fixed", [0, -1.0, float("nan"), float("inf"), {"vit_depth": 0}])
def test_a_slice_at_no_positive_number_is_refused(surface: Surface, fixed: Any) -> None:
    with pytest.raises(FactorError, match="must be a positive number"):
        surface.grid("resolution", "width", 3, fixed)


@pytest.mark.parametrize("fixed", [{"vit_depth": 1e9}, Factors(vit_depth=1e9), {"vit_depth": 0.4}])
def test_a_slice_outside_what_was_observed_is_refused_with_the_range(surface: Surface, fixed: Any) -> None:
    low, high = surface.bounds["vit_depth"]
    with pytest.raises(OutOfRangeError, match="must hold vit_depth within what the trials span") as told:
        surface.line("width", 3, fixed)
    assert f"[{low:.4g}, {high:.4g}]" in str(told.value)


def test_one_value_for_all_is_checked_for_each_factor_that_is_held(surface: Surface) -> None:
    assert surface.line("width", 3, 1.5).fixed == dict.fromkeys(("resolution", "ir_depth", "vit_depth"), 1.5)
    with pytest.raises(OutOfRangeError, match="must hold resolution"):
        surface.line("width", 3, 2.5)


def test_a_factor_on_an_axis_may_be_named_with_any_value(surface: Surface) -> None:
    assert "width" not in surface.line("width", 3, {"width": 50.0}).fixed


def test_both_ends_of_what_was_observed_can_be_held_though_rounded(surface: Surface) -> None:
    for end in surface.bounds["ir_depth"]:
        assert surface.line("width", 3, {"ir_depth": end * (1 + 1e-12)}).fixed["ir_depth"] == pytest.approx(end)


def test_the_base_is_held_though_no_trial_is_so_small_and_the_label_says_so() -> None:
    factors = make_factors(20)
    factors[:, 1] *= 3
    surface = Surface.fit(factors, FACTOR_NAMES, accuracy(factors))
    assert surface.bounds["ir_depth"][0] > 1
    assert "at r=1, d_i=1 (extrapolated), d_m=1; MACs vary" in surface.line("width", 3).label
    with pytest.raises(OutOfRangeError, match="must hold ir_depth"):
        surface.line("width", 3, {"ir_depth": 1.1})


@pytest.mark.parametrize("size", [1, 0, -3])
def test_a_slice_of_fewer_than_two_points_is_refused(surface: Surface, size: int) -> None:
    for cut in (lambda: surface.line("width", size), lambda: surface.grid("width", "resolution", size)):
        with pytest.raises(FitError, match=f"at least 2 points a side. Got {size}"):
            cut()


def test_a_profile_without_candidates_is_refused(surface: Surface) -> None:
    with pytest.raises(FitError, match="needs candidates"):
        surface.profile("width", np.empty((0, 4)))
