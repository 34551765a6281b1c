"""MobileNetV3, small and large: inverted residuals with squeeze-and-excitation, found by search.

The blocks of a stage differ in their expansion: a deeper stage repeats its last block, a shallower one keeps its first.

Source: Howard et al., "Searching for MobileNetV3" (2019), tables 1 and 2; the layers are timm's.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from gpscale.families.base import Integers, register
from gpscale.families.rounding import round_channels
from gpscale.families.scaled import Parts, Published, ScaledArchitecture, ScaledFamily
from gpscale.families.tally import Tally

if TYPE_CHECKING:
    from torch import nn

STEM = 16
SQUEEZE = 0.25


@dataclasses.dataclass(frozen=True)
class Stage:
    """What no factor changes in a stage.

    Attributes:
        stride: Stride of its first block.
        kernel: Side of the depthwise kernels.
        squeezed: Whether its blocks have squeeze-and-excitation.
        relu: Whether they have ReLU instead of hard swish.
        expansions: Of each published block; 1 is a depthwise separable convolution.
    """

    stride: int
    kernel: int
    squeezed: bool
    relu: bool
    expansions: tuple[float, ...]

    def expansion(self, block: int) -> float:
        """Return the expansion of a block, the last published one's beyond it."""
        return self.expansions[min(block, len(self.expansions) - 1)]


@dataclasses.dataclass(frozen=True)
class PublishedV3(Published):
    """A MobileNetV3.

    Attributes:
        layout: The stages.
        head: Features between pooling and classifier, at any width.
    """

    layout: tuple[Stage, ...] = ()
    head: int = 0


class _MobileNetV3(ScaledFamily[PublishedV3]):
    multiplied = True

    def _channels(self, published: PublishedV3, multipliers: NDArray[np.float64]) -> Integers:
        channels = super()._channels(published, multipliers)
        channels[:, 0] = np.maximum(channels[:, 0], STEM)
        return channels

    def _count(self, published: PublishedV3, tally: Tally, parts: Parts, num_classes: int) -> None:
        previous, *stages, last = parts.channels
        tally.convolve(3, previous, 3, stride=2)
        for stage, channels, blocks in zip(published.layout, stages, parts.ir_blocks, strict=True):
            _count_block(tally, stage, 0, previous, channels, 1)
            for block in range(1, len(stage.expansions)):
                _count_block(tally, stage, block, channels, channels, (blocks > block).astype(np.int64))
            beyond = np.maximum(blocks - len(stage.expansions), 0)
            _count_block(tally, stage, len(stage.expansions), channels, channels, beyond)
            previous = channels
        tally.convolve(previous, last)
        tally.connect(last, published.head)
        tally.connect(published.head, num_classes)

    def _build(
        self, published: PublishedV3, architecture: ScaledArchitecture, num_classes: int, image_size: tuple[int, int]
    ) -> nn.Module:
        from functools import partial

        from timm.models._efficientnet_blocks import SqueezeExcite
        from timm.models._efficientnet_builder import decode_arch_def, round_channels
        from timm.models.mobilenetv3 import MobileNetV3
        from torch.nn import Hardswish, ReLU

        stem, *stages, last = architecture.channels
        definition = [
            [_block_text(stage, block, channels) for block in range(blocks)]
            for stage, channels, blocks in zip(published.layout, stages, architecture.ir_blocks, strict=True)
        ]
        squeeze = partial(
            SqueezeExcite, gate_layer="hard_sigmoid", force_act_layer=ReLU, rd_round_fn=cast(Any, round_channels)
        )
        return cast(
            "nn.Module",
            MobileNetV3(
                cast(Any, decode_arch_def)([*definition, [f"cn_r1_k1_s1_c{last}"]]),
                num_classes=num_classes,
                num_features=published.head,
                stem_size=stem,
                fix_stem=True,
                round_chs_fn=int,
                act_layer=Hardswish,
                se_layer=squeeze,
            ),
        )


@register
class MobileNetV3Small(_MobileNetV3):
    """The MobileNetV3-Small family. Channels are the stem's, those of the five stages, and the last convolution's."""

    name = "mobilenetv3_small"
    models = (
        PublishedV3(
            "mobilenetv3_small",
            channels=(STEM, 16, 24, 40, 48, 96, 576),
            ir_blocks=(1, 2, 3, 2, 3),
            layout=(
                Stage(2, 3, True, True, (1,)),
                Stage(2, 3, False, True, (4.5, 3.67)),
                Stage(2, 5, True, False, (4, 6)),
                Stage(1, 5, True, False, (3,)),
                Stage(2, 5, True, False, (6,)),
            ),
            head=1024,
        ),
    )
    stages = slice(1, 6)
    stock_bases = tuple(
        f"mobilenetv3_small_{percent:03d}@{pixels}" for pixels in (128, 224) for percent in (50, 75, 100)
    )
    weights = ("mobilenetv3_small_050", "mobilenetv3_small_075", "mobilenetv3_small_100")


@register
class MobileNetV3Large(_MobileNetV3):
    """The MobileNetV3-Large family. Channels are the stem's, those of the six stages, and the last convolution's."""

    name = "mobilenetv3_large"
    models = (
        PublishedV3(
            "mobilenetv3_large",
            channels=(STEM, 16, 24, 40, 80, 112, 160, 960),
            ir_blocks=(1, 2, 3, 4, 2, 3),
            layout=(
                Stage(1, 3, False, True, (1,)),
                Stage(2, 3, False, True, (4, 3)),
                Stage(2, 5, True, True, (3,)),
                Stage(2, 3, False, False, (6, 2.5, 2.3)),
                Stage(1, 3, True, False, (6,)),
                Stage(2, 5, True, False, (6,)),
            ),
            head=1280,
        ),
    )
    stages = slice(1, 7)
    stock_bases = tuple(
        f"mobilenetv3_large_{percent:03d}@{pixels}" for pixels in (128, 224) for percent in (50, 75, 100, 125)
    )
    weights = ("mobilenetv3_large_100",)


def _count_block(tally: Tally, stage: Stage, block: int, into: Integers, out: Integers, times: Integers | int) -> None:
    expansion = stage.expansion(block)
    middle = round_channels(into * expansion)
    if expansion > 1:
        tally.convolve(into, middle, times=times)
    tally.convolve_depthwise(middle, stage.kernel, stride=stage.stride if block == 0 else 1, times=times)
    if stage.squeezed:
        tally.squeeze_and_excite(middle, round_channels(middle * SQUEEZE), times=times)
    tally.convolve(middle, out, times=times)


def _block_text(stage: Stage, block: int, channels: int) -> str:
    """Return a block in timm's notation."""
    expansion = stage.expansion(block)
    kind = "ds" if expansion == 1 else "ir"
    stride = stage.stride if block == 0 else 1
    squeeze = f"_se{SQUEEZE}" if stage.squeezed else ""
    return f"{kind}_r1_k{stage.kernel}_s{stride}_e{expansion}_c{channels}{squeeze}{'_nre' if stage.relu else ''}"
