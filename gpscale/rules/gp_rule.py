"""The fitted scaling rule, as a small table that numpy interpolates."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from gpscale.errors import OutOfRangeError
from gpscale.units import Z95

FloatArray = npt.NDArray[np.float64]

Source = Literal["surface", "trials"]
"""What a rule follows: the best of the whole space at each budget, by the joint surface; or the trials' Pareto set."""

_ROUNDING = 1e-9
"""Relative tolerance at the ends of the range: MACs / base MACs may have been divided twice."""


@dataclasses.dataclass(frozen=True, eq=False)
class RulePrediction:
    """The factors that the rule asks for at m reduction factors.

    Attributes:
        factors: Proposed factors, (m, 4) float64, > 0.
        log_std: Standard deviation of their natural logarithms, (m, 4) float64, > 0; the unit in which distance
            from the rule is measured.
        low, high: Ends of their 95 % interval, (m, 4) float64, > 0.

    Example:
        >>> from gpscale.run_dir import find_study
        >>> from gpscale.stored import read_json
        >>> found = GPRule.from_dict(read_json(find_study("quickstart").rule_file)).predict(0.5)
        >>> bool((found.low <= found.factors).all() and (found.factors <= found.high).all())
        True
    """

    factors: FloatArray
    log_std: FloatArray
    low: FloatArray
    high: FloatArray


@dataclasses.dataclass(frozen=True, eq=False)
class GPRule:
    """Factors as log-linear functions of c plus GP residuals, learned from good architectures (`rules.fit`).

    Attributes:
        c: Reduction factors of the table's g rows, (g,) float64, ascending, evenly spaced in log c over `c_range`.
        log_mean: Natural logarithms of the factors there, (g, 4) float64.
        log_std: Their standard deviations, (g, 4) float64, > 0.
        intercept, slope: a and b of log factor = a + b log c, (4,) float64 each.
        points_c: Reduction factors of the architectures that it was fitted to, (k,) float64, ascending.
        points_factors: Their realised factors, (k, 4) float64.
        fitted_range: Lowest and highest c that it was fitted to, (2,) float64: of these architectures, or of the budget
            that the last of them is the best of; beyond it the rule extrapolates.
        bootstrap: Draws of the surface, or resamples of the trials, behind `log_std`.
        source: What these are.

    Example:
        >>> from gpscale.run_dir import find_study
        >>> from gpscale.stored import read_json
        >>> rule = GPRule.from_dict(read_json(find_study("quickstart").rule_file))
        >>> rule.predict([0.25, 0.5]).factors.shape
        (2, 4)
    """

    kind: ClassVar[str] = "gp"
    """What a stored rule is called in its file."""

    c: FloatArray
    log_mean: FloatArray
    log_std: FloatArray
    intercept: FloatArray
    slope: FloatArray
    points_c: FloatArray
    points_factors: FloatArray
    fitted_range: FloatArray
    bootstrap: int
    source: Source

    def __repr__(self) -> str:
        low, high = self.c_range
        return f"GPRule(c {low:.3f} to {high:.3f}; fitted to {self.follows}; band: {self.band_from})"

    @property
    def c_range(self) -> tuple[float, float]:
        """Span of the finished trials' c; the rule holds no other."""
        return float(self.c[0]), float(self.c[-1])

    @property
    def follows(self) -> str:
        """Say what the rule was fitted to."""
        count = len(self.points_c)
        if self.source == "surface":
            return f"what the surface expects most of at {count} budgets"
        return f"the Pareto set of the trials ({count} points)"

    @property
    def band_from(self) -> str:
        """Say what the band knows of."""
        if not self.bootstrap:
            return "GP"
        return "GP and draws of the surface" if self.source == "surface" else "GP and bootstrap over trials"

    def extrapolated(self, c: float) -> bool:
        """Tell whether `c` lies beyond what the rule was fitted to."""
        low, high = self.fitted_range
        return not low * (1 - _ROUNDING) <= c <= high * (1 + _ROUNDING)

    def predict(self, c: npt.ArrayLike) -> RulePrediction:
        """Interpolate the table, linearly in log c.

        Args:
            c: A reduction factor or (m,) of them, inside `c_range`.

        Raises:
            OutOfRangeError: One lies outside `c_range`, or is no number.
        """
        asked = np.atleast_1d(np.asarray(c, dtype=np.float64))
        low, high = self.c_range
        outside = ~((asked >= low * (1 - _ROUNDING)) & (asked <= high * (1 + _ROUNDING)))
        if outside.any():
            raise OutOfRangeError(
                f"The rule holds c in [{low:.3g}, {high:.3g}], the span of the finished trials. "
                f"Got {asked[outside][0]:.3g}. Choose a budget inside, or run trials there."
            )
        log_c, rows = np.log(asked), np.log(self.c)
        columns = range(self.log_mean.shape[1])
        mean = np.column_stack([np.interp(log_c, rows, self.log_mean[:, j]) for j in columns])
        std = np.column_stack([np.interp(log_c, rows, self.log_std[:, j]) for j in columns])
        return RulePrediction(np.exp(mean), std, np.exp(mean - Z95 * std), np.exp(mean + Z95 * std))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; floats survive exactly."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        stored = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in values.items()}
        return {"rule": self.kind, **stored}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read a rule written by `to_dict`."""
        others = ("bootstrap", "source")
        names = [field.name for field in dataclasses.fields(cls) if field.name not in others]
        arrays = {name: np.array(values[name], dtype=np.float64) for name in names}
        return cls(**arrays, bootstrap=int(values["bootstrap"]), source=values["source"])
