"""What a family is, and how to add one.

A family turns factors into the integers that get built, counts them, and builds them. To add one:

1. write `families/<name>.py` with a frozen dataclass for its architecture (`pixels`, `to_dict`) and a class that has
   every member of `Family`; numpy only, torch imported inside `build`;
2. decorate the class with `@register` and import the module in `families/__init__.py`.

The contract tests then run over it. A row of integers holds one architecture; `Family.columns` says which columns
belong to which factor. Factors are separable: each decides its own columns and no other's, so that a search space is a
product; and the two depths add up: what blocks of one kind cost does not depend on how many there are of the other, so
that the MACs of the product follow from those of two of its faces.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gpscale.errors import UnknownNameError
from gpscale.factors import Factors

if TYPE_CHECKING:
    from torch import nn

Integers = NDArray[np.int64]


@runtime_checkable
class Architecture(Protocol):
    """The integers that get built: a frozen, hashable dataclass.

    Example:
        >>> isinstance(parse_base("mobilevitv2_050@64").architecture, Architecture)
        True
    """

    @property
    def pixels(self) -> int:
        """Side of the square input image, pixels."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return the architecture as JSON values."""
        ...


@dataclasses.dataclass(frozen=True)
class Base:
    """A base model: the architecture at factors 1.

    Attributes:
        name: timm name and pixels, for example `"mobilevitv2_200@128"`.
        family: Name of the family.
        multiplier: The base's own width multiplier of the family's nominal channels.
        architecture: The integers.

    Example:
        >>> base = parse_base("mobilevitv2_050@64")
        >>> base.multiplier, base.architecture.pixels
        (0.5, 64)
    """

    name: str
    family: str
    multiplier: float
    architecture: Architecture


class Family(Protocol):
    """A set of architectures that answers to the four factors.

    Example:
        >>> family = get("mobilevitv2")
        >>> row = family.row(parse_base("mobilevitv2_200@128").architecture)
        >>> macs, params = family.count(row[None], num_classes=10)
        >>> int(params[0])
        17434579
    """

    name: str
    columns: Mapping[str, slice]
    stock_bases: tuple[str, ...]

    def parse(self, model: str, pixels: int) -> Base | None:
        """Return the base of that timm name at `pixels`, None if the name is not of this family."""
        ...

    def default_pixel_step(self, base: Base) -> int:
        """Return the step between legal pixel sizes when a sweep sets none."""
        ...

    def level_values(self, base: Base, factor: str, low: float, high: float, pixel_step: int) -> NDArray[np.float64]:
        """Return values of `factor` in [low, high], shape (m,), that give each distinct realisation once, ascending."""
        ...

    def realise(self, base: Base, factor: str, values: NDArray[np.float64], pixel_step: int) -> Integers:
        """Return the integers, shape (m, columns of the factor), for requested values of one factor, shape (m,)."""
        ...

    def realised(self, base: Base, integers: Integers) -> NDArray[np.float64]:
        """Return the factors, shape (n, 4), that rows of integers, shape (n, k), really have."""
        ...

    def architecture(self, row: Integers) -> Architecture:
        """Return the architecture of one row of integers, shape (k,)."""
        ...

    def row(self, architecture: Architecture) -> Integers:
        """Return the integers, shape (k,), of an architecture."""
        ...

    def architecture_from_dict(self, values: Mapping[str, Any]) -> Architecture:
        """Read an architecture written by `to_dict`."""
        ...

    def count(
        self, integers: Integers, num_classes: int, image_size: tuple[int, int] | None = None
    ) -> tuple[Integers, Integers]:
        """Return MACs and parameters, each int64 of shape (n,), of rows of integers, shape (n, k)."""
        ...

    def build(self, architecture: Architecture, num_classes: int, *, pretrained: bool = False) -> nn.Module:
        """Return the torch model."""
        ...


_FAMILIES: dict[str, Family] = {}


def register(family: type[Family]) -> type[Family]:
    """Add a family class to the registry (decorator)."""
    _FAMILIES[family.name] = family()
    return family


def get(name: str) -> Family:
    """Return the family of that name.

    Raises:
        UnknownNameError: There is none.

    Example:
        >>> get("mobilevitv2").stock_bases[0]
        'mobilevitv2_050@64'
    """
    if name not in _FAMILIES:
        raise UnknownNameError.of("family", name, _FAMILIES)
    return _FAMILIES[name]


def names() -> list[str]:
    """Return the names of all families.

    Example:
        >>> "mobilevitv2" in names()
        True
    """
    return sorted(_FAMILIES)


def parse_model(name: str) -> tuple[Base, tuple[int, int]]:
    """Read a model name such as `"mobilevitv2_200@128"` or `"mobilevitv2_200@224x448"`.

    Args:
        name: timm name, `@`, pixels of a side or height x width.

    Returns:
        The base (of a non-square image: at its height), and (height, width) in pixels.

    Raises:
        UnknownNameError: No family knows the name, or it has no pixels.

    Example:
        >>> base, (height, width) = parse_model("mobilevitv2_100@224x448")
        >>> base.name, height, width
        ('mobilevitv2_100@224', 224, 448)
    """
    model, _, size = str(name).partition("@")
    sides = size.lower().split("x")
    if len(sides) <= 2 and all(side.isascii() and side.isdigit() and int(side) > 0 for side in sides):
        height, width = int(sides[0]), int(sides[-1])
        for family in _FAMILIES.values():
            base = family.parse(model, height)
            if base is not None:
                return base, (height, width)
    stock = [base for family in _FAMILIES.values() for base in family.stock_bases]
    raise UnknownNameError.of("model (write NAME@PIXELS or NAME@HEIGHTxWIDTH)", name, stock)


def parse_base(name: str) -> Base:
    """Read a base model's name; its image is square.

    Raises:
        UnknownNameError: No family knows the name, or the image is not square.

    Example:
        >>> parse_base("mobilevitv2_050@64").architecture.pixels
        64
    """
    base, (height, width) = parse_model(name)
    if height != width:
        raise UnknownNameError(f"A base model has square images. Got {name!r}. Write {base.name!r}, for example.")
    return base


def requested_row(base: Base, factors: Factors, pixel_step: int) -> Integers:
    """Return the integers, shape (k,), of `factors` on `base`, rounded as the family rounds.

    Example:
        >>> row = requested_row(parse_base("mobilevitv2_050@64"), Factors(resolution=1.5), pixel_step=16)
        >>> int(row[0])
        96
    """
    family = get(base.family)
    row = family.row(base.architecture).copy()
    for name, value in factors.to_dict().items():
        row[family.columns[name]] = family.realise(base, name, np.array([value]), pixel_step)[0]
    return row
