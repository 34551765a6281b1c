"""Fit exact GPs with GPyTorch and BoTorch. The only file of this package that imports torch.

All fits of a call, and all restarts of each, are one batch: BoTorch's L-BFGS-B moves every member on its own. One
thread does it: matrices of tens of observations gain nothing from more, and lose a lot where cores are busy
(`gpscale.threads`).

Notation: b batch members, n observations, d inputs, R restarts.

Priors are BoTorch's, two sets of them:

    `Priors.SURFACE`   The default of `SingleTaskGP`: lengthscales LogNormal(sqrt(2) + log(d) / 2, sqrt(3)), noise
                       LogNormal(-4, 1), both floored. No outputscale: outcomes are standardised, so the prior variance
                       is 1 already, and with tens of observations a free outputscale and long lengthscales explain the
                       same slow trends, which makes the fit ill-determined.
    `Priors.NOISY`     For what may be all noise, such as what a trend leaves over, or a surface over some of the
                       factors, to which the others are noise: lengthscale Gamma(3, 6), outputscale Gamma(2, 0.15),
                       noise Gamma(1.1, 0.05). The noise is not expected to be small, and the outputscale can shrink.
                       The mean is zero, for the outcomes are centred.

Source: Hvarfner, Hellsten and Nardi 2024, "Vanilla Bayesian Optimization Performs Great in High Dimensions" (SURFACE);
`botorch.models.utils.gpytorch_modules` (both).
"""

from __future__ import annotations

import enum

import numpy as np
import numpy.typing as npt
import torch
from botorch.models import SingleTaskGP
from botorch.models.utils.gpytorch_modules import (
    get_covar_module_with_dim_scaled_prior,
    get_gaussian_likelihood_with_gamma_prior,
    get_gaussian_likelihood_with_lognormal_prior,
    get_matern_kernel_with_gamma_prior,
)
from botorch.optim.fit import fit_gpytorch_mll_scipy
from gpytorch.constraints import GreaterThan
from gpytorch.means import ConstantMean, Mean, ZeroMean
from gpytorch.mlls import ExactMarginalLogLikelihood
from linear_operator.utils.errors import NanError, NotPSDError

from gpscale.errors import FitError
from gpscale.surrogate.posterior import FloatArray, GPPosterior
from gpscale.threads import one_thread

_START_LENGTHSCALES = (0.1, 4.0)
_START_NOISES = (1e-3, 0.5)
"""Restarts begin log-uniformly between these, in units of the cube and of the standardised outcomes."""


_LENGTHSCALE_FLOOR = 2.5e-2
_OUTPUTSCALE_FLOOR = 1e-4
"""The lengthscale's is the floor that the priors of surfaces bring along."""


class Priors(enum.Enum):
    """Which of BoTorch's two sets of priors a fit uses; the module's docstring has both."""

    SURFACE = "surface"
    NOISY = "noisy"


def fit_posterior(
    inputs: npt.ArrayLike, outcomes: npt.ArrayLike, *, seed: int = 0, restarts: int = 4, priors: Priors = Priors.SURFACE
) -> GPPosterior:
    """Fit one GP; `fit_posteriors` with a batch of one.

    Args:
        inputs: (n, d), in [0, 1].
        outcomes: (n,), in any unit.
        seed: Fixes the restarts.
        restarts: Starting points of the optimiser, >= 1.
        priors: Which priors.

    Raises:
        FitError: No restart gave a finite posterior density.
    """
    inputs, outcomes = np.asarray(inputs, dtype=np.float64), np.asarray(outcomes, dtype=np.float64)
    return fit_posteriors(inputs[None], outcomes[None], seed=seed, restarts=restarts, priors=priors)[0]


def fit_posteriors(
    inputs: FloatArray, outcomes: FloatArray, *, seed: int = 0, restarts: int = 4, priors: Priors = Priors.SURFACE
) -> list[GPPosterior]:
    """Fit the hyperparameters of many GPs by maximum a posteriori, each from several starts, and keep each one's best.

    The first start is BoTorch's own, the others are drawn. torch's and numpy's global generators are not
    touched.

    Args:
        inputs: (b, n, d) float64, in [0, 1].
        outcomes: (b, n) float64, in any unit; a member without spread is left unscaled.
        seed: Fixes the restarts.
        restarts: Starting points of the optimiser, >= 1.
        priors: Which priors.

    Raises:
        FitError: No restart of a member gave a finite posterior density.
    """
    mean = outcomes.mean(axis=1, keepdims=True)
    std = outcomes.std(axis=1, ddof=1, keepdims=True)
    std = np.where(std > 1e-12 * np.maximum(1.0, np.abs(mean)), std, 1.0)
    b = len(inputs)
    x = torch.from_numpy(np.repeat(inputs, restarts, axis=0))
    y = torch.from_numpy(np.repeat((outcomes - mean) / std, restarts, axis=0)[..., None])
    with one_thread():
        mll = _model(x, y, priors)
        _set_starts(mll.model, restarts, np.random.default_rng(seed))
        density = _optimise(mll).reshape(b, restarts)
    if not np.isfinite(density).any(axis=1).all():
        raise FitError(
            f"At least one of {restarts} restarts must end at a finite posterior density. Got none for "
            f"{int((~np.isfinite(density).any(axis=1)).sum())} of {b} fits. Look for repeated or extreme trials."
        )
    best = np.where(np.isfinite(density), density, -np.inf).argmax(axis=1) + restarts * np.arange(b)
    hyper = _hyperparameters(mll.model)
    return [
        GPPosterior(
            inputs=inputs[i],
            outcomes=outcomes[i],
            outcome_mean=float(mean[i, 0]),
            outcome_std=float(std[i, 0]),
            lengthscales=hyper["lengthscales"][k],
            noise=float(hyper["noise"][k]),
            constant=float(hyper["constant"][k]),
            outputscale=float(hyper["outputscale"][k]),
        )
        for i, k in enumerate(best)
    ]


