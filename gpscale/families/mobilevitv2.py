"""MobileViTV2: inverted residuals in five stages, separable self-attention in the last three.

Source: Mehta and Rastegari, "Separable Self-attention for Mobile Vision Transformers" (2022); the layers are timm's.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from gpscale.errors import PretrainedError
from gpscale.families.base import Architecture, Base, Integers, register
from gpscale.families.feature_maps import maps_by_stride
from gpscale.families.pretrained import pretrained_weights
from gpscale.families.rounding import channel_steps, round_channels, round_half_up, sorted_distinct, spread_blocks

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gpscale.families.scaling import Scaled

STEM_CHANNELS = 32
STAGE_CHANNELS = (64, 128, 256, 384, 512)
STAGE_STRIDES = (1, 2, 2, 2, 2)
IR_BLOCKS = (1, 2, 1, 1, 1)
VIT_LAYERS = (2, 4, 3)
EXPANSION = 2
FIRST_VIT_STAGE = 2
STOCK_MULTIPLIERS = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
STOCK_PIXELS = (64, 128, 256)

_COUNT_BLOCK = 8192  # rows at a time, so that the intermediate arrays stay in the cache
_NAME = re.compile(r"mobilevitv2_([0-9]{3})")
_NOMINAL = np.array((STEM_CHANNELS, *STAGE_CHANNELS), dtype=np.float64)


@dataclasses.dataclass(frozen=True)
class MobileViTV2Architecture:
    """The integers of one MobileViTV2.

    Attributes:
        pixels: Side of the square input image.
        stem: Channels of the stem.
        channels: Channels of the five stages.
        ir_blocks: Inverted-residual blocks of the five stages; only a stage's first has the stride.
        vit_layers: Attention layers of stages 3 to 5.
    """

    pixels: int
    stem: int
    channels: tuple[int, int, int, int, int]
    ir_blocks: tuple[int, int, int, int, int]
    vit_layers: tuple[int, int, int]

    def to_dict(self) -> dict[str, Any]:
        """Return the architecture as JSON values."""
        return {
            "pixels": self.pixels,
            "stem": self.stem,
            "channels": list(self.channels),
            "ir_blocks": list(self.ir_blocks),
            "vit_layers": list(self.vit_layers),
        }


@register
class MobileViTV2:
    """The MobileViTV2 family. A row of integers is pixels, stem, 5 channels, 5 block counts, 3 layer counts."""

    name = "mobilevitv2"
    columns: Mapping[str, slice] = {
        "resolution": slice(0, 1),
        "width": slice(1, 7),
        "ir_depth": slice(7, 12),
        "vit_depth": slice(12, 15),
    }
    stock_bases = tuple(
        f"mobilevitv2_{round(100 * multiplier):03d}@{pixels}"
        for pixels in STOCK_PIXELS
        for multiplier in STOCK_MULTIPLIERS
    )
    feature_strides: tuple[int, ...] = (4, 8, 16, 32)

    def parse(self, model: str, pixels: int) -> Base | None:
        """Return the base `mobilevitv2_<100 x width multiplier>` at `pixels`, None for another name."""
        match = _NAME.fullmatch(model)
        if match is None or int(match[1]) == 0:
            return None
        multiplier = int(match[1]) / 100
        row = np.concatenate([[pixels], round_channels(_NOMINAL * multiplier), IR_BLOCKS, VIT_LAYERS])
        return Base(f"{model}@{pixels}", self.name, multiplier, self.architecture(row))

    def takes(self, pixels: int) -> bool:
        """Say whether images with a side of `pixels` can be taken: all can."""
        return pixels >= 1

    def default_pixel_step(self, base: Base) -> int:
        """Return a quarter of the base's pixels, or all of them where four does not divide them."""
        pixels = base.architecture.pixels
        return pixels // 4 if pixels % 4 == 0 else pixels

    def level_values(self, base: Base, factor: str, low: float, high: float, pixel_step: int) -> NDArray[np.float64]:
        """Return values of `factor` in [low, high], shape (m,), that give each distinct realisation once, ascending."""
        if factor == "resolution":
            pixels = base.architecture.pixels
            steps = np.arange(
                np.ceil(low * pixels / pixel_step - 1e-9), np.floor(high * pixels / pixel_step + 1e-9) + 1
            )
            values = steps[steps > 0] * pixel_step / pixels
        elif factor == "width":
            edges = [channel_steps(nominal * base.multiplier, low, high) for nominal in _NOMINAL]
            ends = np.concatenate([[low], sorted_distinct(np.concatenate(edges)), [high]])
            # between two steps nothing changes, so the middle stands for the whole interval
            values = np.concatenate([[low], (ends[:-1] + ends[1:]) / 2, [high]])
        else:
            whole = sum(self._base_counts(factor))
            totals = np.arange(int(round_half_up(low * whole)), int(round_half_up(high * whole)) + 1)
            # a total may be reached only by rounding from within, so its own ratio can lie outside
            values = np.clip(totals / whole, low, high)
        first: dict[tuple[int, ...], int] = {}
        for place, integers in enumerate(self.realise(base, factor, values, pixel_step).tolist()):
            first.setdefault(tuple(integers), place)
        return values[list(first.values())]

    def realise(self, base: Base, factor: str, values: NDArray[np.float64], pixel_step: int) -> Integers:
        """Return the integers, shape (m, columns of the factor), for requested values of one factor, shape (m,)."""
        if factor == "resolution":
            steps = round_half_up(values * base.architecture.pixels / pixel_step)
            return (np.maximum(steps, 1) * pixel_step)[:, None]
        if factor == "width":
            return round_channels(values[:, None] * (_NOMINAL * base.multiplier))
        counts = self._base_counts(factor)
        totals = round_half_up(values * sum(counts))
        return np.array([spread_blocks(int(total), counts) for total in totals], dtype=np.int64)

    def realised(self, base: Base, integers: Integers) -> NDArray[np.float64]:
        """Return the factors, shape (n, 4), that rows of integers, shape (n, 15), really have.

        Pixels over the base's; blocks, layers and stage channels (stem left out), each summed, over the base's sum.
        """
        own = self.row(base.architecture)
        parts = (slice(0, 1), self.columns["ir_depth"], self.columns["vit_depth"], slice(2, 7))
        return np.stack([integers[:, part].sum(axis=1) / own[part].sum() for part in parts], axis=1)

    def architecture(self, row: Integers) -> MobileViTV2Architecture:
        """Return the architecture of one row of integers, shape (15,)."""
        values = tuple(int(value) for value in row)
        return MobileViTV2Architecture(
            pixels=values[0],
            stem=values[1],
            channels=cast(tuple[int, int, int, int, int], values[2:7]),
            ir_blocks=cast(tuple[int, int, int, int, int], values[7:12]),
            vit_layers=cast(tuple[int, int, int], values[12:15]),
        )

    def row(self, architecture: Architecture) -> Integers:
        """Return the integers, shape (15,), of an architecture."""
        own = cast(MobileViTV2Architecture, architecture)
        return np.array(
            (own.pixels, own.stem, *own.channels, *own.ir_blocks, *own.vit_layers),
            dtype=np.int64,
        )

    def architecture_from_dict(self, values: Mapping[str, Any]) -> MobileViTV2Architecture:
        """Read an architecture written by `to_dict`."""
        return self.architecture(
            np.array(
                [values["pixels"], values["stem"], *values["channels"], *values["ir_blocks"], *values["vit_layers"]],
                dtype=np.int64,
            )
        )

    def count(
        self, integers: Integers, num_classes: int, image_size: tuple[int, int] | None = None
    ) -> tuple[Integers, Integers]:
        """Count MACs and parameters in closed form.

        Args:
            integers: Architectures, shape (n, 15), int64; channels are multiples of 8.
            num_classes: Outputs of the classifier.
            image_size: Height and width in pixels instead of the architectures' own.

        Returns:
            MACs of one image and number of parameters, each int64 of shape (n,). MACs are convolutions and linear
            layers; the separable attention itself is element-wise and counts nothing, as in torch's flop counter.
        """
        rows = np.asarray(integers, dtype=np.int64)
        macs = np.empty(len(rows), dtype=np.int64)
        params = np.empty(len(rows), dtype=np.int64)
        for start in range(0, len(rows), _COUNT_BLOCK):
            block = slice(start, start + _COUNT_BLOCK)
            macs[block], params[block] = _count_block(rows[block], num_classes, image_size)
        return macs, params

    def build(
        self,
        architecture: Architecture,
        num_classes: int,
        *,
        pretrained: bool = False,
        image_size: tuple[int, int] | None = None,
    ) -> nn.Module:
        """Build the torch model from timm's parts.

        Args:
            architecture: What to build.
            num_classes: Outputs of the classifier.
            pretrained: Load timm's ImageNet weights; only a stock architecture has them. A classifier of another size
                than 1,000 keeps its random weights, as in timm.
            image_size: Height and width in pixels; no parameter depends on it.

        Raises:
            PretrainedError: `pretrained` and the architecture is not a stock one, or its weights cannot be had.
        """
        from timm.models.byobnet import ByobNet, ByoModelCfg

        own = cast(MobileViTV2Architecture, architecture)
        stock = self._stock_name(own) if pretrained else None
        blocks = tuple(_stage_blocks(own, stage) for stage in range(len(STAGE_CHANNELS)))
        config = ByoModelCfg(
            blocks=blocks, stem_chs=own.stem, stem_type="3x3", stem_pool="", downsample="", act_layer="silu"
        )
        model = ByobNet(config, num_classes=num_classes)
        if stock is not None:
            model.load_state_dict(pretrained_weights(stock, num_classes))
        return cast("nn.Module", model)

    def inference_form(self, model: nn.Module) -> nn.Module:
        """Return the form of a built model that is counted, timed and deployed: the model itself."""
        return model

    def feature_maps(self, model: nn.Module, images: Tensor) -> dict[int, Tensor]:
        """Return a built model's feature maps by stride; see `families.feature_maps`."""
        return maps_by_stride(model, images, self.feature_strides)

    def scale_to(
        self, macs: str | float, by: str = "width", *, base: Base | str | None = None, num_classes: int = 1000
    ) -> Scaled:
        """Return the largest member at or under a budget; see `families.scaling.scale_to`."""
        from gpscale.families.scaling import scale_to

        return scale_to(self, macs, by, base=base, num_classes=num_classes)

    def _base_counts(self, factor: str) -> tuple[int, ...]:
        return IR_BLOCKS if factor == "ir_depth" else VIT_LAYERS

    def _stock_name(self, architecture: MobileViTV2Architecture) -> str:
        for multiplier in STOCK_MULTIPLIERS:
            name = f"mobilevitv2_{round(100 * multiplier):03d}"
            base = self.parse(name, architecture.pixels)
            if base is not None and base.architecture == architecture:
                return name
        raise PretrainedError(
            "pretrained weights exist for the stock widths and depths only (mobilevitv2_050 ... mobilevitv2_200). "
            f"Got {architecture}. Build with pretrained=False and train it."
        )


