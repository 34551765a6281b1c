"""Do intervals hold as many trials as they promise, and by what factor should they be wider?

A few tens of trials give hyperparameters that are too sure of themselves: the intervals of a surface then hold fewer
unseen trials than they promise. One factor on every standard deviation mends their width as a whole. With left-out
residuals z_i = (measured - mean) / std of n trials

    factor = k-th smallest |z| / 1.96,    k = ceil(0.95 (n + 1))

which is the 95 % quantile with the correction of conformal prediction, whether or not residuals are normal; those of
studies have heavier tails than that. An interval of the next trial holds it with a chance of about 95 %. Nothing more
is guaranteed: the theory is of residuals of one fit that has not seen them, and these come from as many fits as trials.
Few trials make it wide rather than narrow: below 39 it is the largest residual that decides, and below 19 none is large
enough. Then residuals are taken for normal,

    factor = sqrt(mean of z^2) * t / 1.96,    t = 97.5 % quantile of Student's t with n degrees of freedom

What recalibrated intervals hold is judged with factors from the others: that of a trial comes from the n - 1 left. At
50 and 80 % that is a finding. At 95 %, the level that the factor is chosen at, it follows from n almost alone, whatever
the residuals are: there it is not told.

Source: Vovk, Gammerman and Shafer 2005, "Algorithmic Learning in a Random World"; Barber, Candes, Ramdas and Tibshirani
2021, "Predictive inference with the jackknife+", for leaving out.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from gpscale.surrogate.posterior import FloatArray
from gpscale.units import Z95

LEVELS = (0.5, 0.8, 0.95)
"""Intervals whose coverage is reported."""

_CHOSEN_AT = 0.95

LEAST, MOST = 0.90, 0.99
"""95 % intervals that hold a smaller share of the trials than the first, or a larger one than the second, are wrong."""


@dataclasses.dataclass(frozen=True)
class Coverage:
    """How many of n trials lie in their intervals, each of which was predicted without it.

    Attributes:
        level: Share that the intervals promise.
        n: Trials.
        before: Share that they hold as fitted.
        after: Share that they hold when recalibrated, each by a factor that the other trials give; `before` where
            nothing was recalibrated; None where something was and `level` is the one that the factor is chosen at.
    """

    level: float
    n: int
    before: float
    after: float | None


def recalibration(z: FloatArray) -> float:
    """Return the factor by which standard deviations should be larger; 1 where the 95 % intervals hold as they should.

    Args:
        z: Left-out residuals over their standard deviations, (n,) float64, n >= 2.

    Example:
        >>> import numpy as np
        >>> z = np.linspace(-1, 1, 40)
        >>> round(recalibration(3 * z), 2), recalibration(2.02 * z)
        (1.53, 1.0)
    """
    held = float(np.mean(np.abs(z) <= Z95))
    if LEAST <= held <= MOST:
        return 1.0
    return _factor(z)


def factors_from_others(z: FloatArray) -> FloatArray:
    """Return for each trial the factor that all others give, (n,) float64; `z` as in `recalibration`."""
    return np.array([_factor(np.delete(z, i)) for i in range(len(z))])


def coverage(z: FloatArray, factors: FloatArray) -> tuple[Coverage, ...]:
    """Count the trials inside their intervals at each of `LEVELS`.

    Args:
        z: As in `recalibration`.
        factors: By which each trial's interval is recalibrated, (n,) float64.
    """
    from scipy.stats import norm

    found = []
    for level in LEVELS:
        reach = norm.ppf((1 + level) / 2)
        before, after = (float(np.mean(np.abs(z) <= reach * widened)) for widened in (1.0, factors))
        chosen = level == _CHOSEN_AT and (factors != 1).any()
        found.append(Coverage(level, len(z), before, None if chosen else after))
    return tuple(found)


def _factor(z: FloatArray) -> float:
    from scipy.stats import t

    n = len(z)
    k = math.ceil(0.95 * (n + 1))
    reach = np.sort(np.abs(z))[k - 1] if k <= n else np.sqrt(np.square(z).mean()) * t.ppf(0.975, n)
    return float(reach) / Z95
