"""How well a surface predicts a trial that it has not seen, and whether it knows more than MACs do.

Everything is leave-one-out, for one more training (noise included). What is left out is an architecture: where it was
trained with several seeds, all its trainings at once, and what is predicted is their mean. The closed form at the
fitted hyperparameters is not enough: four lengthscales that have seen a trial know something of it, and on accuracies
of pure noise such scores prefer four factors to MACs nine times of ten. So the hyperparameters that judge a trial are
fitted without it, in up to `MAX_FOLDS` folds; given them, each one of the fold is predicted from all others in closed
form.

A four-factor surface is worth having only if it beats a GP on log MACs alone; the verdict says whether it does. That is
judged by both as they were fitted; intervals of the surface are then recalibrated (`surrogate.calibration`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gpscale.errors import FitError
from gpscale.surrogate.calibration import LEAST, MOST, Coverage, coverage, factors_from_others, recalibration
from gpscale.surrogate.posterior import FloatArray, GPPosterior
from gpscale.surrogate.surface import Surface
from gpscale.units import Z95

MAX_FOLDS = 20
"""Most fits of hyperparameters for the scores of one GP; with no more trials than that, each trial has its own."""

Rows = npt.NDArray[np.int64]
"""Rows of observations, (k,) int64, k >= 1."""


@dataclasses.dataclass(frozen=True)
class Scores:
    """Leave-one-out scores of one GP over n architectures.

    Attributes:
        rmse: Root mean squared error, a fraction of images.
        nlpd: Mean negative log predictive density, nats each, of outcomes as fractions; lower is better.
        spearman: Rank correlation of predicted and measured, in [-1, 1]; 0 where predictions are all equal.
        coverage: Share of those inside their 95 % interval as fitted, in [0, 1].
    """

    rmse: float
    nlpd: float
    spearman: float
    coverage: float


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """What one GP predicts of each of n architectures that it has not seen.

    Attributes:
        mean: n fractions of images.
        std: Standard deviation of what was measured: of one training (noise included), or of the mean of as many as
            there were; n fractions, > 0.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Diagnostics:
    """Scores of a surface beside those of a GP on log MACs alone, and the predictions behind them.

    Attributes:
        outcome: `"top1"` or `"top5"`.
        n: Architectures.
        joint: Scores of the surface.
        log_macs: Scores of the GP on log MACs alone.
        nlpd_gain: Mean gain of log density of the surface over `log_macs`, nats each.
        nlpd_gain_error: Standard error of that mean.
        measured: Outcome of each architecture, n fractions, in the order in which the surface's observations have them
            first.
        joint_left_out: Predictions of the surface, as fitted.
        log_macs_left_out: Predictions of the GP on log MACs alone.
        recalibration: Factor on all standard deviations of the surface, chosen from these predictions; 1 where its 95 %
            intervals hold as they should.
    """

    outcome: str
    n: int
    joint: Scores
    log_macs: Scores
    nlpd_gain: float
    nlpd_gain_error: float
    measured: tuple[float, ...]
    joint_left_out: LeftOut
    log_macs_left_out: LeftOut
    recalibration: float = 1.0

    def __repr__(self) -> str:
        return f"Diagnostics({self.verdict.removesuffix('.')})"

    @property
    def left_out_recalibration(self) -> FloatArray:
        """Factor on each standard deviation of `joint_left_out`, from all trials but that one; (n,) float64."""
        return np.ones(self.n) if self.recalibration == 1 else factors_from_others(self._residuals)

    @property
    def coverage(self) -> tuple[Coverage, ...]:
        """What the surface's intervals hold as fitted, and when they are recalibrated."""
        return coverage(self._residuals, self.left_out_recalibration)

    @property
    def calibration(self) -> str:
        """One sentence for every summary."""
        last = self.coverage[-1]
        held = f"The 95 % intervals of the {self._name} surface hold {last.before:.0%} of {self.n} unseen trials"
        if self.recalibration != 1:
            return (
                f"{held}, and are recalibrated to hold about as many as they promise: every standard deviation is "
                f"multiplied by {self.recalibration:.2f}."
            )
        if LEAST <= last.before <= MOST:
            return f"{held}, and stay as they are."
        return f"{held}, and an earlier version of gpscale left them so; `gpscale fit` recalibrates them."

    @property
    def _name(self) -> str:
        return self.outcome.replace("top", "top-")

    @property
    def _residuals(self) -> FloatArray:
        return _residuals(
            np.array(self.measured), np.array(self.joint_left_out.mean), np.array(self.joint_left_out.std)
        )

    @property
    def knows_more_than_macs(self) -> bool:
        """Whether the surface beats log MACs in RMSE, and in log density by more than one standard error."""
        return self.joint.rmse < self.log_macs.rmse and self.nlpd_gain > self.nlpd_gain_error

    @property
    def verdict(self) -> str:
        """One sentence for every summary."""
        knows = "more than MACs do" if self.knows_more_than_macs else "no more than MACs do"
        return (
            f"The {self._name} surface knows {knows}: leave-one-out RMSE {100 * self.joint.rmse:.2f} points "
            f"against {100 * self.log_macs.rmse:.2f} of a GP on log MACs alone, log density "
            f"{self.nlpd_gain:+.2f} +- {self.nlpd_gain_error:.2f} nats a trial ({self.n} trials)."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values, verdict and coverage among them."""
        derived = {
            "knows_more_than_macs": self.knows_more_than_macs,
            "verdict": self.verdict,
            "calibration": self.calibration,
            "coverage": [dataclasses.asdict(one) for one in self.coverage],
        }
        return {**dataclasses.asdict(self), **derived}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Diagnostics:
        """Read diagnostics written by `to_dict`."""
        # what an earlier version has stored was never recalibrated
        fields = {"recalibration": 1.0, **values}
        fields = {field.name: fields[field.name] for field in dataclasses.fields(cls)}
        fields["measured"] = tuple(fields["measured"])
        for name in ("joint", "log_macs"):
            fields[name] = Scores(**fields[name])
            left_out = {key: tuple(column) for key, column in fields[f"{name}_left_out"].items()}
            fields[f"{name}_left_out"] = LeftOut(**left_out)
        return cls(**fields)


def leave_one_out(posterior: GPPosterior, groups: Sequence[Rows] | None = None) -> tuple[FloatArray, FloatArray]:
    """Predict the mean of each group of observations from all others, hyperparameters and standardisation as fitted.

    Args:
        posterior: Of n observations.
        groups: Rows of g groups that do not overlap; None for each observation on its own.

    Returns:
        Mean and standard deviation of the mean observation (noise included), each (g,) float64, in the outcomes' unit.

    Source: Rasmussen and Williams 2006, Eqs. 5.10 to 5.12, with blocks of the inverse in the place of its diagonal.
    """
    if groups is None:
        groups = _each_alone(len(posterior.inputs))
    inverse_factor = np.linalg.solve(posterior.cholesky, np.eye(len(posterior.inputs)))
    weights = inverse_factor.T @ (inverse_factor @ posterior.standardised)
    mean, std = np.empty(len(groups)), np.empty(len(groups))
    for k, rows in enumerate(groups):
        columns = inverse_factor[:, rows]
        covariance = np.linalg.inv(columns.T @ columns)
        mean[k] = np.mean(posterior.outcomes[rows] - posterior.outcome_std * (covariance @ weights[rows]))
        std[k] = posterior.outcome_std * np.sqrt(covariance.mean())
    return mean, std


def cross_fit(
    inputs: FloatArray,
    outcomes: FloatArray,
    groups: Sequence[Rows] | None = None,
    seed: int = 0,
    restarts: int = 2,
    *,
    blurred: bool = False,
) -> tuple[FloatArray, FloatArray]:
    """Predict the mean of each group from all other observations, with hyperparameters that have not seen it.

    Args:
        inputs: (n, d) float64, in [0, 1].
        outcomes: (n,) float64, in any unit.
        groups: Rows of g groups, which together are all; None for each observation on its own.
        seed: Fixes the restarts.
        restarts: Starting points of each fit's optimiser, >= 1.
        blurred: As `Surface.is_blurred`: it decides the priors.

    Returns:
        Mean and standard deviation of the mean observation (noise included), each (g,) float64, in the outcomes' unit.
    """
    from gpscale.surrogate.fit import Priors, fit_posteriors

    if groups is None:
        groups = _each_alone(len(outcomes))
    folds = _folds(inputs, outcomes, groups)
    rows_of = [np.concatenate([groups[member] for member in fold]) for fold in folds]
    # All fits of a batch have as many trials: folds that are short leave out some more.
    longest = max(map(len, rows_of))
    others = [np.concatenate([rows_of[k - 1 - j] for j in range(len(folds) - 1)]) for k in range(len(folds))]
    left_out = [np.append(rows, more[: longest - len(rows)]) for rows, more in zip(rows_of, others, strict=True)]
    kept = np.array([np.delete(np.arange(len(outcomes)), rows) for rows in left_out])
    mean, std = np.empty(len(groups)), np.empty(len(groups))
    priors = Priors.NOISY if blurred else Priors.SURFACE
    fits = fit_posteriors(inputs[kept], outcomes[kept], seed=seed, restarts=restarts, priors=priors)
    for fold, fitted in zip(folds, fits, strict=True):
        everything = dataclasses.replace(fitted, inputs=inputs, outcomes=outcomes)
        mean[fold], std[fold] = leave_one_out(everything, [groups[member] for member in fold])
    return mean, std


def diagnose(
    surface: Surface,
    macs: npt.ArrayLike,
    groups: Sequence[Rows] | None = None,
    seed: int = 0,
    restarts: int = 2,
) -> Diagnostics:
    """Score a surface beside a GP on log MACs alone, both fitted again without the trials that they are scored on.

    Args:
        surface: The surface.
        macs: Multiply-accumulates of its trials, (n,), > 0, in their order. Ratios to the base do as well.
        groups: Rows of the trials of each architecture; None where each was trained once.
        seed: Fixes the restarts.
        restarts: Starting points of each fit's optimiser, >= 1.

    Raises:
        FitError: `macs` has another length, or is not positive and finite.
    """
    counts, values = np.asarray(macs, dtype=np.float64), surface.values
    if counts.shape != values.shape or not (np.isfinite(counts).all() and (counts > 0).all()):
        raise FitError(
            f"Diagnostics need one positive number of MACs for each of {len(values)} trials. Got an array of shape "
            f"{counts.shape}. Give the MACs of the very trials that the surface was fitted to."
        )
    if groups is None:
        groups = _each_alone(len(values))
    measured = np.array([values[rows].mean() for rows in groups])
    logs = np.log(counts)
    # At fixed MACs the span is nothing but rounding; then every input is equal and the GP is a mean with noise.
    span = np.ptp(logs) if np.ptp(logs) > 1e-9 else np.inf
    alone = ((logs - logs.min()) / span)[:, None]
    of_joint, of_macs = (
        cross_fit(inputs, values, groups, seed, restarts, blurred=surface.is_blurred)
        for inputs in (surface.posterior.inputs, alone)
    )
    (joint_scores, joint_losses), (alone_scores, alone_losses) = (_score(measured, *of) for of in (of_joint, of_macs))
    gains = alone_losses - joint_losses
    z = _residuals(measured, *of_joint)
    return Diagnostics(
        outcome=surface.outcome,
        n=len(measured),
        joint=joint_scores,
        log_macs=alone_scores,
        nlpd_gain=float(gains.mean()),
        nlpd_gain_error=float(gains.std(ddof=1) / np.sqrt(len(gains))),
        measured=tuple(measured.tolist()),
        joint_left_out=LeftOut(*(tuple(column.tolist()) for column in of_joint)),
        log_macs_left_out=LeftOut(*(tuple(column.tolist()) for column in of_macs)),
        recalibration=recalibration(z),
    )


def _each_alone(n: int) -> list[Rows]:
    return list(np.arange(n)[:, None])


def _folds(inputs: FloatArray, outcomes: FloatArray, groups: Sequence[Rows]) -> list[Rows]:
    """Split g groups into at most `MAX_FOLDS` folds of groups, by what the trials are and not by their order."""
    first = [rows[0] for rows in groups]
    mean = np.array([outcomes[rows].mean() for rows in groups])
    order = np.lexsort((*inputs[first].T, mean))
    size = -(-len(order) // MAX_FOLDS)
    count = -(-len(order) // size)
    # Every count-th of the sorted outcomes, so that each fold leaves out the whole range of accuracies.
    return [order[begin::count] for begin in range(count)]


def _residuals(measured: FloatArray, mean: FloatArray, std: FloatArray) -> FloatArray:
    return np.asarray((measured - mean) / std, dtype=np.float64)


def _score(measured: FloatArray, mean: FloatArray, std: FloatArray) -> tuple[Scores, FloatArray]:
    """Return the scores, and each trial's negative log predictive density: (n,) float64, nats."""
    from scipy.stats import spearmanr

    z = _residuals(measured, mean, std)
    losses = 0.5 * np.square(z) + np.log(std) + 0.5 * np.log(2 * np.pi)
    ranked = np.ptp(mean) > 0
    scores = Scores(
        rmse=float(np.sqrt(np.mean(np.square(measured - mean)))),
        nlpd=float(losses.mean()),
        spearman=float(spearmanr(mean, measured).statistic) if ranked else 0.0,
        coverage=float(np.mean(np.abs(z) <= Z95)),
    )
    return scores, losses
