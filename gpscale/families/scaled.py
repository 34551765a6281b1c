"""What the families that are made of published models share: from the factors to integers, and back.

A published model is given by its channels and its blocks. The width multiplies every channel, rounded to what its
heads and groups need; a depth multiplies the total of its blocks, spread over the stages that have any; whatever else
belongs to the model (kernels, windows, ratios) no factor changes, and a row of integers says whose it is.
"""

from __future__ import annotations

import abc
import dataclasses
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from gpscale.errors import PretrainedError, UnknownNameError
from gpscale.families.base import Architecture, Base, Integers, check_image_size, nearest_taken
from gpscale.families.feature_maps import maps_by_stride
from gpscale.families.pretrained import pretrained_weights
from gpscale.families.rounding import channel_steps, round_channels, round_half_up, sorted_distinct, spread_blocks
from gpscale.families.scaling import Scaled, scale_to
from gpscale.families.tally import Tally

if TYPE_CHECKING:
    from torch import Tensor, nn

CLEAN_STEP = 32
"""Pixel sizes of this step leave no odd feature map before the last."""


@dataclasses.dataclass(frozen=True)
class Published:
    """A model as its paper or its authors' code gives it.

    Attributes:
        name: Name in timm's style.
        channels: Channels that the width multiplies.
        ir_blocks: Convolutional blocks of each stage, 0 where a stage has none.
        vit_blocks: Attention blocks of each stage, the same.
        pixels: Side of the image it was published at.
        divisors: What the channels must be multiples of.
    """

    name: str
    channels: tuple[int, ...]
    ir_blocks: tuple[int, ...] = ()
    vit_blocks: tuple[int, ...] = ()
    pixels: int = 224
    divisors: tuple[int, ...] | int = 8


