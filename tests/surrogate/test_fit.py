"""Fitting hyperparameters: determinism, independence, recovery."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gpscale.surrogate.fit import Priors, fit_posterior, fit_posteriors


def make_data(n: int = 60, noise: float = 0.01, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    inputs = rng.random((n, 2))
    return inputs, 0.5 + 0.2 * np.sin(4 * inputs[:, 0]) + noise * rng.standard_normal(n)


def test_noise_and_the_idle_input_are_found() -> None:
    posterior = fit_posterior(*make_data(noise=0.01))
    assert posterior.noise_std == pytest.approx(0.01, rel=0.3)
    assert posterior.lengthscales[1] > 3 * posterior.lengthscales[0]


def test_predictions_come_close_to_the_truth_between_observations() -> None:
    posterior = fit_posterior(*make_data(noise=0.002))
    points = np.random.default_rng(9).uniform(0.1, 0.9, (200, 2))
    mean, std = posterior.predict(points)
    error = np.abs(mean - 0.5 - 0.2 * np.sin(4 * points[:, 0]))
    assert error.max() < 0.01
    assert np.mean(error < 1.96 * std) > 0.8


def test_noise_keeps_its_floor_on_noiseless_outcomes() -> None:
    posterior = fit_posterior(*make_data(noise=0.0))
    assert posterior.noise == pytest.approx(1e-4, rel=1e-3)


@pytest.mark.parametrize("priors", list(Priors))
def test_same_seed_gives_the_same_fit(priors: Priors) -> None:
    inputs, outcomes = make_data(20)
    first = fit_posterior(inputs, outcomes, seed=3, priors=priors)
    assert first.to_dict() == fit_posterior(inputs, outcomes, seed=3, priors=priors).to_dict()


def test_global_generators_are_left_alone() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    fit_posterior(*make_data(12))
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


def test_global_seeds_have_no_effect() -> None:
    inputs, outcomes = make_data(12)
    fits = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        fits.append(fit_posterior(inputs, outcomes).to_dict())
    assert fits[0] == fits[1]


def test_more_restarts_never_end_at_a_lower_density() -> None:
    inputs, outcomes = make_data(15, noise=0.1)

    def density(restarts: int) -> float:
        posterior = fit_posterior(inputs, outcomes, restarts=restarts)
        factor = posterior.cholesky
        whitened = np.linalg.solve(factor, posterior.standardised)
        likelihood = -0.5 * whitened @ whitened - np.log(np.diag(factor)).sum()
        lengths = np.log(posterior.lengthscales)
        prior = -(((lengths - np.sqrt(2) - np.log(2) / 2) ** 2) / 6 + lengths).sum()
        log_noise = np.log(posterior.noise)
        return float(likelihood + prior - (log_noise + 4) ** 2 / 2 - log_noise)

    assert density(6) >= density(1) - 1e-4


@pytest.mark.parametrize("priors", list(Priors))
def test_a_member_of_a_batch_is_fitted_as_if_alone(priors: Priors) -> None:
    sets = [make_data(14, noise=0.05, seed=seed) for seed in range(4)]
    inputs, outcomes = np.stack([a for a, _ in sets]), np.stack([b for _, b in sets])
    points = np.random.default_rng(1).random((20, 2))
    for i, posterior in enumerate(fit_posteriors(inputs, outcomes, priors=priors)):
        alone = fit_posterior(inputs[i], outcomes[i], priors=priors)
        np.testing.assert_allclose(posterior.predict(points)[0], alone.predict(points)[0], rtol=0, atol=1e-3)


def test_many_noisy_residuals_are_fitted_without_one_spoiling_the_rest() -> None:
    rng = np.random.default_rng(1)
    inputs = np.sort(rng.random((200, 10, 1)), axis=1)
    truth = 0.3 * np.sin(5 * inputs[..., 0])
    outcomes = truth + 0.03 * rng.standard_normal((200, 10))
    posteriors = fit_posteriors(inputs, outcomes, restarts=1, priors=Priors.NOISY)
    errors = [np.abs(p.predict(p.inputs)[0] - t).mean() for p, t in zip(posteriors, truth, strict=True)]
    assert np.quantile(errors, 0.95) < 0.04


def test_residual_priors_take_pure_noise_for_noise() -> None:
    rng = np.random.default_rng(2)
    posterior = fit_posterior(rng.random((60, 1)), rng.standard_normal(60), priors=Priors.NOISY)
    mean, _ = posterior.predict(np.linspace(0, 1, 50)[:, None])
    assert np.abs(mean - posterior.outcome_mean).max() < 0.6
    assert posterior.noise > 0.6


def test_a_member_without_spread_stays_at_its_value() -> None:
    inputs = np.random.default_rng(3).random((2, 6, 1))
    outcomes = np.stack([np.full(6, 0.7), np.linspace(0, 1, 6)])
    flat, _ = fit_posteriors(inputs, outcomes, priors=Priors.NOISY)
    np.testing.assert_allclose(flat.predict(np.linspace(0, 1, 9)[:, None])[0], 0.7, rtol=0, atol=1e-12)
