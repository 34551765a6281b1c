"""The scaling rule on trials whose best factors follow a known law."""

from __future__ import annotations

import numpy as np
import pytest

from gpscale import pareto
from gpscale.errors import FitError
from gpscale.rules.fit import LOG_STD_FLOOR, fit_rule

SLOPES = np.array([0.3, 0.1, 0.0, 0.2])
FEW = 20
"""Resamples where the band itself is not looked at."""


def make_trials(
    n: int = 80, seed: int = 0, scatter: float = 0.1, noise: float = 0.001
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw trials around log factor = slope * log c, where accuracy at given c is highest."""
    rng = np.random.default_rng(seed)
    c = np.exp(rng.uniform(np.log(0.2), np.log(1.1), n))
    off = scatter * rng.standard_normal((n, 4))
    top1 = 0.8 + 0.08 * np.log(c) - 2.0 * (off**2).sum(axis=1) + noise * rng.standard_normal(n)
    return c, np.exp(np.log(c)[:, None] * SLOPES + off), np.clip(top1, 0.0, 1.0)


def law(c: np.ndarray) -> np.ndarray:
    return np.exp(np.log(c)[:, None] * SLOPES)


def inside_front(rule_range: tuple[float, float]) -> np.ndarray:
    return np.geomspace(rule_range[0] * 1.0001, rule_range[1] * 0.9999, 25)


def test_a_known_power_law_is_recovered() -> None:
    rule = fit_rule(*make_trials(scatter=0.02), bootstrap=FEW)
    np.testing.assert_allclose(rule.slope, SLOPES, atol=0.04)
    np.testing.assert_allclose(rule.intercept, 0.0, atol=0.03)
    c = inside_front(rule.fitted_range)
    np.testing.assert_allclose(rule.predict(c).factors, law(c), rtol=0.03)


def test_a_bend_in_the_law_is_learned_by_the_residual() -> None:
    c, factors, top1 = make_trials(100, scatter=0.01)
    bend = 0.3 * np.sin(3 * np.log(c))
    factors[:, 0] *= np.exp(bend)
    rule = fit_rule(c, factors, top1, bootstrap=FEW)
    at = inside_front(rule.fitted_range)
    expected = np.log(law(at)[:, 0]) + 0.3 * np.sin(3 * np.log(at))
    line = rule.intercept[0] + rule.slope[0] * np.log(at)
    error = np.abs(np.log(rule.predict(at).factors[:, 0]) - expected)
    assert error.mean() < 0.25 * np.abs(line - expected).mean()


def test_the_band_covers_the_law() -> None:
    covered = []
    for seed in range(8):
        rule = fit_rule(*make_trials(50, seed), bootstrap=60)
        c = inside_front(rule.fitted_range)
        found = rule.predict(c)
        covered.append(((found.low <= law(c)) & (law(c) <= found.high)).mean())
    assert np.mean(covered) > 0.9


def test_more_scatter_widens_the_band() -> None:
    widths = [fit_rule(*make_trials(scatter=scatter), bootstrap=60).log_std.mean() for scatter in (0.03, 0.15)]
    assert widths[1] > 2 * widths[0]


def test_the_bootstrap_widens_the_band_and_leaves_the_rule() -> None:
    trials = make_trials()
    without, with_it = fit_rule(*trials, bootstrap=0), fit_rule(*trials, bootstrap=60)
    np.testing.assert_array_equal(with_it.log_mean, without.log_mean)
    assert (with_it.log_std >= without.log_std).all()
    assert with_it.log_std.mean() > without.log_std.mean()
    assert (without.bootstrap, with_it.bootstrap) == (0, 60)


def test_the_band_opens_beyond_the_pareto_set() -> None:
    c, factors, top1 = make_trials(80)
    top1[c < 0.45] *= 0.2  # small ones fail: the Pareto set starts later than the trials
    rule = fit_rule(c, factors, top1, floor=0.3, bootstrap=60)
    assert rule.fitted_range[0] >= 0.45
    assert rule.c_range == (c.min(), c.max())
    assert rule.predict(c.min()).log_std.mean() > 1.5 * rule.predict(0.7).log_std.mean()


def test_same_seed_same_rule_and_another_seed_another_band() -> None:
    trials = make_trials(40)
    rule = fit_rule(*trials, seed=1, bootstrap=FEW)
    assert rule.to_dict() == fit_rule(*trials, seed=1, bootstrap=FEW).to_dict()
    other = fit_rule(*trials, seed=2, bootstrap=FEW)
    assert (other.log_std != rule.log_std).any()


def test_order_of_the_trials_does_not_matter() -> None:
    c, factors, top1 = make_trials(40)
    c[5], top1[5] = c[6], top1[6]  # a tie that only the factors break
    rule = fit_rule(c, factors, top1, bootstrap=FEW)
    order = np.random.default_rng(3).permutation(40)
    assert fit_rule(c[order], factors[order], top1[order], bootstrap=FEW).to_dict() == rule.to_dict()


def test_global_generators_have_no_effect_and_are_left_alone() -> None:
    trials = make_trials(30)
    np.random.seed(0)  # noqa: NPY002
    first = fit_rule(*trials, bootstrap=FEW).to_dict()
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert fit_rule(*trials, bootstrap=FEW).to_dict() == first
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_the_rule_keeps_the_pareto_set_it_was_fitted_to() -> None:
    c, factors, top1 = make_trials(60)
    rule = fit_rule(c, factors, top1, share=0.15, floor=0.1, bootstrap=FEW)
    chosen = pareto.select(c, top1, share=0.15, floor=0.1).indices
    np.testing.assert_array_equal(rule.points_c, c[chosen])
    np.testing.assert_array_equal(rule.points_factors, factors[chosen])


def test_trials_outside_the_band_widen_the_range_and_nothing_else() -> None:
    c, factors, top1 = make_trials(40)
    wider = (np.append(c, 1.4), np.vstack([factors, np.full(4, 3.0)]), np.append(top1, 0.9))
    rule = fit_rule(*wider, bootstrap=FEW)
    assert rule.c_range == (c.min(), 1.4)
    np.testing.assert_array_equal(rule.slope, fit_rule(c, factors, top1, bootstrap=FEW).slope)


def test_a_factor_that_never_changes_is_held_with_a_small_deviation() -> None:
    c, factors, top1 = make_trials(40)
    factors[:, 2] = 4 / 3
    rule = fit_rule(c, factors, top1, bootstrap=FEW)
    found = rule.predict(rule.c)
    np.testing.assert_allclose(found.factors[:, 2], 4 / 3, rtol=1e-6)
    np.testing.assert_allclose(found.log_std[:, 2], LOG_STD_FLOOR)


def test_fifteen_trials_are_enough() -> None:
    rule = fit_rule(*make_trials(15, seed=4), bootstrap=FEW)
    assert len(rule.points_c) == 3
    assert np.isfinite(rule.log_std).all()


def test_too_small_a_pareto_set_says_what_to_do() -> None:
    with pytest.raises(FitError, match=r"at least 3 distinct MACs. Got 2 from 10 trials.* Run more trials, or raise"):
        fit_rule(*make_trials(10))


def test_a_pareto_set_that_resampling_breaks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpscale.rules.fit._DRAWS_PER_REPLICATE", 1)
    c = np.repeat([0.3, 0.6, 0.9], [1, 1, 60])
    factors, top1 = np.ones((62, 4)), np.repeat([0.5, 0.6, 0.7], [1, 1, 60])
    with pytest.raises(FitError, match=r"bootstrap needs 20 resamples"):
        fit_rule(c, factors, top1, share=3 / 62, bootstrap=FEW)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"factors": np.ones((30, 3))}, r"factors \(n, 4\)"),
        ({"top1": np.full(29, 0.5)}, r"\(29,\)"),
        ({"factors": np.zeros((30, 4))}, "positive and finite"),
        ({"bootstrap": -1}, "`bootstrap`"),
        ({"share": 2.0}, "`share`"),
    ],
)
def test_illegal_input_is_refused(change: dict[str, object], message: str) -> None:
    c, factors, top1 = make_trials(30)
    with pytest.raises(FitError, match=message):
        fit_rule(**{"c": c, "factors": factors, "top1": top1, **change})
