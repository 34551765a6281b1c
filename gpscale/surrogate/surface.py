"""Surfaces: accuracy as a Gaussian process of the factors.

The GP's inputs are the logarithms of the realised factors, each scaled to [0, 1] by its span among the observations:
factors multiply a model's cost, so equal steps of a logarithm are equal ratios. A factor that is the same in every
observation is left out of the GP and predictions ignore it.

The joint surface has four factors. The raw one- and two-factor surfaces of the method paper's figures 4 to 7 are the
same class with one or two names; they mean something only where the other factors follow from a fixed budget.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gpscale.errors import FitError, OutOfRangeError
from gpscale.factors import FACTOR_NAMES, FACTOR_SYMBOLS, Factors, check_factor_name
from gpscale.surrogate.posterior import FloatArray, GPPosterior
from gpscale.surrogate.views import SurfaceGrid, SurfaceLine, SurfacePrediction, SurfaceProfile

MIN_OBSERVATIONS = 5
"""Fewest observations of any fit; with d factors it is also at least d + 2."""

Fixed = Factors | Mapping[str, float] | float
"""Where a slice holds the other factors: by name (absent ones at 1), or all at one value.

Each within what the trials span, or 1: the base is what all slices go through, though a sweep may not surround it. A
slice that holds a factor at 1 outside the span says so in its label.
"""


@dataclasses.dataclass(frozen=True, eq=False)
class Surface:
    """The posterior of accuracy over named factors.

    Attributes:
        names: The factors, in the order of every array's columns.
        outcome: `"top1"` or `"top5"`.
        observations: Realised factors of the trials, (n, d) float64, > 0.
        posterior: The GP over the factors that vary, recalibrated.
        recalibration: Factor on all standard deviations that the posterior has in it (`surrogate.calibration`).
    """

    names: tuple[str, ...]
    outcome: str
    observations: FloatArray
    posterior: GPPosterior
    recalibration: float = 1.0

    def __repr__(self) -> str:
        return f"Surface({self.outcome} over {', '.join(self.names)}; {len(self.observations)} observations)"

    @classmethod
    def fit(
        cls,
        factors: npt.ArrayLike,
        names: Sequence[str],
        values: npt.ArrayLike,
        outcome: str = "top1",
        seed: int = 0,
        restarts: int = 4,
    ) -> Surface:
        """Fit a surface to finished trials.

        Args:
            factors: Realised factors, (n, d), > 0, columns as `names`.
            names: d names of factors.
            values: Accuracies, (n,), fractions in [0, 1].
            outcome: What `values` are, `"top1"` or `"top5"`.
            seed: Fixes the restarts of the optimiser.
            restarts: Starting points of the optimiser, >= 1.

        Raises:
            FitError: Too few observations, constant or non-finite values, or no factor that varies.
            UnknownNameError: A name is no factor.
        """
        observations, outcomes = _checked(factors, tuple(names), values, outcome)
        # Here and not above, so that a stored surface predicts where torch is not installed or too slow to import.
        from gpscale.surrogate.fit import Priors, fit_posterior

        low, span, varies = _cube(observations)
        inputs = _to_cube(observations, low, span, varies)
        priors = Priors.NOISY if _is_blurred(names) else Priors.SURFACE
        posterior = fit_posterior(inputs, outcomes, seed=seed, restarts=restarts, priors=priors)
        return cls(tuple(names), outcome, observations, posterior)

    @property
    def values(self) -> FloatArray:
        """Accuracies of the trials, (n,) float64, fractions."""
        return self.posterior.outcomes

    @property
    def noise_estimate(self) -> float:
        """Standard deviation of one training around the surface as it was fitted, a fraction of images.

        It is not recalibrated: the factor pays for what the surface does not know, and is no noise.
        """
        return self.posterior.noise_std / self.recalibration

    @property
    def is_blurred(self) -> bool:
        """Whether it is over some of the factors only; what the others do, which vary too, is noise to it."""
        return _is_blurred(self.names)

    @property
    def constant_names(self) -> tuple[str, ...]:
        """Factors that are the same in every observation; the surface says nothing of them."""
        varies = self._span_of_cube[2]
        return tuple(name for name, free in zip(self.names, varies, strict=True) if not free)

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """Lowest and highest observed value of each factor."""
        low, high = self.observations.min(axis=0), self.observations.max(axis=0)
        return {name: (float(low[i]), float(high[i])) for i, name in enumerate(self.names)}

    def predict(self, factors: npt.ArrayLike, threads: int = 1) -> SurfacePrediction:
        """Evaluate the surface.

        Args:
            factors: (m, d), > 0, columns as `names`.
            threads: Blocks of points that are worked on at the same time.
        """
        points = _to_cube(np.asarray(factors, dtype=np.float64), *self._span_of_cube)
        mean, std = self.posterior.predict(points, threads)
        return SurfacePrediction(mean, std, self.posterior.observation_std(std))

    def contrast(self, factors: npt.ArrayLike, weights: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Evaluate weighted sums of the surface: differences between architectures, for example.

        The noise of a training is not in them: they are of means over trainings.

        Args:
            factors: As in `predict`.
            weights: (k, m), of each point in each sum.

        Returns:
            Expected values and standard deviations, (k,) float64 each.
        """
        points, weighed = _to_cube(np.asarray(factors, dtype=np.float64), *self._span_of_cube), np.asarray(weights)
        mean, covariance = self.posterior.joint(points)
        variances = np.einsum("ij,jk,ik->i", weighed, covariance, weighed)
        return weighed @ mean, np.sqrt(np.maximum(variances, 0.0))

    def draw(self, factors: npt.ArrayLike, count: int, generator: np.random.Generator) -> FloatArray:
        """Draw surfaces from the posterior, as they are at points; the noise of a training is not in them.

        Args:
            factors: As in `predict`.
            count: How many surfaces.
            generator: Draws them.

        Returns:
            (count, m) float64, fractions of images; not clipped.
        """
        points = _to_cube(np.asarray(factors, dtype=np.float64), *self._span_of_cube)
        return self.posterior.draw(points, count, generator)

    def recalibrated(self, factor: float) -> Surface:
        """Return the surface with all of its standard deviations so much larger, and the same mean.

        Args:
            factor: Over what they are, > 0.
        """
        if factor == 1:
            return self
        return dataclasses.replace(
            self, posterior=self.posterior.widened(factor), recalibration=self.recalibration * factor
        )

    def grid(
        self,
        x_name: str,
        y_name: str,
        size: int = 500,
        fixed: Fixed = 1.0,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        threads: int = 1,
    ) -> SurfaceGrid:
        """Cut a slice over two factors.

        Args:
            x_name: The factor of the horizontal axis.
            y_name: The factor of the vertical axis.
            size: Points a side, >= 2.
            fixed: Where the other factors are held.
            bounds: Lowest and highest value of an axis; where absent, those that were observed.
            threads: As in `predict`.

        Raises:
            FitError: An axis is no factor of this surface, or did not vary, or `size` is below 2.
            FactorError: A value of `fixed` is no positive number.
            OutOfRangeError: A value of `fixed` lies outside what the trials span.
        """
        x, y = self._axis(x_name, size, bounds), self._axis(y_name, size, bounds)
        if x_name == y_name:
            raise FitError(f"A grid needs two different factors. Got {x_name!r} twice. Use `line` for one.")
        held = self._held(fixed, (x_name, y_name))
        mean, std = self.posterior.predict(self._slice({x_name: x, y_name: y[:, None]}, held, (size, size)), threads)
        return SurfaceGrid(
            names=(x_name, y_name),
            x=x,
            y=y,
            mean=mean.reshape(size, size),
            std=std.reshape(size, size),
            noise_std=self.posterior.noise_std,
            observations=self.observations[:, [self._column(x_name), self._column(y_name)]],
            fixed=held,
            outcome=self.outcome,
            label=self._slice_label((x_name, y_name), held),
        )

    def line(
        self,
        name: str,
        size: int = 200,
        fixed: Fixed = 1.0,
        bounds: Mapping[str, tuple[float, float]] | None = None,
    ) -> SurfaceLine:
        """Cut a slice along one factor; arguments and errors as in `grid`."""
        x, held = self._axis(name, size, bounds), self._held(fixed, (name,))
        mean, std = self.posterior.predict(self._slice({name: x}, held, (size,)))
        return SurfaceLine(
            name=name,
            x=x,
            mean=mean,
            std=std,
            observation_std=self.posterior.observation_std(std),
            observations=self.observations[:, self._column(name)],
            fixed=held,
            outcome=self.outcome,
            label=self._slice_label((name,), held),
        )

    def profile(self, name: str, candidates: npt.ArrayLike) -> SurfaceProfile:
        """Find the best that the surface promises at each realised level of one factor.

        Candidates of about equal MACs make it an iso-MAC profile; which they are is the caller's choice.

        Args:
            name: The factor.
            candidates: Realised factors of architectures, (m, d), m >= 1, columns as `names`.

        Raises:
            FitError: `name` is no factor of this surface, or did not vary, or there is no candidate.
        """
        points, column = np.asarray(candidates, dtype=np.float64), self._varying_column(name)
        if points.size == 0:
            raise FitError(f"A profile along {name} needs candidates. Got none. Widen the band of MACs.")
        found = self.predict(points)
        # Rounded, so that the same ratio reached by two divisions is one level.
        levels, level_of = np.unique(points[:, column].round(9), return_inverse=True)
        order = np.lexsort((-found.mean, level_of))
        rows = order[np.unique(level_of[order], return_index=True)[1]]
        return SurfaceProfile(
            name=name,
            levels=levels,
            mean=found.mean[rows],
            std=found.std[rows],
            observation_std=found.observation_std[rows],
            rows=rows.astype(np.int64),
            outcome=self.outcome,
            label=f"best {self.outcome} of {len(points)} architectures at each {name}",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; floats survive exactly."""
        return {
            "names": list(self.names),
            "outcome": self.outcome,
            "observations": self.observations.tolist(),
            "posterior": self.posterior.to_dict(),
            "recalibration": self.recalibration,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Surface:
        """Read a surface written by `to_dict`."""
        return cls(
            names=tuple(values["names"]),
            outcome=values["outcome"],
            observations=np.array(values["observations"], dtype=np.float64),
            posterior=GPPosterior.from_dict(values["posterior"]),
            # surfaces that an earlier version has stored were never recalibrated
            recalibration=float(values.get("recalibration", 1.0)),
        )

    @functools.cached_property
    def _span_of_cube(self) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
        return _cube(self.observations)

    def _column(self, name: str) -> int:
        check_factor_name(name)
        if name not in self.names:
            raise FitError(
                f"A view needs a factor of its surface. Got {name!r}; this surface has {', '.join(self.names)}. "
                "Use one of these, or the joint surface."
            )
        return self.names.index(name)

    def _varying_column(self, name: str) -> int:
        if name in self.constant_names:
            raise FitError(
                f"A view along {name} needs trials in which it varies. Got {self.bounds[name][0]:g} in all "
                f"{len(self.observations)}. Use another factor, or widen `space.{name}`."
            )
        return self._column(name)

    def _axis(self, name: str, size: int, bounds: Mapping[str, tuple[float, float]] | None) -> FloatArray:
        self._varying_column(name)
        if size < 2:
            raise FitError(f"A slice needs `size` of at least 2 points a side. Got {size}. Ask for more.")
        low, high = (bounds or {}).get(name, self.bounds[name])
        return np.linspace(low, high, size)

    def _held(self, fixed: Fixed, free: tuple[str, ...]) -> dict[str, float]:
        """Return the value of each factor of the surface that is not free."""
        if not isinstance(fixed, Factors):
            by_name = fixed if isinstance(fixed, Mapping) else dict.fromkeys(FACTOR_NAMES, fixed)
            fixed = Factors.from_dict(by_name)
        given = fixed.to_dict()
        held = {name: given[name] for name in self.names if name not in free}
        for name in self._beyond(held):
            low, high = self.bounds[name]
            if held[name] != 1:
                raise OutOfRangeError(
                    f"`fixed` must hold {name} within what the trials span, or at 1. Got {held[name]:g}, but they span "
                    f"[{low:.4g}, {high:.4g}]. Hold it there, or widen `space.{name}` and sweep again."
                )
        return held

    def _beyond(self, held: Mapping[str, float]) -> list[str]:
        """Return the factors that are held outside the observed bounds; rounding of a ratio is not outside."""
        spans = ((name, *self.bounds[name]) for name in held)
        return [name for name, low, high in spans if not low * (1 - 1e-9) <= held[name] <= high * (1 + 1e-9)]

    def _slice(self, axes: Mapping[str, FloatArray], held: Mapping[str, float], shape: tuple[int, ...]) -> FloatArray:
        """Return the points of a regular grid as inputs of the GP; each value of an axis is transformed once.

        Args:
            axes: Values of the free factors, which broadcast to `shape`.
            held: Values of the others.
            shape: Of the grid.

        Returns:
            (points, number of factors that vary) float64, the grid in C order.
        """
        low, span, varies = self._span_of_cube
        columns = np.empty((int(varies.sum()), *shape))
        for column, place in zip(columns, np.flatnonzero(varies), strict=True):
            name = self.names[place]
            column[...] = (np.log(axes[name] if name in axes else held[name]) - low[place]) / span[place]
        return columns.reshape(len(columns), -1).T

    def _slice_label(self, free: tuple[str, ...], held: Mapping[str, float]) -> str:
        if not held:
            return f"{self.outcome} over {' and '.join(free)}"
        beyond = self._beyond(held)
        at = ", ".join(
            f"{FACTOR_SYMBOLS[name]}={value:g}{' (extrapolated)' if name in beyond else ''}"
            for name, value in held.items()
        )
        return f"slice of the joint {self.outcome} surface over {' and '.join(free)} at {at}; MACs vary"


def _checked(
    factors: npt.ArrayLike, names: tuple[str, ...], values: npt.ArrayLike, outcome: str
) -> tuple[FloatArray, FloatArray]:
    """Return observations and outcomes as arrays if a surface can be fitted to them.

    Raises:
        FitError: It cannot.
        UnknownNameError: A name is no factor.
    """
    for name in names:
        check_factor_name(name)
    observations = np.array(factors, dtype=np.float64, order="C")
    outcomes = np.array(values, dtype=np.float64)
    if observations.shape != (len(outcomes), len(names)) or outcomes.ndim != 1:
        raise FitError(
            f"Factors must be (n, {len(names)}) and values (n,). Got {observations.shape} and {outcomes.shape}. "
            "Give one row a trial and one column a factor."
        )
    needed = max(MIN_OBSERVATIONS, len(names) + 2)
    if len(outcomes) < needed:
        raise FitError(
            f"A surface over {len(names)} factors needs at least {needed} finished trials. Got {len(outcomes)}. "
            "Run more trials (`--trials`)."
        )
    if not (np.isfinite(observations).all() and (observations > 0).all()):
        raise FitError("Factors must be positive and finite. Got others. Look at the trials' architectures.")
    if not ((outcomes >= 0) & (outcomes <= 1)).all():
        raise FitError(
            f"{outcome} must be fractions in [0, 1]. Got {outcomes.min():g} to {outcomes.max():g}, "
            f"{np.isnan(outcomes).sum()} of {len(outcomes)} no number. Divide percent by 100; leave failed trials out."
        )
    if np.ptp(outcomes) == 0:
        raise FitError(
            f"{outcome} must differ between trials. Got {outcomes[0]:g} in all {len(outcomes)}. "
            "Train longer, or on a harder data set."
        )
    if not _cube(observations)[2].any():
        raise FitError(
            f"At least one of {', '.join(names)} must vary. Got {len(outcomes)} trials of equal factors. Widen `space`."
        )
    return observations, outcomes


def _is_blurred(names: Sequence[str]) -> bool:
    return set(names) != set(FACTOR_NAMES)


def _cube(observations: FloatArray) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Return lowest log factor, span of log factors (d,) each, and which factors vary."""
    logs = np.log(observations)
    low, span = logs.min(axis=0), np.ptp(logs, axis=0)
    return low, span, span > 1e-9


def _to_cube(factors: FloatArray, low: FloatArray, span: FloatArray, varies: npt.NDArray[np.bool_]) -> FloatArray:
    """Return inputs of the GP: (m, number of factors that vary) float64, in [0, 1] inside the observed span."""
    return (np.log(factors[:, varies]) - low[varies]) / span[varies]