def _count_block(rows: Integers, num_classes: int, image_size: tuple[int, int] | None) -> tuple[Integers, Integers]:
    columns = np.ascontiguousarray(rows.T)
    height, width = (columns[0], columns[0]) if image_size is None else np.array(image_size, dtype=np.int64)
    height, width = (height + 1) // 2, (width + 1) // 2
    previous = columns[1]
    macs = height * width * (27 * previous)
    params = 29 * previous
    for stage, stride in enumerate(STAGE_STRIDES):
        channels, extra = columns[2 + stage], columns[7 + stage] - 1
        area_in = height * width
        if stride == 2:
            height, width = (height + 1) // 2, (width + 1) // 2
        area = height * width
        middle = EXPANSION * previous
        macs = macs + middle * (area_in * previous + area * (9 + channels))
        params = params + middle * (previous + 13 + channels) + 2 * channels
        middle = EXPANSION * channels
        macs += extra * area * middle * (2 * channels + 9)
        params += extra * (middle * (2 * channels + 13) + 2 * channels)
        if stage >= FIRST_VIT_STAGE:
            # an odd map is resized to even before the attention and stays so
            height, width = height + height % 2, width + width % 2
            layers = columns[12 + stage - FIRST_VIT_STAGE]
            inner = (channels // 2 + 7) // 8 * 8
            macs += height * width * (9 * channels + 2 * channels * inner + layers * inner * (7 * inner + 1))
            params += 13 * channels + 2 * channels * inner + 2 * inner + layers * (7 * inner * inner + 11 * inner + 1)
        previous = channels
    return macs + previous * num_classes, params + (previous + 1) * num_classes


def _stage_blocks(architecture: MobileViTV2Architecture, stage: int) -> tuple[Any, ...]:
    from timm.models.byobnet import ByoBlockCfg

    channels = architecture.channels[stage]
    residuals = ByoBlockCfg(
        type="bottle",
        d=architecture.ir_blocks[stage],
        c=channels,
        s=STAGE_STRIDES[stage],
        gs=1,
        br=float(EXPANSION),
        block_kwargs={"bottle_in": True, "linear_out": True},
    )
    if stage < FIRST_VIT_STAGE:
        return (residuals,)
    depth = architecture.vit_layers[stage - FIRST_VIT_STAGE]
    attention = ByoBlockCfg(
        type="mobilevit2",
        d=1,
        c=channels,
        s=1,
        gs=1,
        br=0.5,
        block_kwargs={"transformer_depth": depth, "patch_size": 2},
    )
    return (residuals, attention)
