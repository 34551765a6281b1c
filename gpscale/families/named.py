"""One model by its name, to be counted, built or timed: of a family, or any that timm has.

`NAME@PIXELS` and `NAME@HEIGHTxWIDTH` are models of our families; with `timm:` before it NAME is any of timm's. Without
a size a model has the pixels that it was published at.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, Protocol, cast

from gpscale.errors import ImageSizeError, UnknownNameError
from gpscale.families.base import Base, get, names, parse_model

if TYPE_CHECKING:
    from torch import nn

TIMM = "timm:"
_USUAL_PIXELS = 224


class NamedModel(Protocol):
    """A model that can be counted and built.

    Example:
        >>> model: NamedModel = find_model("mobilevitv2_050@64")
        >>> model.count(10)[1]
        1116163
    """

    @property
    def name(self) -> str:
        """Name with its size."""
        ...

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        ...

    def count(self, num_classes: int) -> tuple[int, int]:
        """Return MACs of one image and number of parameters of the deployed form."""
        ...

    def build(self, num_classes: int) -> nn.Module:
        """Return the torch model in the form that is trained."""
        ...

    def inference_form(self, model: nn.Module) -> nn.Module:
        """Return the form of a built model that is counted, timed and deployed."""
        ...


@dataclasses.dataclass(frozen=True)
class FamilyModel:
    """A model of one of our families; see `NamedModel`.

    Attributes:
        base: The model with square images, at the height.
        image_size: Height and width, pixels.
    """

    base: Base
    image_size: tuple[int, int]

    @property
    def name(self) -> str:
        """Name with its size."""
        return _sized(self.base.name.split("@")[0], self.image_size)

    def count(self, num_classes: int) -> tuple[int, int]:
        """Return MACs and parameters in closed form."""
        family = get(self.base.family)
        macs, params = family.count(family.row(self.base.architecture)[None], num_classes, self.image_size)
        return int(macs[0]), int(params[0])

    def build(self, num_classes: int) -> nn.Module:
        """Return the torch model in the form that is trained."""
        return get(self.base.family).build(self.base.architecture, num_classes, image_size=self.image_size)

    def inference_form(self, model: nn.Module) -> nn.Module:
        """Return the deployed form of a built model."""
        return get(self.base.family).inference_form(model)


@dataclasses.dataclass(frozen=True)
class TimmModel:
    """Any model of timm, with random weights; see `NamedModel`.

    Attributes:
        timm_name: timm's name.
        image_size: Height and width, pixels.
    """

    timm_name: str
    image_size: tuple[int, int]

    @property
    def name(self) -> str:
        """Name with its size."""
        return _sized(f"{TIMM}{self.timm_name}", self.image_size)

    def count(self, num_classes: int) -> tuple[int, int]:
        """Return MACs and parameters by torch's counter.

        Raises:
            ImageSizeError: The model cannot take images of that size.
        """
        import torch

        from gpscale.counting import count_module

        try:
            with torch.device("meta"):
                model = self.inference_form(self.build(num_classes))
            return count_module(model, self.image_size)
        # models of timm say in many ways that they cannot take an image
        except (AssertionError, RuntimeError, ValueError, IndexError) as error:
            height, width = self.image_size
            raise ImageSizeError(
                f"{TIMM}{self.timm_name} must be able to take images of {height} x {width} px. Got: "
                f"{' '.join(str(error).split())[:200] or type(error).__name__}. Leave the size out for its own, "
                f"{_timm_pixels(self.timm_name)} px."
            ) from error

    def build(self, num_classes: int) -> nn.Module:
        """Return the torch model as timm makes it."""
        import timm

        height, width = self.image_size
        make = functools.partial(timm.create_model, self.timm_name, pretrained=False, num_classes=num_classes)
        try:
            # those with tables of positions must know the size, and some take one number alone
            return make(img_size=height if height == width else self.image_size)
        except TypeError:
            return make()

    def inference_form(self, model: nn.Module) -> nn.Module:
        """Return a copy with parallel branches folded, where it has any; else the model itself."""
        from timm.utils.model import reparameterize_model

        folds = any(hasattr(module, "reparameterize") for module in model.modules())
        return reparameterize_model(model) if folds else model


def find_model(text: str) -> NamedModel:
    """Find a model by its name.

    Args:
        text: `NAME`, `NAME@PIXELS` or `NAME@HEIGHTxWIDTH`, `timm:` before it for any model of timm.

    Raises:
        ImageSizeError: The family cannot take images of that size.
        UnknownNameError: There is no such model.

    Example:
        >>> find_model("edgevit_xxs").name, find_model("edgevit_xxs@96x128").image_size
        ('edgevit_xxs@224', (96, 128))
    """
    if text.startswith(TIMM):
        return _find_timm(text)
    if "@" not in text:
        for name in names():
            family = get(name)
            pixels = max(int(stock.split("@")[1]) for stock in family.stock_bases)
            base = family.parse(text, pixels)
            if base is not None:
                return FamilyModel(base, (pixels, pixels))
    return FamilyModel(*parse_model(text))


def _find_timm(text: str) -> TimmModel:
    import timm
    from timm.models import is_model

    name, at, size = text.removeprefix(TIMM).partition("@")
    if not is_model(name):
        # imported here because almost no run of a command gets here
        import difflib

        nearest = difflib.get_close_matches(name, cast(Any, timm).list_models(), n=3)
        hint = f"Nearest: {', '.join(nearest)}." if nearest else "Look for it at https://huggingface.co/timm."
        raise UnknownNameError(f"Unknown model {name!r} of timm {timm.__version__}. {hint}")
    sides = size.lower().split("x") if at else [str(_timm_pixels(name))]
    if not (len(sides) <= 2 and all(side.isascii() and side.isdigit() and int(side) > 0 for side in sides)):
        raise UnknownNameError(
            f"A model must have a size as in {TIMM}{name}@224 or {TIMM}{name}@192x256, or none. Got {text!r}."
        )
    return TimmModel(name, (int(sides[0]), int(sides[-1])))


def _timm_pixels(name: str) -> int:
    """Return the side of the images that timm's model is published for."""
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(name)
    return int(config.input_size[-1]) if config is not None else _USUAL_PIXELS


def _sized(name: str, image_size: tuple[int, int]) -> str:
    height, width = image_size
    return f"{name}@{height}" if height == width else f"{name}@{height}x{width}"