def _model(x: torch.Tensor, y: torch.Tensor, priors: Priors) -> ExactMarginalLogLikelihood:
    """Return the objective of GPs on x (R b, n, d) and standardised y (R b, n, 1)."""
    d, shape = x.shape[-1], x.shape[:-2]
    if priors is Priors.SURFACE:
        kernel = get_covar_module_with_dim_scaled_prior(d, batch_shape=shape, use_rbf_kernel=False)
        likelihood = get_gaussian_likelihood_with_lognormal_prior(batch_shape=shape)
        mean: Mean = ConstantMean(batch_shape=shape)
    else:
        kernel = get_matern_kernel_with_gamma_prior(d, batch_shape=shape)
        # These priors come without floors. A member that ran to zero would be no number, and spoil its whole batch.
        kernel.base_kernel.register_constraint("raw_lengthscale", GreaterThan(_LENGTHSCALE_FLOOR))
        kernel.register_constraint("raw_outputscale", GreaterThan(_OUTPUTSCALE_FLOOR))
        likelihood = get_gaussian_likelihood_with_gamma_prior(batch_shape=shape)
        mean = ZeroMean(batch_shape=shape)
    model = SingleTaskGP(x, y, likelihood=likelihood, covar_module=kernel, mean_module=mean, outcome_transform=None)
    return ExactMarginalLogLikelihood(model.likelihood, model).train()


def _set_starts(model: SingleTaskGP, restarts: int, generator: np.random.Generator) -> None:
    """Draw the starts of every member but its first, which stays where BoTorch puts it."""
    kernel = getattr(model.covar_module, "base_kernel", model.covar_module)
    lengthscale, noise = kernel.lengthscale.detach().clone(), model.likelihood.noise.detach().clone()
    drawn = torch.arange(len(lengthscale)) % restarts > 0
    # Every member gets the same starts, so that a fit does not depend on its neighbours in the batch.
    starts = int(drawn.sum()) // max(1, restarts - 1)
    lengthscale[drawn] = _log_uniform(generator, _START_LENGTHSCALES, (restarts - 1, *lengthscale.shape[1:]), starts)
    noise[drawn] = _log_uniform(generator, _START_NOISES, (restarts - 1, *noise.shape[1:]), starts)
    kernel.lengthscale, model.likelihood.noise = lengthscale, noise


def _log_uniform(
    generator: np.random.Generator, ends: tuple[float, float], shape: tuple[int, ...], repeats: int
) -> torch.Tensor:
    draw = np.exp(generator.uniform(np.log(ends[0]), np.log(ends[1]), shape))
    return torch.from_numpy(np.tile(draw, (repeats,) + (1,) * (len(shape) - 1)))


def _optimise(mll: ExactMarginalLogLikelihood) -> FloatArray:
    """Maximise in place; return the log posterior density of each member and restart, NaN where there is none."""
    try:
        fit_gpytorch_mll_scipy(mll)
        with torch.no_grad():
            density = mll(mll.model(*mll.model.train_inputs), mll.model.train_targets)
    except (NanError, NotPSDError) as error:
        raise FitError(
            "The covariance of the trials must stay positive definite while its hyperparameters are fitted. "
            f"Got: {error}. Look for repeated or extreme trials."
        ) from error
    return np.atleast_1d(density.numpy())


def _hyperparameters(model: SingleTaskGP) -> dict[str, FloatArray]:
    """Return the hyperparameters, first axis over members and restarts."""
    kernel = getattr(model.covar_module, "base_kernel", model.covar_module)
    lengthscales = kernel.lengthscale.detach().numpy()
    members = lengthscales.reshape(-1, lengthscales.shape[-1])
    outputscale = getattr(model.covar_module, "outputscale", torch.ones(len(members)))
    constant = getattr(model.mean_module, "constant", torch.zeros(len(members)))
    return {
        "lengthscales": members,
        "noise": model.likelihood.noise.detach().numpy().reshape(-1),
        "constant": constant.detach().numpy().reshape(-1),
        "outputscale": outputscale.detach().numpy().reshape(-1),
    }
