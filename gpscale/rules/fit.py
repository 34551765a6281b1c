"""Fit the scaling rule to good architectures, and say how sure it is.

They are the trials of a Pareto set here, as in the method paper, or what a surface expects most of (`surface_front`).
For each factor f, on their realised factors:

    log f(c) = a + b log c + g(c) + noise,    a, b by least squares,    g a Matern-5/2 GP of log c

A zero-mean GP on f itself would fall to 0 away from them (errata, row 3); this one falls back to a power law.

Two errors make up the band, and they are taken as independent, so their variances add:

    log_std^2 = s_gp^2 + s_boot^2

`s_gp` is the GP's posterior standard deviation of g, given these architectures, a and b. `s_boot` is what others would
have changed: trials are drawn again with replacement, or surfaces from the posterior; selection, trend and GP
(hyperparameters too) are repeated, and `s_boot` is the 95 % quantile of |replicate - rule| over 1.96. That is the
standard deviation if the replicates are normal around the rule, and no victim of a few wild slopes if they are not.
Noise of the trials enters both errors, so the band errs on the wide side.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from gpscale import pareto
from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES
from gpscale.rules.gp_rule import FloatArray, GPRule, Source
from gpscale.surrogate.fit import Priors, fit_posteriors
from gpscale.units import Z95

MIN_POINTS = 3
"""Fewest distinct c to fit a rule to: two give a line, and nothing to judge it by."""

LOG_STD_FLOOR = 0.02
"""Least `log_std`. Two percent is less than a step between neighbouring architectures: a factor that is the same in
all of them is held, without outweighing the others by orders of magnitude."""

Select = Callable[[FloatArray, FloatArray], pareto.ParetoSelection]

_NO_RESIDUAL = 1e-9
_TABLE_ROWS = 128
_RESTARTS = 4
_BOOTSTRAP_RESTARTS = 1
"""A replicate that ends in a lesser mode is one of hundreds; the rule itself is one of one."""
_DRAWS_PER_REPLICATE = 50
"""After so many unusable resamples for each one wanted, the Pareto set is too small to be judged."""


def fit_rule(
    c: npt.ArrayLike,
    factors: npt.ArrayLike,
    top1: npt.ArrayLike,
    *,
    share: float = pareto.DEFAULT_SHARE,
    band: tuple[float, float] = pareto.DEFAULT_BAND,
    floor: float = 0.0,
    seed: int = 0,
    bootstrap: int = 200,
) -> GPRule:
    """Select the Pareto set of finished trials and fit the rule to it.

    The order of the trials does not matter.

    Args:
        c: Reduction factors, (n,), > 0.
        factors: Realised factors, (n, 4), > 0, columns as `FACTOR_NAMES`.
        top1: (n,), fractions in [0, 1].
        share: As in `pareto.select`.
        band: As in `pareto.select`.
        floor: As in `pareto.select`.
        seed: Fixes the resamples and the restarts of the optimiser.
        bootstrap: Resamples, >= 0; with 0 the band is the GP's alone.

    Raises:
        FitError: The Pareto set has fewer than three distinct c, or an array is not legal.

    Source: section 4.4 of the method paper.
    """
    ratios, realised, accuracies = _checked(c, factors, top1, bootstrap)
    order = np.lexsort((*realised.T, -accuracies, ratios))
    ratios, realised, accuracies = ratios[order], realised[order], accuracies[order]
    select: Select = functools.partial(pareto.select, share=share, band=band, floor=floor)
    selection = select(ratios, accuracies)
    chosen = selection.indices
    if not _is_usable(ratios[chosen]):
        raise FitError(
            f"A rule needs a Pareto set with at least {MIN_POINTS} distinct MACs. Got "
            f"{len(np.unique(ratios[chosen]))} from {selection.n_inside} trials inside, of which a share of "
            f"{share:g} is kept. Run more trials, or raise the share."
        )
    replicates = None
    if bootstrap:
        inside = np.flatnonzero(selection.ranks)
        sets = _pareto_sets(ratios, accuracies, inside, select, bootstrap, np.random.default_rng(seed))
        replicates = ratios[sets], realised[sets]
    return assemble(
        ratios[chosen],
        realised[chosen],
        replicates,
        c_range=(ratios[0], ratios[-1]),
        fitted_range=(ratios[chosen].min(), ratios[chosen].max()),
        seed=seed,
        source="trials",
    )


def assemble(
    c: FloatArray,
    factors: FloatArray,
    replicates: tuple[FloatArray, FloatArray] | None,
    *,
    c_range: tuple[float, float],
    fitted_range: tuple[float, float],
    seed: int,
    source: Source,
) -> GPRule:
    """Fit trend and GPs to good architectures, and the band to what these might have been.

    Args:
        c: Reduction factors of the k architectures, (k,) float64, ascending.
        factors: Their realised factors, (k, 4) float64.
        replicates: Reduction factors, (b, m) float64, and factors, (b, m, 4) float64, of b other such sets; None for a
            band that is the GP's alone.
        c_range: Where the rule holds.
        fitted_range: As in `GPRule`.
        seed: Fixes the restarts of the optimiser.
        source: What they were chosen by, as in `GPRule`.
    """
    table = np.geomspace(*c_range, _TABLE_ROWS)
    table[[0, -1]] = c_range
    main = _fit_sets(c[None], np.log(factors)[None], table, seed, _RESTARTS)
    variance = np.square(main.std[0])
    if replicates is not None:
        others = _fit_sets(replicates[0], np.log(replicates[1]), table, seed, _BOOTSTRAP_RESTARTS)
        variance += np.square(np.quantile(np.abs(others.mean - main.mean), 0.95, axis=0) / Z95)
    return GPRule(
        c=table,
        log_mean=main.mean[0],
        log_std=np.maximum(np.sqrt(variance), LOG_STD_FLOOR),
        intercept=main.intercept[0],
        slope=main.slope[0],
        points_c=c,
        points_factors=factors,
        fitted_range=np.array(fitted_range),
        bootstrap=0 if replicates is None else len(replicates[0]),
        source=source,
    )


@dataclasses.dataclass(frozen=True)
class _Fits:
    """Fits to b sets of architectures, evaluated on the table's g rows.

    Attributes:
        mean, std: Of the logarithms of the factors, (b, g, 4) float64.
        intercept, slope: Of the trends, (b, 4) float64.
    """

    mean: FloatArray
    std: FloatArray
    intercept: FloatArray
    slope: FloatArray


def _fit_sets(c: FloatArray, logs: FloatArray, table: FloatArray, seed: int, restarts: int) -> _Fits:
    """Fit trend and GP of each factor to each set of architectures, all GPs as one batch.

    Args:
        c: Reduction factors, (b, k) float64.
        logs: Natural logarithms of the factors, (b, k, 4) float64.
        table: Reduction factors to evaluate at, (g,) float64, ascending.
        seed: Fixes the restarts.
        restarts: Starting points of each GP's optimiser.
    """
    x = np.log(c)
    centred = x - x.mean(axis=1, keepdims=True)
    slope = np.einsum("bk,bkf->bf", centred, logs) / np.square(centred).sum(axis=1, keepdims=True)
    intercept = logs.mean(axis=1) - slope * x.mean(axis=1, keepdims=True)
    residual = logs - intercept[:, None] - slope[:, None] * x[..., None]
    # One unit of length for all sets: the range of the table.
    log_table = np.log(table)
    low, span = log_table[0], log_table[-1] - log_table[0]
    b, k, f = logs.shape
    inputs = np.repeat((x - low) / span, f, axis=0)[..., None]
    posteriors = fit_posteriors(
        inputs, residual.transpose(0, 2, 1).reshape(b * f, k), seed=seed, restarts=restarts, priors=Priors.NOISY
    )
    found = np.array([posterior.predict(((log_table - low) / span)[:, None]) for posterior in posteriors])
    mean, std = found.reshape(b, f, 2, len(table)).transpose(2, 0, 3, 1)
    # Where the trend leaves nothing over there is nothing to standardise, and the GP's own unit would be its error.
    std = np.where(np.ptp(residual, axis=1, keepdims=True) > _NO_RESIDUAL, std, 0.0)
    trend = intercept[:, None] + slope[:, None] * log_table[:, None]
    return _Fits(trend + mean, std, intercept, slope)


def _pareto_sets(
    c: FloatArray,
    top1: FloatArray,
    inside: npt.NDArray[np.int64],
    select: Select,
    count: int,
    generator: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """Draw the trials again and select again, `count` times; return rows of trials, (count, k) int64.

    Only trials inside the band are drawn, as many as there are, so that every Pareto set has the same size. A resample
    whose Pareto set no rule could be fitted to is drawn again, as its sweep would have been refused.

    Raises:
        FitError: Nearly no resample is usable.
    """
    sets: list[npt.NDArray[np.int64]] = []
    for _ in range(count * _DRAWS_PER_REPLICATE):
        drawn = np.sort(generator.choice(inside, size=len(inside)))
        chosen = drawn[select(c[drawn], top1[drawn]).indices]
        if _is_usable(c[chosen]):
            sets.append(chosen)
        if len(sets) == count:
            return np.stack(sets)
    raise FitError(
        f"The bootstrap needs {count} resamples of the trials that still give a rule. Got {len(sets)} in "
        f"{count * _DRAWS_PER_REPLICATE}. Run more trials, or raise the share."
    )


def _is_usable(c: FloatArray) -> bool:
    """Tell whether a Pareto set with these reduction factors, (k,), can carry a rule."""
    return len(np.unique(c)) >= MIN_POINTS


def _checked(
    c: npt.ArrayLike, factors: npt.ArrayLike, top1: npt.ArrayLike, bootstrap: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the three as arrays; `pareto.select` looks at the values of `c` and `top1`."""
    ratios, realised, accuracies = (np.asarray(values, dtype=np.float64) for values in (c, factors, top1))
    if ratios.ndim != 1 or accuracies.shape != ratios.shape or realised.shape != (len(ratios), len(FACTOR_NAMES)):
        raise FitError(
            f"c and top1 must be (n,) and factors (n, {len(FACTOR_NAMES)}). Got {ratios.shape}, {accuracies.shape} and "
            f"{realised.shape}. Give one row a trial and one column a factor: {', '.join(FACTOR_NAMES)}."
        )
    if not (np.isfinite(realised).all() and (realised > 0).all()):
        raise FitError("Factors must be positive and finite. Got others. Look at the trials' architectures.")
    if bootstrap < 0:
        raise FitError(f"`bootstrap` must be 0 or more resamples. Got {bootstrap}. The default is 200.")
    return ratios, realised, accuracies
