"""What a family is, and how to add one.

A family turns factors into the integers that get built, counts them, and builds them. To add one:

1. write `families/<name>.py` with a class that has every member of `Family`; numpy only, torch imported inside `build`.
   Where it is made of published models, `families.scaled.ScaledFamily` leaves only its tables, its closed form and its
   build to write; torch modules that timm lacks go to `gpscale.networks`;
2. decorate the class with `@register` and import the module in `families/catalogue.py`.

The contract tests then run over it. What they hold a family to:

- A row of integers holds one architecture; `Family.columns` says which columns belong to which factor. Columns of no
  factor are the base's own: what kind of model it is.
- Factors are separable: each decides its own columns and no other's, so that a search space is a product; and the two
  depths add up: what blocks of one kind cost does not depend on how many there are of the other, so that the MACs of
  the product follow from those of two of its faces.
- A factor that a base lacks (MobileNets have no attention blocks) has one level, whatever the bounds: no columns, or
  columns of zeros. Its realised value is 1.
- Channels are rounded to what heads, groups and windows need. Pixels that a family cannot take (`takes`) are no level
  of any space, and a name that has them is an error that says which it can.
- Counts are closed forms in numpy, for all families: a space of 10^5 architectures is counted in well under a second,
  where torch's counter on the meta device takes some 50 ms for each. The counter is the judge in the tests, to the
  unit, at square and other sizes.
- Counts are those of the form that is deployed (`inference_form`); `build` makes the form that is trained. They differ
  in FastViT alone.
- Where parameters depend on the size of the image (tables of position biases), `build` and `count` take that size.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gpscale.errors import ImageSizeError, UnknownNameError
from gpscale.factors import Factors

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gpscale.families.scaling import Scaled

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
        multiplier: The base's own width multiplier of the family's nominal channels; 1 where names have none.
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
    feature_strides: tuple[int, ...]

    def parse(self, model: str, pixels: int) -> Base | None:
        """Return the base of that timm name at `pixels`, None if the name is not of this family."""
        ...

    def takes(self, pixels: int) -> bool:
        """Say whether images with a side of `pixels` can be taken."""
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

    def build(
        self,
        architecture: Architecture,
        num_classes: int,
        *,
        pretrained: bool = False,
        image_size: tuple[int, int] | None = None,
    ) -> nn.Module:
        """Return the torch model in the form that is trained."""
        ...

    def inference_form(self, model: nn.Module) -> nn.Module:
        """Return the form of a built model that is counted, timed and deployed."""
        ...

    def feature_maps(self, model: nn.Module, images: Tensor) -> dict[int, Tensor]:
        """Return a built model's feature maps by stride: those of `feature_strides`."""
        ...

    def scale_to(
        self, macs: str | float, by: str = "width", *, base: Base | str | None = None, num_classes: int = 1000
    ) -> Scaled:
        """Return the largest member at or under a budget of MACs."""
        ...


_NEAR = 0.75
"""Likeness from which one name of a model may be meant by another: resnet50 is 0.52 like mobilenetv2_050."""

_FAMILIES: dict[str, Family] = {}


def register(family: type[Family]) -> type[Family]:
    """Add a family class to the registry (decorator)."""
    _FAMILIES[family.name] = family()
    return family


def _loaded_families() -> dict[str, Family]:
    return dict(_FAMILIES)


def _all_families() -> dict[str, Family]:
    # imported here because a recommendation takes no family but its own
    import gpscale.families.catalogue  # noqa: F401

    return dict(_FAMILIES)


def get(name: str) -> Family:
    """Return the family of that name.

    Raises:
        UnknownNameError: There is none.

    Example:
        >>> get("mobilevitv2").stock_bases[0]
        'mobilevitv2_050@64'
    """
    if name in _FAMILIES:
        return _FAMILIES[name]
    known = _all_families()
    if name not in known:
        raise UnknownNameError.of("family", name, known)
    return known[name]


def names() -> list[str]:
    """Return the names of all families.

    Example:
        >>> "mobilevitv2" in names()
        True
    """
    return sorted(_all_families())


def parse_model(name: str) -> tuple[Base, tuple[int, int]]:
    """Read a model name such as `"mobilevitv2_200@128"` or `"mobilevitv2_200@224x448"`.

    Args:
        name: timm name, `@`, pixels of a side or height x width.

    Returns:
        The base (of a non-square image: at its height), and (height, width) in pixels.

    Raises:
        ImageSizeError: The model cannot take images of that size.
        UnknownNameError: No family knows the name, or it has no pixels.

    Example:
        >>> base, (height, width) = parse_model("mobilevitv2_100@224x448")
        >>> base.name, height, width
        ('mobilevitv2_100@224', 224, 448)
    """
    model, _, size = str(name).partition("@")
    sides = _sides(size)
    if sides is not None:
        height, width = sides
        for known in (_loaded_families, _all_families):
            for family in known().values():
                base = family.parse(model, height)
                if base is not None:
                    check_image_size(family, height, width)
                    return base, (height, width)
    raise _unknown_model(name)


def _sides(size: str) -> tuple[int, int] | None:
    """Read `PIXELS` or `HEIGHTxWIDTH`; None where it is neither."""
    sides = size.lower().split("x")
    if len(sides) > 2 or not all(side.isascii() and side.isdigit() and int(side) > 0 for side in sides):
        return None
    return int(sides[0]), int(sides[-1])


def _nearest_model(name: str) -> str | None:
    """Return the stock model whose name is nearest, at the size that was asked for where its family takes it."""
    # imported here because almost no run of a command gets here
    import difflib

    model, _, size = name.partition("@")
    stock: dict[str, tuple[Family, str]] = {}
    for family in _all_families().values():
        for base in family.stock_bases:
            stock.setdefault(base.partition("@")[0], (family, base))
    found = difflib.get_close_matches(model, stock, n=1, cutoff=_NEAR)
    if not found:
        return None
    family, base = stock[found[0]]
    sides = _sides(size)
    return f"{found[0]}@{size}" if sides is not None and all(map(family.takes, sides)) else base


def _unknown_model(name: str) -> UnknownNameError:
    known = _all_families()
    nearest = _nearest_model(str(name))
    hint = f" Did you mean {nearest!r}?" if nearest else ""
    examples = ", ".join(f"{family} ({known[family].stock_bases[0]})" for family in sorted(known))
    return UnknownNameError(
        f"Unknown model {name!r} (write NAME@PIXELS or NAME@HEIGHTxWIDTH). Known families, each with a model: "
        f"{examples}.{hint}"
    )


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


def check_image_size(family: Family, *sides: int) -> None:
    """Check that a family takes images with such sides.

    Raises:
        ImageSizeError: It does not; the message says which it takes.
    """
    for side in sides:
        if not family.takes(side):
            below = next((size for size in range(side, 0, -1) if family.takes(size)), None)
            above = next(size for size in itertools.count(side) if family.takes(size))
            raise ImageSizeError(
                f"a side of an image must have a number of pixels that {family.name} can take. Got {side}. Take "
                f"{above if below is None else f'{below} or {above}'}, for example."
            )


def nearest_taken(family: Family, pixels: int, pixel_step: int) -> int:
    """Return the multiple of `pixel_step` that `family` takes and that is nearest to `pixels`, itself a multiple.

    The larger one on a tie.
    """
    for steps in itertools.count():
        for size in (pixels + steps * pixel_step, pixels - steps * pixel_step):
            if size > 0 and family.takes(size):
                return size
    raise AssertionError("a pixel step divides the base's pixels, which the family takes")


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
