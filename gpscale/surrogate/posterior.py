"""The posterior of a fitted Gaussian process, evaluated with numpy.

Notation: n observations, m points to predict, d inputs.

    X (n, d), x (m, d)   inputs, unit cube where observations lie
    y (n,)               standardised outcomes, (outcome - outcome_mean) / outcome_std
    k(a, b)              outputscale * Matern-5/2 of the distance of a / lengthscales and b / lengthscales
    K = k(X, X) + noise I = L L^T
    mean(x) = constant + k(x, X) K^-1 (y - constant)
    var(x)  = outputscale - |L^-1 k(X, x)|^2

Source: Eq. 6 of the method paper with the k^T that it lacks; Rasmussen and Williams 2006, Eqs. 2.25 and 2.26. The
variance is that of the surface; Eq. 7's, of one more noisy observation, is `observation_std`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gpscale.threads import one_thread

FloatArray = npt.NDArray[np.float64]

_BLOCK_BYTES = 512 * 1024
"""Size of one n x block buffer. Three of them fit a core's caches; smaller ones leave more of the time to Python."""

_LEAST_BLOCK = 64

_SLAB_BLOCKS = 16
"""Blocks whose points are prepared, and whose results are finished, together: threads wait for each other at every
call of numpy, so that short calls are worth saving."""

_STRIP_ROWS = 16
"""Rows of L^-1 that are multiplied together; the zeros above the diagonal are skipped strip by strip."""

_JITTER = 1e-7
"""What is added to the variance of a draw, in units of the prior's: a standard deviation of 0.03 % of it."""


