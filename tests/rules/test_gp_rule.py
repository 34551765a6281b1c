"""The stored rule: interpolation, ranges, JSON, registry."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gpscale import rules
from gpscale.errors import OutOfRangeError, UnknownNameError
from gpscale.rules import GPRule

SLOPES = np.array([0.3, 0.1, 0.0, 0.2])


@pytest.fixture
def rule() -> GPRule:
    c = np.geomspace(0.2, 1.1, 64)
    points_c = np.array([0.3, 0.6, 1.0])
    return GPRule(
        c=c,
        log_mean=0.1 + np.log(c)[:, None] * SLOPES,
        log_std=np.full((64, 4), 0.05),
        intercept=np.full(4, 0.1),
        slope=SLOPES,
        points_c=points_c,
        points_factors=np.exp(0.1 + np.log(points_c)[:, None] * SLOPES),
        fitted_range=points_c[[0, -1]],
        bootstrap=200,
        source="trials",
    )


def test_a_power_law_is_interpolated_exactly(rule: GPRule) -> None:
    c = np.array([0.2, 0.2345, 0.5, 1.0, 1.1])
    found = rule.predict(c)
    np.testing.assert_allclose(found.factors, np.exp(0.1 + np.log(c)[:, None] * SLOPES), rtol=1e-12)
    np.testing.assert_allclose(found.log_std, 0.05)
    np.testing.assert_allclose(np.log(found.high / found.low), 2 * 1.96 * 0.05, rtol=1e-4)
    assert (found.low < found.factors).all()


def test_a_number_is_one_row(rule: GPRule) -> None:
    assert rule.predict(0.5).factors.shape == (1, 4)


@pytest.mark.parametrize("c", [0.19, 1.11, np.nan, -1.0])
def test_outside_the_finished_trials_is_an_error_that_says_the_range(rule: GPRule, c: float) -> None:
    with pytest.raises(OutOfRangeError, match=r"c in \[0.2, 1.1\]"):
        rule.predict([0.5, c])


def test_ends_of_the_range_survive_a_division(rule: GPRule) -> None:
    assert rule.predict([0.2 * (1 - 1e-15), 1.1 * (1 + 1e-15)]).factors.shape == (2, 4)


def test_beyond_the_pareto_set_it_extrapolates(rule: GPRule) -> None:
    assert rule.c_range == pytest.approx((0.2, 1.1))
    assert tuple(rule.fitted_range) == (0.3, 1.0)
    assert [rule.extrapolated(c) for c in (0.25, 0.3, 0.5, 1.0, 1.05)] == [True, False, False, False, True]


def test_floats_survive_json_exactly(rule: GPRule) -> None:
    again = GPRule.from_dict(json.loads(json.dumps(rule.to_dict())))
    assert again.to_dict() == rule.to_dict()
    np.testing.assert_array_equal(again.predict(0.7).factors, rule.predict(0.7).factors)


def test_an_unknown_rule_is_an_error_that_names_the_nearest_one() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'tinynet'"):
        rules.get("tinyned")
