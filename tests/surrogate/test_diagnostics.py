"""Leave-one-out scores and the verdict on MACs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES
from gpscale.surrogate.diagnostics import Diagnostics, cross_fit, diagnose, leave_one_out
from gpscale.surrogate.posterior import GPPosterior
from gpscale.surrogate.surface import Surface

N = 40


def make_trials(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    factors = np.exp(np.random.default_rng(seed).uniform(-0.6, 0.6, (N, 4)))
    return factors, 1e8 * factors[:, 0] ** 2 * factors[:, 3] ** 2 * np.sqrt(factors[:, 1])


def test_closed_form_equals_leaving_each_trial_out() -> None:
    rng = np.random.default_rng(0)
    inputs, outcomes = rng.random((12, 2)), rng.random(12)
    settings = {
        "lengthscales": np.array([0.4, 0.9]),
        "noise": 0.05,
        "constant": 0.1,
        "outcome_mean": 0.5,
        "outcome_std": 0.2,
        "outputscale": 1.3,
    }
    mean, std = leave_one_out(GPPosterior(inputs, outcomes, **settings))
    for i in range(12):
        kept = np.arange(12) != i
        rest = GPPosterior(inputs[kept], outcomes[kept], **settings)
        expected_mean, surface_std = rest.predict(inputs[[i]])
        assert mean[i] == pytest.approx(expected_mean[0], abs=1e-10)
        assert std[i] == pytest.approx(rest.observation_std(surface_std)[0], abs=1e-10)


def test_closed_form_equals_leaving_each_group_out() -> None:
    rng = np.random.default_rng(0)
    groups = [np.array(rows) for rows in ([0, 5, 9], [1], [2, 3], [4], [6, 7, 8])]
    places = np.empty(10, dtype=int)
    for k, rows in enumerate(groups):
        places[rows] = k
    inputs, outcomes = rng.random((5, 2))[places], rng.random(10)
    settings = {
        "lengthscales": np.array([0.4, 0.9]),
        "noise": 0.05,
        "constant": 0.1,
        "outcome_mean": 0.5,
        "outcome_std": 0.2,
    }
    mean, std = leave_one_out(GPPosterior(inputs, outcomes, **settings), groups)
    for k, rows in enumerate(groups):
        kept = places != k
        rest = GPPosterior(inputs[kept], outcomes[kept], **settings)
        expected, surface_std = rest.predict(inputs[rows[:1]])
        assert mean[k] == pytest.approx(expected[0], abs=1e-10)
        # of the mean of so many trainings: they share the surface, each has noise of its own
        assert std[k] == pytest.approx(np.sqrt(surface_std[0] ** 2 + rest.noise_std**2 / len(rows)), abs=1e-10)


def test_another_seed_of_an_architecture_tells_nothing_of_its_score() -> None:
    factors, macs = make_trials()
    values = np.random.default_rng(5).uniform(0.4, 0.5, N)
    twice = [np.array([k, N + k]) for k in range(N)]
    surface = Surface.fit(np.tile(factors, (2, 1)), FACTOR_NAMES, np.tile(values, 2) + 0.001, restarts=1)
    apart = diagnose(surface, np.tile(macs, 2), twice, restarts=1)
    leaking = diagnose(surface, np.tile(macs, 2), restarts=1)
    assert apart.n == N
    np.testing.assert_allclose(apart.measured, values + 0.001)
    assert apart.joint.rmse > 0.8 * values.std()
    assert leaking.joint.rmse < 0.2 * values.std()


def test_a_surface_that_sees_more_than_macs_is_told_so() -> None:
    factors, macs = make_trials()
    values = 0.6 + 0.1 * np.log(factors[:, 0]) - 0.05 * np.log(factors[:, 3])
    values += np.random.default_rng(1).normal(0, 0.003, N)
    found = diagnose(Surface.fit(factors, FACTOR_NAMES, values), macs)
    assert found.knows_more_than_macs
    assert found.joint.rmse < 0.5 * found.log_macs.rmse
    assert found.joint.rmse == pytest.approx(0.003, rel=0.5)
    assert found.joint.nlpd == pytest.approx(found.log_macs.nlpd - found.nlpd_gain)
    assert found.joint.spearman > 0.9
    assert found.joint.coverage > 0.8
    assert found.verdict.startswith("The top-1 surface knows more than MACs do: leave-one-out RMSE 0.")


def test_the_predictions_behind_the_scores_are_kept_in_the_order_of_the_trials() -> None:
    factors, macs = make_trials()
    values = 0.6 + 0.1 * np.log(factors[:, 0]) + np.random.default_rng(1).normal(0, 0.003, N)
    found = diagnose(Surface.fit(factors, FACTOR_NAMES, values), macs, restarts=1)
    np.testing.assert_array_equal(found.measured, values)
    for left_out, scores in ((found.joint_left_out, found.joint), (found.log_macs_left_out, found.log_macs)):
        errors = values - np.array(left_out.mean)
        assert np.sqrt(np.mean(errors**2)) == pytest.approx(scores.rmse)
        assert np.mean(np.abs(errors) <= 1.959963984540054 * np.array(left_out.std)) == scores.coverage


def test_a_surface_that_sees_only_macs_is_told_so() -> None:
    factors, macs = make_trials()
    values = 0.6 + 0.05 * np.log(macs / 1e8) + np.random.default_rng(1).normal(0, 0.01, N)
    found = diagnose(Surface.fit(factors, FACTOR_NAMES, values), macs)
    assert not found.knows_more_than_macs
    assert "knows no more than MACs do" in found.verdict


def test_accuracies_of_pure_noise_rarely_seem_to_know_more() -> None:
    factors, macs = make_trials()
    told = []
    for seed in range(6):
        values = np.random.default_rng(seed).uniform(0.4, 0.5, N)
        told.append(diagnose(Surface.fit(factors, FACTOR_NAMES, values, restarts=1), macs, restarts=1))
    assert sum(found.knows_more_than_macs for found in told) <= 1
    assert np.mean([found.joint.spearman for found in told]) < 0.2


@pytest.mark.parametrize("n", [6, 20, 21, 45])
def test_hyperparameters_that_judge_a_trial_have_not_seen_it(n: int) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.random((n, 1))
    outcomes = 0.5 + 0.1 * np.sin(4 * inputs[:, 0]) + rng.normal(0, 0.01, n)
    wild = outcomes.copy()
    worst = int(outcomes.argmax())
    wild[worst] += 1.0  # stays the highest, so the folds stay what they are
    mean, std = cross_fit(inputs, outcomes)
    wild_mean, wild_std = cross_fit(inputs, wild)
    if n <= 20:
        assert wild_mean[worst] == pytest.approx(mean[worst], abs=1e-12)
        assert wild_std[worst] == pytest.approx(std[worst], abs=1e-12)
    assert std.shape == (n,)
    assert wild_std[worst] < 0.5 * np.delete(wild_std, worst).max()


def test_scores_do_not_depend_on_the_order_of_trials() -> None:
    rng = np.random.default_rng(0)
    inputs, outcomes, order = rng.random((30, 2)), rng.random(30), rng.permutation(30)
    mean, std = cross_fit(inputs, outcomes)
    shuffled = cross_fit(inputs[order], outcomes[order])
    np.testing.assert_allclose(shuffled, (mean[order], std[order]), atol=2e-3)


def test_trials_at_fixed_macs_can_be_diagnosed() -> None:
    factors, _ = make_trials()
    values = 0.6 + 0.1 * np.log(factors[:, 0]) + np.random.default_rng(3).normal(0, 0.003, N)
    found = diagnose(Surface.fit(factors, FACTOR_NAMES, values), np.full(N, 5e8))
    assert found.knows_more_than_macs
    assert found.log_macs.rmse == pytest.approx(values.std(), rel=0.1)


def test_ratios_to_the_base_do_as_well_as_macs() -> None:
    factors, macs = make_trials()
    surface = Surface.fit(factors, FACTOR_NAMES, 0.6 + 0.1 * np.log(factors[:, 0]))
    assert diagnose(surface, macs).log_macs.rmse == pytest.approx(diagnose(surface, macs / 3e7).log_macs.rmse, rel=1e-3)


def test_diagnostics_survive_json() -> None:
    factors, macs = make_trials()
    found = diagnose(Surface.fit(factors, FACTOR_NAMES, 0.6 + 0.1 * np.log(factors[:, 0]), outcome="top5"), macs)
    stored = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert Diagnostics.from_dict(stored) == found
    assert stored["verdict"] == found.verdict


def test_macs_of_other_trials_are_refused() -> None:
    factors, macs = make_trials()
    surface = Surface.fit(factors, FACTOR_NAMES, 0.6 + 0.1 * np.log(factors[:, 0]))
    with pytest.raises(FitError, match=r"each of 40 trials. Got an array of shape \(39,\)"):
        diagnose(surface, macs[1:])
    with pytest.raises(FitError, match="positive number of MACs"):
        diagnose(surface, np.zeros(N))