@dataclasses.dataclass(frozen=True, eq=False)
class GPPosterior:
    """Everything of a fitted exact GP with a Matern-5/2 ARD kernel and a constant mean.

    Attributes:
        inputs: Training inputs, (n, d) float64, in [0, 1].
        outcomes: Training outcomes, (n,) float64, in the user's unit.
        lengthscales: One per input, (d,) float64, > 0, in units of the inputs.
        noise: Variance of an observation around the surface, > 0, in standardised units.
        constant: Prior mean, in standardised units.
        outcome_mean, outcome_std: Standardise the outcomes; `outcome_std` > 0.
        outputscale: Prior variance of the surface, > 0, in standardised units.
    """

    inputs: FloatArray
    outcomes: FloatArray
    lengthscales: FloatArray
    noise: float
    constant: float
    outcome_mean: float
    outcome_std: float
    outputscale: float = 1.0

    def __post_init__(self) -> None:
        for name in ("inputs", "outcomes", "lengthscales"):
            # In C order, so that a stored posterior predicts to the last bit what it did before.
            array = np.array(getattr(self, name), dtype=np.float64, order="C")
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def noise_std(self) -> float:
        """Standard deviation of one observation around the surface, in the outcomes' unit."""
        return float(np.sqrt(self.noise)) * self.outcome_std

    @property
    def standardised(self) -> FloatArray:
        """Outcomes as the GP sees them, prior mean taken off: (n,) float64."""
        return (self.outcomes - self.outcome_mean) / self.outcome_std - self.constant

    def observation_std(self, std: FloatArray) -> FloatArray:
        """Return the standard deviation of one more observation where the surface has `std`.

        Args:
            std: Of the surface, any shape, >= 0, in the outcomes' unit.
        """
        return np.hypot(std, self.noise_std)

    def predict(self, x: npt.ArrayLike, threads: int = 1) -> tuple[FloatArray, FloatArray]:
        """Evaluate the surface, block by block.

        Beyond the results, memory is three buffers of `_BLOCK_BYTES` per thread and a scaled copy of one slab of `x`.

        Args:
            x: Points, (m, d), in the units of `inputs`; they may lie outside the unit cube.
            threads: Slabs that are worked on at the same time. The result does not depend on it.

        Returns:
            Mean and standard deviation of the surface (not of an observation), each (m,) float64, in the outcomes'
            unit.
        """
        points = np.asarray(x, dtype=np.float64)
        mean, std = np.empty(len(points)), np.empty(len(points))
        block = max(_LEAST_BLOCK, _BLOCK_BYTES // (8 * len(self.inputs)))
        slab = block * max(1, min(_SLAB_BLOCKS, len(points) // (block * max(1, threads))))
        starts = range(0, len(points), slab)
        threads = max(1, min(threads, len(starts)))

        def work(first: int) -> None:
            buffers = _Buffers(len(self.inputs), self.inputs.shape[1], min(block, len(points)), min(slab, len(points)))
            for start in starts[first::threads]:
                part = slice(start, start + slab)
                self._predict_slab(points[part], buffers, block, mean[part], std[part])

        # BLAS would use threads of its own for each slab; for fewer points it does not
        with one_thread() if len(points) >= _LEAST_BLOCK else contextlib.nullcontext():
            if threads == 1:
                work(0)
            else:
                # imported here because a recommendation, which needs one thread, should not wait for it
                from concurrent.futures import ThreadPoolExecutor

                with ThreadPoolExecutor(threads) as pool:
                    list(pool.map(work, range(threads)))
        return mean, std

    def joint(self, x: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return what is known of the surface at m points together.

        Args:
            x: Points, (m, d), in the units of `inputs`.

        Returns:
            Mean, (m,) float64, and covariance, (m, m) float64, of the surface (not of observations), in the outcomes'
            unit and its square. What `predict` returns is the mean and the root of the diagonal.
        """
        points = np.asarray(x, dtype=np.float64)
        projected = self._projection @ self.cross_covariance(points)
        prior = dataclasses.replace(self, inputs=points, outcomes=np.zeros(len(points))).cross_covariance(points)
        covariance = prior - projected[:-1].T @ projected[:-1]
        mean = self.outcome_mean + self.outcome_std * (self.constant + projected[-1])
        return mean, self.outcome_std**2 * (covariance + covariance.T) / 2

    def draw(self, x: npt.ArrayLike, count: int, generator: np.random.Generator) -> FloatArray:
        """Draw surfaces from the posterior, as they are at m points.

        Args:
            x: Points, (m, d), in the units of `inputs`.
            count: How many surfaces.
            generator: Draws them.

        Returns:
            (count, m) float64, in the outcomes' unit, without the noise of an observation.
        """
        with one_thread():
            return self._draw(x, count, generator)

    def _draw(self, x: npt.ArrayLike, count: int, generator: np.random.Generator) -> FloatArray:
        mean, covariance = self.joint(x)
        # Points that lie close together make the covariance singular within rounding.
        covariance[np.diag_indices_from(covariance)] += _JITTER * self.outputscale * self.outcome_std**2
        factor = np.linalg.cholesky(covariance)
        return np.asarray(mean + generator.standard_normal((count, len(mean))) @ factor.T, dtype=np.float64)

    def widened(self, factor: float) -> GPPosterior:
        """Return the same surface with all of its standard deviations, that of the noise among them, so much larger.

        Kernel and noise grow together, so the mean stays what it is.

        Args:
            factor: Over what they are, > 0.
        """
        return dataclasses.replace(self, outputscale=self.outputscale * factor**2, noise=self.noise * factor**2)

    def cross_covariance(self, x: npt.ArrayLike) -> FloatArray:
        """Return k(X, x) in standardised units: (n, m) float64."""
        points = np.asarray(x, dtype=np.float64)
        augmented = self._augment(points, np.empty((points.shape[1] + 2, len(points))))
        covariance = np.empty((len(self.inputs), len(points)))
        self._fill_covariance(augmented, covariance, np.empty_like(covariance))
        return covariance

    @functools.cached_property
    def cholesky(self) -> FloatArray:
        """L of K = L L^T: (n, n) float64, lower triangular. The noise floor keeps K well-conditioned."""
        covariance = self.cross_covariance(self.inputs)
        covariance = (covariance + covariance.T) / 2
        covariance[np.diag_indices_from(covariance)] = self.outputscale + self.noise
        return np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; floats survive exactly."""
        return {
            field.name: value.tolist() if isinstance(value := getattr(self, field.name), np.ndarray) else float(value)
            for field in dataclasses.fields(self)
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> GPPosterior:
        """Read a posterior written by `to_dict`."""
        return cls(**{field.name: values[field.name] for field in dataclasses.fields(cls)})

    @functools.cached_property
    def _projection(self) -> FloatArray:
        """L^-1 with the row (y - constant)^T K^-1 below: one product with k(X, x) gives variance and mean."""
        inverse = np.linalg.solve(self.cholesky, np.eye(len(self.inputs)))
        weights = inverse.T @ (inverse @ self.standardised)
        return np.vstack([inverse, weights])

    @functools.cached_property
    def _augmented_inputs(self) -> FloatArray:
        """Left factor of `augmented_inputs @ augmented_points` = 5 * squared distance: (n, d + 2)."""
        scaled = (self.inputs - self._centre) * (np.sqrt(5.0) / self.lengthscales)
        return np.column_stack([-2.0 * scaled, np.square(scaled).sum(axis=1), np.ones(len(scaled))])

    @functools.cached_property
    def _centre(self) -> FloatArray:
        # The product's rounding error grows with the norms, so they are made small.
        return np.asarray(self.inputs.mean(axis=0), dtype=np.float64)

    def _predict_slab(
        self, points: FloatArray, buffers: _Buffers, block: int, mean: FloatArray, std: FloatArray
    ) -> None:
        augmented = self._augment(points, buffers.points[:, : len(points)])
        for start in range(0, len(points), block):
            part = slice(start, start + block)
            self._predict_block(augmented[:, part], buffers, mean[part], std[part])
        mean *= self.outcome_std
        mean += self.outcome_mean + self.outcome_std * self.constant
        np.subtract(self.outputscale, std, out=std)
        # Rounding can take a variance of zero below zero.
        np.maximum(std, 0.0, out=std)
        np.sqrt(std, out=std)
        std *= self.outcome_std

    def _predict_block(self, augmented: FloatArray, buffers: _Buffers, mean: FloatArray, reduction: FloatArray) -> None:
        """Write the mean less the prior's and what the observations take off its variance, in standardised units."""
        size = augmented.shape[1]
        covariance, projected = buffers.covariance[:, :size], buffers.projected[:, :size]
        self._fill_covariance(augmented, covariance, buffers.distance[:, :size])
        projection, n = self._projection, len(self.inputs)
        for first in range(0, n, _STRIP_ROWS):
            # L^-1 is triangular: a strip of rows needs no more columns than its last row has. The last strip has them
            # all, and the row of the mean with it.
            last = first + _STRIP_ROWS
            rows = slice(first, last if last < n else n + 1)
            np.matmul(projection[rows, :last], covariance[:last], out=projected[rows])
        mean[:] = projected[-1]
        np.einsum("ij,ij->j", projected[:-1], projected[:-1], out=reduction)

    def _augment(self, points: FloatArray, out: FloatArray) -> FloatArray:
        """Write and return the right factor of `augmented_inputs @ augmented_points`: (d + 2, m)."""
        d = points.shape[1]
        np.subtract(points.T, self._centre[:, None], out=out[:d])
        out[:d] *= (np.sqrt(5.0) / self.lengthscales)[:, None]
        out[d] = 1.0
        np.einsum("ij,ij->j", out[:d], out[:d], out=out[d + 1])
        return out

    def _fill_covariance(self, augmented: FloatArray, covariance: FloatArray, s: FloatArray) -> None:
        """Write k(X, points) into `covariance`, with `s` to work in.

        With s = sqrt(5) * distance, Matern-5/2 is (1 + s + s^2 / 3) e^-s.
        """
        np.matmul(self._augmented_inputs, augmented, out=covariance)
        # Rounding can leave a distance of zero a little below zero.
        np.absolute(covariance, out=covariance)
        np.sqrt(covariance, out=s)
        covariance *= 1.0 / 3.0
        covariance += s
        covariance += 1.0
        np.negative(s, out=s)
        np.exp(s, out=s)
        if self.outputscale != 1.0:
            s *= self.outputscale
        covariance *= s


class _Buffers:
    """Memory of one thread, used again for every block."""

    def __init__(self, n: int, d: int, block: int, slab: int) -> None:
        self.points = np.empty((d + 2, slab))
        self.covariance = np.empty((n, block))
        self.distance = np.empty((n, block))
        self.projected = np.empty((n + 1, block))
