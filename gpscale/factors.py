"""The four factors of a base model, and bounds on them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping

from gpscale.errors import FactorError, UnknownNameError

FACTOR_NAMES = ("resolution", "ir_depth", "vit_depth", "width")
FACTOR_SYMBOLS = {"resolution": "r", "ir_depth": "d_i", "vit_depth": "d_m", "width": "w"}


@dataclasses.dataclass(frozen=True)
class Factors:
    """Multipliers of a base model; 1.0 is the base.

    Attributes:
        resolution: Pixels of a side over the base's (r).
        ir_depth: Inverted-residual blocks over the base's (d_i).
        vit_depth: Attention layers over the base's (d_m).
        width: Channels over the base's (w).

    Raises:
        FactorError: A factor is not a positive finite number.

    Example:
        >>> print(Factors(resolution=1.5, width=0.7))
        r=1.500 d_i=1.000 d_m=1.000 w=0.700
    """

    resolution: float = 1.0
    ir_depth: float = 1.0
    vit_depth: float = 1.0
    width: float = 1.0

    def __post_init__(self) -> None:
        for name, value in self.to_dict().items():
            if not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
                raise FactorError(f"{name} must be a positive number. Got {value!r}. 1.0 is the base model.")

    def __iter__(self) -> Iterator[float]:
        return iter((self.resolution, self.ir_depth, self.vit_depth, self.width))

    def __str__(self) -> str:
        return " ".join(f"{FACTOR_SYMBOLS[name]}={value:.3f}" for name, value in self.to_dict().items())

    def to_dict(self) -> dict[str, float]:
        """Return the factors by name."""
        return dict(zip(FACTOR_NAMES, self, strict=True))

    @classmethod
    def from_dict(cls, values: Mapping[str, float]) -> Factors:
        """Read factors by name; absent ones are 1.0.

        Raises:
            UnknownNameError: A key is no factor.
        """
        for name in values:
            check_factor_name(name)
        return cls(**values)


@dataclasses.dataclass(frozen=True)
class Bounds:
    """Lowest and highest value of each factor, both included.

    Attributes:
        resolution, ir_depth, vit_depth, width: `(low, high)`, `0 < low <= high`.

    Raises:
        FactorError: A bound is no positive number, or `low > high`.

    Example:
        >>> Bounds(width=(0.4, 1.0)).to_dict()["width"]
        (0.4, 1.0)
    """

    resolution: tuple[float, float] = (0.5, 2.0)
    ir_depth: tuple[float, float] = (0.5, 2.5)
    vit_depth: tuple[float, float] = (0.5, 2.0)
    width: tuple[float, float] = (0.4, 1.4)

    def __post_init__(self) -> None:
        for name, span in self.to_dict().items():
            try:
                low, high = map(float, span)
            except (TypeError, ValueError):
                raise FactorError(f"{name} must be two numbers. Got {span!r}. Write (0.5, 2.0), for example.") from None
            if not (0 < low <= high < math.inf):
                raise FactorError(
                    f"{name} needs 0 < low <= high. Got low={low}, high={high}. Swap or widen the two bounds."
                )
            # tuples of floats, whatever came in, because spaces are kept by their bounds
            object.__setattr__(self, name, (low, high))

    def to_dict(self) -> dict[str, tuple[float, float]]:
        """Return `(low, high)` by factor name."""
        return {name: getattr(self, name) for name in FACTOR_NAMES}

    @classmethod
    def from_dict(cls, values: Mapping[str, tuple[float, float]]) -> Bounds:
        """Read bounds by factor name; absent ones keep their default.

        Raises:
            UnknownNameError: A key is no factor.
        """
        for name in values:
            check_factor_name(name)
        return cls(**values)


PAPER_BOUNDS = Bounds(resolution=(0.8, 1.7), ir_depth=(1.3, 2.3), vit_depth=(0.8, 1.6), width=(0.4, 1.2))
"""The ranges of section 5.1 of the method paper; they exclude the base (d_i)."""


def check_factor_name(name: object) -> str:
    """Return `name` if it is a factor.

    Raises:
        UnknownNameError: It is not.
    """
    if name not in FACTOR_NAMES:
        raise UnknownNameError.of("factor", name, FACTOR_NAMES)
    return str(name)