@dataclasses.dataclass(frozen=True)
class ScaledArchitecture:
    """The integers of one member of a family of published models.

    Attributes:
        model: The published model whose kernels, heads, windows and ratios it has.
        pixels: Side of the square input image.
        channels: Channels, in the order of the published model.
        ir_blocks: Convolutional blocks of each stage.
        vit_blocks: Attention blocks of each stage.
    """

    model: str
    pixels: int
    channels: tuple[int, ...]
    ir_blocks: tuple[int, ...]
    vit_blocks: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the architecture as JSON values."""
        return {
            "model": self.model,
            "pixels": self.pixels,
            "channels": list(self.channels),
            "ir_blocks": list(self.ir_blocks),
            "vit_blocks": list(self.vit_blocks),
        }


@dataclasses.dataclass(frozen=True)
class Parts:
    """Architectures of one published model by their parts, each int64, for the closed forms.

    Attributes:
        channels: Each of shape (n,).
        ir_blocks: Each of shape (n,).
        vit_blocks: Each of shape (n,).
    """

    channels: list[Integers]
    ir_blocks: list[Integers]
    vit_blocks: list[Integers]


Model = TypeVar("Model", bound=Published)


class ScaledFamily(abc.ABC, Generic[Model]):
    """A family of published models; a row of integers is the model's number, pixels, channels and block counts.

    A subclass gives the attributes below, `_count` and `_build`, and overrides what is otherwise in it.

    Attributes:
        name: Name of the family.
        models: The published models; all have the same number of channels and stages.
        multiplied: Whether a name ends in 100 x a width multiplier, as in `mobilenetv2_140`.
        stages: Which of the channels the realised width is taken of.
        stock_bases: Bases to offer.
        feature_strides: Strides of the feature maps, those of 4 to 32.
        weights: timm's names of the models that it has weights for.
        sized: Whether parameters depend on the size of the image.
    """

    name: str
    models: tuple[Model, ...]
    stages: slice = slice(None)
    multiplied: bool = False
    stock_bases: tuple[str, ...]
    feature_strides: tuple[int, ...] = (4, 8, 16, 32)
    weights: tuple[str, ...] = ()
    sized: bool = False

    def __init__(self) -> None:
        ends = np.cumsum([1, 1, *(len(part) for part in _parts(self.models[0]))]).tolist()
        spans = [slice(start, end) for start, end in itertools.pairwise(ends)]
        self.columns: Mapping[str, slice] = dict(
            zip(("resolution", "width", "ir_depth", "vit_depth"), spans, strict=True)
        )

    def parse(self, model: str, pixels: int) -> Base | None:
        """Return the base of that name at `pixels`, None if the name is not of this family."""
        multiplier = 1.0
        name = model
        if self.multiplied:
            match = re.fullmatch(r"(.+)_([0-9]{3})", model)
            if match is None or int(match[2]) == 0:
                return None
            name, multiplier = match[1], int(match[2]) / 100
        for published in self.models:
            if published.name == name:
                return Base(f"{model}@{pixels}", self.name, multiplier, self._member(published, multiplier, pixels))
        return None

    def takes(self, pixels: int) -> bool:
        """Say whether images with a side of `pixels` can be taken."""
        return pixels >= 1

    def default_pixel_step(self, base: Base) -> int:
        """Return 32 where it divides the base's pixels, else a quarter of them, or all where four does not divide."""
        pixels = base.architecture.pixels
        if pixels % CLEAN_STEP == 0:
            return CLEAN_STEP
        return pixels // 4 if pixels % 4 == 0 else pixels

    def level_values(self, base: Base, factor: str, low: float, high: float, pixel_step: int) -> NDArray[np.float64]:
        """Return values of `factor` in [low, high], shape (m,), that give each distinct realisation once, ascending.

        A factor that the base lacks has one, whatever the bounds.
        """
        if factor == "resolution":
            pixels = base.architecture.pixels
            first, last = np.ceil(low * pixels / pixel_step - 1e-9), np.floor(high * pixels / pixel_step + 1e-9)
            sizes = [int(step) * pixel_step for step in np.arange(max(first, 1), last + 1)]
            return np.array([size / pixels for size in sizes if self.takes(size)], dtype=np.float64)
        if factor == "width":
            nominal, divisors = self._nominal(base)
            edges = [
                channel_steps(channels, low, high, divisor) for channels, divisor in zip(nominal, divisors, strict=True)
            ]
            ends = np.concatenate([[low], sorted_distinct(np.concatenate(edges)), [high]])
            # between two steps nothing changes, so the middle stands for the whole interval
            values = np.concatenate([[low], (ends[:-1] + ends[1:]) / 2, [high]])
        else:
            whole = sum(self._blocks(base, factor))
            if not whole:
                return np.clip([1.0], low, high)
            totals = np.arange(int(round_half_up(low * whole)), int(round_half_up(high * whole)) + 1)
            # a total may be reached only by rounding from within, so its own ratio can lie outside
            values = np.clip(totals / whole, low, high)
        places: dict[tuple[int, ...], int] = {}
        for place, integers in enumerate(self.realise(base, factor, values, pixel_step).tolist()):
            places.setdefault(tuple(integers), place)
        return values[list(places.values())]

    def realise(self, base: Base, factor: str, values: NDArray[np.float64], pixel_step: int) -> Integers:
        """Return the integers, shape (m, columns of the factor), for requested values of one factor, shape (m,)."""
        if factor == "resolution":
            steps = np.maximum(round_half_up(values * base.architecture.pixels / pixel_step), 1)
            sizes = [nearest_taken(self, int(step) * pixel_step, pixel_step) for step in steps]
            return np.array(sizes, dtype=np.int64)[:, None]
        if factor == "width":
            return self._channels(self._published(base.architecture), values[:, None] * base.multiplier)
        counts = self._blocks(base, factor)
        return np.array(
            [spread_over_stages(int(total), counts) for total in round_half_up(values * sum(counts))], dtype=np.int64
        ).reshape(len(values), len(counts))

    def realised(self, base: Base, integers: Integers) -> NDArray[np.float64]:
        """Return the factors, shape (n, 4), that rows of integers, shape (n, k), really have.

        Pixels over the base's; blocks of each kind and channels of the stages, each summed, over the base's sum. A
        factor that the base lacks is 1.
        """
        own = self.row(base.architecture)
        width = range(*self.columns["width"].indices(len(own)))[self.stages]
        parts = (self.columns["resolution"], self.columns["ir_depth"], self.columns["vit_depth"], list(width))
        sums = [(integers[:, part].sum(axis=1), own[part].sum()) for part in parts]
        return np.stack([some / whole if whole else np.ones(len(integers)) for some, whole in sums], axis=1)

    def architecture(self, row: Integers) -> ScaledArchitecture:
        """Return the architecture of one row of integers, shape (k,)."""
        values = tuple(int(value) for value in row)
        return ScaledArchitecture(
            self.models[values[0]].name,
            values[1],
            *(values[self.columns[part]] for part in ("width", "ir_depth", "vit_depth")),
        )

    def row(self, architecture: Architecture) -> Integers:
        """Return the integers, shape (k,), of an architecture."""
        own = cast(ScaledArchitecture, architecture)
        number = self.models.index(self._published(own))
        return np.array((number, own.pixels, *own.channels, *own.ir_blocks, *own.vit_blocks), dtype=np.int64)

    def architecture_from_dict(self, values: Mapping[str, Any]) -> ScaledArchitecture:
        """Read an architecture written by `to_dict`."""
        lists = (tuple(int(value) for value in values[part]) for part in ("channels", "ir_blocks", "vit_blocks"))
        return ScaledArchitecture(str(values["model"]), int(values["pixels"]), *lists)

    def count(
        self, integers: Integers, num_classes: int, image_size: tuple[int, int] | None = None
    ) -> tuple[Integers, Integers]:
        """Count MACs and parameters in closed form.

        Args:
            integers: Architectures, shape (n, k), int64.
            num_classes: Outputs of the classifier.
            image_size: Height and width in pixels instead of the architectures' own.

        Returns:
            MACs of one image and number of parameters, each int64 of shape (n,), of the form that is deployed.

        Raises:
            ImageSizeError: The family cannot take images of that size.
        """
        check_image_size(self, *(image_size or ()))
        rows = np.asarray(integers, dtype=np.int64)
        macs, params = np.empty(len(rows), dtype=np.int64), np.empty(len(rows), dtype=np.int64)
        for number in sorted(set(rows[:, 0].tolist())):
            here = np.flatnonzero(rows[:, 0] == number)
            own = np.ascontiguousarray(rows[here].T)
            side = own[1]
            sizes = (side, side) if image_size is None else (side * 0 + image_size[0], side * 0 + image_size[1])
            lists = (list(own[self.columns[part]]) for part in ("width", "ir_depth", "vit_depth"))
            tally = Tally(*sizes)
            self._count(self.models[number], tally, Parts(*lists), num_classes)
            macs[here], params[here] = tally.macs, tally.params
        return macs, params

    def build(
        self,
        architecture: Architecture,
        num_classes: int,
        *,
        pretrained: bool = False,
        image_size: tuple[int, int] | None = None,
    ) -> nn.Module:
        """Build the torch model, in the form that is trained.

        Args:
            architecture: What to build.
            num_classes: Outputs of the classifier.
            pretrained: Load timm's ImageNet weights; only some published models have them. A classifier of another
                size than theirs keeps its random weights, as in timm.
            image_size: Height and width in pixels instead of the architecture's own, where parameters depend on it.

        Raises:
            ImageSizeError: The family cannot take images of that size.
            PretrainedError: `pretrained`, and the architecture has no published weights, or they cannot be had.
        """
        own = cast(ScaledArchitecture, architecture)
        size = image_size or (own.pixels, own.pixels)
        check_image_size(self, *size)
        stock = self._stock_name(own, image_size) if pretrained else None
        model = self._build(self._published(own), own, num_classes, size)
        if stock is not None:
            model.load_state_dict(pretrained_weights(stock, num_classes))
        return model

    def inference_form(self, model: nn.Module) -> nn.Module:
        """Return the form of a built model that is counted, timed and deployed: here the model itself."""
        return model

    def feature_maps(self, model: nn.Module, images: Tensor) -> dict[int, Tensor]:
        """Return a built model's feature maps by stride; see `families.feature_maps`."""
        return maps_by_stride(model, images, self.feature_strides)

    def scale_to(
        self, macs: str | float, by: str = "width", *, base: Base | str | None = None, num_classes: int = 1000
    ) -> Scaled:
        """Return the largest member at or under a budget; see `families.scaling.scale_to`."""
        return scale_to(self, macs, by, base=base, num_classes=num_classes)

    @abc.abstractmethod
    def _count(self, published: Model, tally: Tally, parts: Parts, num_classes: int) -> None:
        """Add up the layers of architectures of one published model."""

    @abc.abstractmethod
    def _build(
        self, published: Model, architecture: ScaledArchitecture, num_classes: int, image_size: tuple[int, int]
    ) -> nn.Module:
        """Build a member of one published model."""

    def _channels(self, published: Model, multipliers: NDArray[np.float64]) -> Integers:
        """Return the channels, shape (m, channels), at width multipliers of the published model, shape (m, 1)."""
        return round_channels(multipliers * np.array(published.channels), published.divisors)

    def _member(self, published: Model, multiplier: float, pixels: int) -> ScaledArchitecture:
        """Return the architecture of a published model at a width multiplier and a pixel size."""
        channels = self._channels(published, np.array([[multiplier]]))[0].tolist()
        return ScaledArchitecture(published.name, pixels, tuple(channels), published.ir_blocks, published.vit_blocks)

    def _nominal(self, base: Base) -> tuple[list[float], list[int]]:
        """Return what the width multiplies, and the divisors of the products."""
        published = self._published(base.architecture)
        divisors = np.broadcast_to(published.divisors, len(published.channels)).tolist()
        return [channels * base.multiplier for channels in published.channels], divisors

    def _published(self, architecture: Architecture) -> Model:
        own = cast(ScaledArchitecture, architecture)
        for published in self.models:
            if published.name == own.model:
                return published
        raise UnknownNameError.of(f"model of {self.name}", own.model, [published.name for published in self.models])

    def _blocks(self, base: Base, factor: str) -> tuple[int, ...]:
        own = cast(ScaledArchitecture, base.architecture)
        return own.ir_blocks if factor == "ir_depth" else own.vit_blocks

    def _stock_name(self, architecture: ScaledArchitecture, image_size: tuple[int, int] | None) -> str:
        pixels = self._published(architecture).pixels
        fits = image_size in (None, (pixels, pixels)) and architecture.pixels == pixels
        for name in self.weights:
            base = self.parse(name, architecture.pixels)
            if base is not None and base.architecture == architecture and (fits or not self.sized):
                return name
        known = (
            f"{', '.join(self.weights)} {f'at {pixels} px ' if self.sized else ''}have" if self.weights else "none has"
        )
        raise PretrainedError(
            f"of {self.name}, {known} pretrained weights. Got {architecture}. Build with pretrained=False and train it."
        )


def spread_over_stages(total: int, base: Sequence[int]) -> tuple[int, ...]:
    """Spread `total` blocks over the stages of `base` that have any, at least one each.

    Example:
        >>> spread_over_stages(9, (2, 2, 2, 0))
        (3, 3, 3, 0)
    """
    some = [blocks for blocks in base if blocks]
    spread = iter(spread_blocks(total, some) if some else ())
    return tuple(next(spread) if blocks else 0 for blocks in base)


def _parts(published: Published) -> tuple[tuple[int, ...], ...]:
    return published.channels, published.ir_blocks, published.vit_blocks
