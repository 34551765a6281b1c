"""What a recommendation says: an architecture inside a budget, its predicted accuracy, and what speaks against it.

Numpy only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from gpscale import families
from gpscale.factors import Factors
from gpscale.families import Architecture
from gpscale.surrogate.surface import Surface
from gpscale.units import Z95, format_macs

if TYPE_CHECKING:
    from torch import nn

Method = Literal["rule", "surface", "surface_low"]

BEST_OF_MANY = "it is the best of many, by the surface that chose it: expect somewhat less"


@dataclasses.dataclass(frozen=True)
class Interval:
    """A predicted accuracy of one new training, as fractions in [0, 1].

    Attributes:
        mean: Expected value.
        low, high: Ends of the 95 % interval.

    Example:
        >>> print(Interval(0.636, low=0.601, high=0.671))
        63.6% (95 % interval of one training: 60.1% to 67.1%)
    """

    mean: float
    low: float
    high: float

    @classmethod
    def predicted(cls, surface: Surface, factors: npt.ArrayLike) -> Interval:
        """Return what a joint surface expects of one new training, the noise of a training included.

        Args:
            surface: Of an accuracy, over all factors.
            factors: Of the architecture, (4,) float64.

        Returns:
            The interval of a normal distribution, cut off at 0 and 1.
        """
        found = surface.predict(np.asarray(factors, dtype=np.float64)[None])
        mean, std = float(found.mean[0]), float(found.observation_std[0])
        low, middle, high = (min(1.0, max(0.0, mean + side * Z95 * std)) for side in (-1, 0, 1))
        return cls(middle, low, high)

    def __str__(self) -> str:
        return f"{self.mean:.1%} (95 % interval of one training: {self.low:.1%} to {self.high:.1%})"


@dataclasses.dataclass(frozen=True)
class Recommendation:
    """An architecture inside a budget.

    Attributes:
        budget: Multiply-accumulates that were allowed.
        macs: Multiply-accumulates of the architecture; never above the budget.
        params: Its parameters.
        factors: The factors it really has, relative to `base`.
        requested: The factors that the rule asks for at this budget.
        architecture: The integers that get built.
        family: Name of its family.
        num_classes: Outputs of its classifier.
        base: Name of the base model.
        base_macs: Multiply-accumulates of the base with as many classes.
        study: Name of the study whose measurements decide.
        method: `"rule"`, `"surface"` or `"surface_low"`.
        transferred: The base is not the study's own, so the rule is applied where it was not measured.
        extrapolated: The budget lies beyond the points that the study's rule was fitted to, though inside its trials.
        top1: Predicted top-1 on the study's validation images after the study's training; None where unknown.
        top1_reason: Why `top1` is None, else empty.
        cautions: What speaks against relying on it, one sentence each, without the full stop.

    Example:
        >>> import gpscale
        >>> found = gpscale.recommend("500M")
        >>> found.macs <= found.budget == 500_000_000
        True
        >>> Recommendation.from_dict(found.to_dict()) == found
        True
    """

    budget: int
    macs: int
    params: int
    factors: Factors
    requested: Factors
    architecture: Architecture
    family: str
    num_classes: int
    base: str
    base_macs: int
    study: str
    method: Method
    transferred: bool
    extrapolated: bool
    top1: Interval | None
    top1_reason: str
    cautions: tuple[str, ...] = ()

    @property
    def c(self) -> float:
        """Multiply-accumulates over the base's."""
        return self.macs / self.base_macs

    def build(self, *, pretrained: bool = False) -> nn.Module:
        """Build the torch model.

        Raises:
            PretrainedError: `pretrained`, and the architecture has no pretrained weights.
        """
        return families.get(self.family).build(self.architecture, self.num_classes, pretrained=pretrained)

    def to_dict(self) -> dict[str, Any]:
        """Return the recommendation as JSON values."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            **values,
            "factors": self.factors.to_dict(),
            "requested": self.requested.to_dict(),
            "architecture": self.architecture.to_dict(),
            "top1": dataclasses.asdict(self.top1) if self.top1 else None,
            "cautions": list(self.cautions),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recommendation:
        """Read a recommendation written by `to_dict`."""
        family = families.get(values["family"])
        read = {
            "factors": Factors.from_dict(values["factors"]),
            "requested": Factors.from_dict(values["requested"]),
            "architecture": family.architecture_from_dict(values["architecture"]),
            "top1": Interval(**values["top1"]) if values["top1"] else None,
            "cautions": tuple(values.get("cautions", ())),
        }
        return cls(**{**values, **read})

    def __str__(self) -> str:
        lines = [f"{label:<13} {text}" for label, text in self._lines()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(label)}</th><td style='text-align:left'>{escape(text)}</td></tr>"
            for label, text in self._lines()
        )
        return f"<table>{rows}</table>"

    def _lines(self) -> list[tuple[str, str]]:
        integers = self.architecture.to_dict()
        lines = [
            ("budget", f"{format_macs(self.budget)} MACs"),
            ("MACs", f"{format_macs(self.macs)} ({self.macs / self.budget:.1%} of the budget)"),
            ("parameters", f"{format_macs(self.params)}"),
            ("base", f"{self.base} ({format_macs(self.base_macs)} MACs), c = {self.c:.3f}"),
            ("factors", str(self.factors)),
            ("asked for", f"{self.requested}  by the rule of study {self.study!r}"),
            *((name.replace("_", " "), " ".join(map(str, np.atleast_1d(value)))) for name, value in integers.items()),
            ("classes", str(self.num_classes)),
            ("top-1", str(self.top1) if self.top1 else f"not predicted: {self.top1_reason}"),
        ]
        if self.transferred:
            lines.append(("transferred", "the rule was measured on another base; its gain here is not measured"))
        if self.extrapolated:
            lines.append(("extrapolated", "the budget lies beyond the points that the rule was fitted to"))
        return [*lines, *(("caution", caution) for caution in self.cautions)]
