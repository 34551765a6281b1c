"""The numpy posterior against GPyTorch, and its promises on memory and blocks."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import torch
from botorch.models import SingleTaskGP
from botorch.models.transforms import Standardize
from gpytorch.kernels import MaternKernel, ScaleKernel

from gpscale.surrogate.posterior import GPPosterior


def make_posterior(n: int = 30, d: int = 4, outputscale: float = 1.0, seed: int = 0) -> GPPosterior:
    rng = np.random.default_rng(seed)
    inputs = rng.random((n, d))
    outcomes = 0.6 + 0.1 * np.sin(3 * inputs.sum(axis=1)) + 0.005 * rng.standard_normal(n)
    return GPPosterior(
        inputs=inputs,
        outcomes=outcomes,
        lengthscales=rng.uniform(0.3, 1.5, d),
        noise=3e-3,
        constant=0.2,
        outcome_mean=float(outcomes.mean()),
        outcome_std=float(outcomes.std(ddof=1)),
        outputscale=outputscale,
    )


def as_botorch(posterior: GPPosterior) -> SingleTaskGP:
    d = posterior.inputs.shape[1]
    model = SingleTaskGP(
        torch.tensor(posterior.inputs),
        torch.tensor(posterior.outcomes)[:, None],
        covar_module=ScaleKernel(MaternKernel(nu=2.5, ard_num_dims=d)),
        outcome_transform=Standardize(1),
    )
    model.covar_module.base_kernel.lengthscale = torch.tensor(posterior.lengthscales)
    model.covar_module.outputscale = posterior.outputscale
    model.likelihood.noise = posterior.noise
    model.mean_module.constant = posterior.constant
    return model.eval()


def botorch_predict(posterior: GPPosterior, points: np.ndarray, noise: bool = False) -> tuple[np.ndarray, np.ndarray]:
    with torch.no_grad():
        found = as_botorch(posterior).posterior(torch.tensor(points), observation_noise=noise)
        return found.mean[:, 0].detach().numpy(), found.variance[:, 0].sqrt().detach().numpy()


@pytest.mark.parametrize(("n", "d", "outputscale"), [(30, 4, 1.0), (12, 1, 2.5), (100, 2, 0.3), (5, 4, 1.0)])
def test_mean_and_both_deviations_equal_gpytorch(n: int, d: int, outputscale: float) -> None:
    posterior = make_posterior(n, d, outputscale)
    points = np.random.default_rng(1).uniform(-0.5, 1.5, (700, d))
    # Points on observations and next to them are where distances by a matrix product lose digits.
    points = np.vstack([points, posterior.inputs, posterior.inputs + 1e-9])
    mean, std = posterior.predict(points)
    np.testing.assert_allclose((mean, std), botorch_predict(posterior, points), rtol=0, atol=1e-8)
    _, expected = botorch_predict(posterior, points, noise=True)
    np.testing.assert_allclose(posterior.observation_std(std), expected, rtol=0, atol=1e-8)


def test_short_lengthscales_and_the_noise_floor_still_equal_gpytorch() -> None:
    posterior = make_posterior(40, 4)
    posterior = GPPosterior.from_dict({**posterior.to_dict(), "lengthscales": [0.025, 5.0, 60.0, 0.2], "noise": 1e-4})
    points = np.random.default_rng(1).uniform(0, 1, (500, 4))
    np.testing.assert_allclose(posterior.predict(points), botorch_predict(posterior, points), rtol=0, atol=1e-8)


def test_far_from_observations_the_surface_is_the_prior() -> None:
    posterior = make_posterior()
    mean, std = posterior.predict(np.full((1, 4), 1e3))
    assert mean[0] == pytest.approx(posterior.outcome_mean + posterior.constant * posterior.outcome_std, rel=1e-12)
    assert std[0] == pytest.approx(posterior.outcome_std, rel=1e-12)


def test_prediction_does_not_depend_on_threads_or_on_neighbouring_points() -> None:
    posterior = make_posterior()
    points = np.random.default_rng(2).random((9001, 4))
    mean, std = posterior.predict(points)
    for got in (posterior.predict(points, threads=2), posterior.predict(points, threads=50)):
        np.testing.assert_array_equal(got, (mean, std))
    few = posterior.predict(points[[0, 5000, 9000]])
    np.testing.assert_allclose(few, (mean[[0, 5000, 9000]], std[[0, 5000, 9000]]), rtol=0, atol=1e-13)


def test_no_points_give_no_predictions() -> None:
    mean, std = make_posterior().predict(np.empty((0, 4)))
    assert mean.shape == std.shape == (0,)


def test_a_grid_of_500_by_500_needs_little_more_memory_than_its_result() -> None:
    posterior = make_posterior(60)
    points = np.random.default_rng(3).random((250_000, 4))
    posterior.predict(points[:10])
    tracemalloc.start()
    try:
        result = posterior.predict(points, threads=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - sum(array.nbytes for array in result) < 64 * 2**20


def test_floats_survive_json_exactly() -> None:
    posterior = make_posterior()
    again = GPPosterior.from_dict(json.loads(json.dumps(posterior.to_dict())))
    points = np.random.default_rng(4).random((50, 4))
    assert again.to_dict() == posterior.to_dict()
    np.testing.assert_array_equal(again.predict(points), posterior.predict(points))


def test_arrays_are_copied_and_cannot_be_written_to() -> None:
    inputs = np.random.default_rng(5).random((6, 1))
    posterior = GPPosterior(inputs, np.arange(6.0), np.ones(1), 0.1, 0.0, 0.0, 1.0)
    inputs[:] = 0.0
    assert posterior.inputs.any()
    with pytest.raises(ValueError, match="read-only"):
        posterior.inputs[0] = 1.0


def test_a_stored_surface_predicts_without_heavy_imports() -> None:
    script = (
        "import sys, gpscale.surrogate.surface, gpscale.rules;"
        "bad = {'torch', 'pandas', 'scipy', 'pydantic', 'pymoo'} & set(sys.modules);"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_what_is_known_of_points_together_is_what_botorch_knows() -> None:
    posterior = make_posterior(outputscale=1.4)
    points = np.random.default_rng(1).uniform(-0.2, 1.2, (25, 4))
    mean, covariance = posterior.joint(points)
    with torch.no_grad():
        expected = as_botorch(posterior).posterior(torch.tensor(points))
    np.testing.assert_allclose(mean, expected.mean.numpy()[:, 0], atol=1e-8)
    np.testing.assert_allclose(covariance, expected.mvn.covariance_matrix.numpy(), atol=1e-8)
    predicted, std = posterior.predict(points)
    np.testing.assert_allclose(mean, predicted, atol=1e-10)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), std, atol=1e-8)


def test_surfaces_that_are_drawn_have_the_posteriors_mean_and_covariance() -> None:
    posterior = make_posterior(n=8)
    # twice the same point: the covariance is singular
    points = np.random.default_rng(1).random((6, 4))[[0, 1, 2, 3, 4, 5, 5]]
    mean, covariance = posterior.joint(points)
    drawn = posterior.draw(points, 20_000, np.random.default_rng(2))
    scale = float(np.sqrt(np.diag(covariance)).max())
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.05 * scale)
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.05 * scale**2)
    assert np.abs(drawn[:, 5] - drawn[:, 6]).max() < 0.01 * scale
    np.testing.assert_array_equal(
        posterior.draw(points, 3, np.random.default_rng(2)), posterior.draw(points, 3, np.random.default_rng(2))
    )
