"""How sure the mean of a few seeds is, where many models were trained with a few seeds each."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from gpscale.replicates import pooled_spread

FloatArray = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class SeedIntervals:
    """The spread between seeds, pooled over models: two seeds alone would say almost nothing.

    Attributes:
        std: Standard deviation of one training around the mean of its model, in the unit of the values; NaN where no
            model has two seeds.
        degrees: Degrees of freedom: trainings less models, of those with at least two seeds.
    """

    std: float
    degrees: int

    @classmethod
    def of(cls, groups: Sequence[FloatArray]) -> Self:
        """Pool the spread of models.

        Args:
            groups: Of each model its values, one a seed, (n,) float64.

        Example:
            >>> import numpy as np
            >>> found = SeedIntervals.of([np.array([0.70, 0.72]), np.array([0.60, 0.62])])
            >>> found.degrees, round(found.std, 4)
            (2, 0.0141)
        """
        return cls(*pooled_spread(groups))

    def around(self, values: FloatArray) -> tuple[float, float, float]:
        """Return the mean of a model's values and the ends of its 95 % interval (Student's t, pooled spread).

        NaN where there are no values; ends that are NaN where the spread is not known.
        """
        if not len(values):
            return math.nan, math.nan, math.nan
        mean = float(values.mean())
        if not self.degrees:
            return mean, math.nan, math.nan
        half = float(t.ppf(0.975, self.degrees)) * self.std / math.sqrt(len(values))
        return mean, mean - half, mean + half
