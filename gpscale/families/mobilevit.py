"""MobileViT, first version: inverted residuals in five stages, softmax attention over patches in the last three.

Source: Mehta and Rastegari, "MobileViT: Light-weight, General-purpose, and Mobile-friendly Vision Transformer" (2022),
table 4; the layers are timm's.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast

from gpscale.families.base import Integers, register
from gpscale.families.scaled import Parts, Published, ScaledArchitecture, ScaledFamily
from gpscale.families.tally import Tally

if TYPE_CHECKING:
    from torch import nn

STRIDES = (1, 2, 2, 2, 2)
FIRST_VIT_STAGE = 2
PATCH = 2
EXPANSION = 2  # of the feed-forward layers


@dataclasses.dataclass(frozen=True)
class PublishedMobileViT(Published):
    """A MobileViT.

    Attributes:
        expansion: Expansion of the inverted residuals.
    """

    expansion: int = 4


def _published(size: str, channels: tuple[int, ...], expansion: int = 4) -> PublishedMobileViT:
    return PublishedMobileViT(
        f"mobilevit_{size}", channels, (1, 3, 1, 1, 1), (2, 4, 3), pixels=256, expansion=expansion
    )


@register
class MobileViT(ScaledFamily[PublishedMobileViT]):
    """The MobileViT family. Channels are the stem's, those of the five stages, of three attentions, and the head's."""

    name = "mobilevit"
    models = (
        _published("xxs", (16, 16, 24, 48, 64, 80, 64, 80, 96, 320), expansion=2),
        _published("xs", (16, 32, 48, 64, 80, 96, 96, 120, 144, 384)),
        _published("s", (16, 32, 64, 96, 128, 160, 144, 192, 240, 640)),
    )
    stages = slice(1, 6)
    stock_bases = tuple(f"mobilevit_{size}@256" for size in ("xxs", "xs", "s"))
    weights = ("mobilevit_xxs", "mobilevit_xs", "mobilevit_s")

    def _count(self, published: PublishedMobileViT, tally: Tally, parts: Parts, num_classes: int) -> None:
        previous, stages, inner, head = parts.channels[0], parts.channels[1:6], parts.channels[6:9], parts.channels[9]
        tally.convolve(3, previous, 3, stride=2)
        for stage, (channels, blocks) in enumerate(zip(stages, parts.ir_blocks, strict=True)):
            for into, stride, times in ((previous, STRIDES[stage], 1), (channels, 1, blocks - 1)):
                middle = published.expansion * into
                tally.convolve(into, middle, times=times)
                tally.convolve_depthwise(middle, 3, stride=stride, times=times)
                tally.convolve(middle, channels, times=times)
            if stage >= FIRST_VIT_STAGE:
                place = stage - FIRST_VIT_STAGE
                _count_attention(tally, channels, inner[place], parts.vit_blocks[place])
            previous = channels
        tally.convolve(previous, head)
        tally.connect(head, num_classes)

    def _build(
        self,
        published: PublishedMobileViT,
        architecture: ScaledArchitecture,
        num_classes: int,
        image_size: tuple[int, int],
    ) -> nn.Module:
        from timm.models.byobnet import ByobNet, ByoModelCfg

        config = ByoModelCfg(
            blocks=tuple(_stage_blocks(published, architecture, stage) for stage in range(len(STRIDES))),
            stem_chs=architecture.channels[0],
            stem_type="3x3",
            stem_pool="",
            downsample="",
            act_layer="silu",
            num_features=architecture.channels[9],
        )
        return cast("nn.Module", ByobNet(config, num_classes=num_classes))


def _count_attention(tally: Tally, channels: Integers, inner: Integers, layers: Integers) -> None:
    tally.convolve(channels, channels, 3)
    tally.convolve(channels, inner, norm=False)
    size = tally.height, tally.width
    # an odd map is resized to even for the attention, and back
    tally.height, tally.width = size[0] + size[0] % PATCH, size[1] + size[1] % PATCH
    for into, out in ((inner, 3 * inner), (inner, inner), (inner, EXPANSION * inner), (EXPANSION * inner, inner)):
        tally.convolve(into, out, bias=True, norm=False, times=layers)
    # tokens attend to those at the same place of the other patches
    tally.attend(inner, inner, tally.area, tally.area // PATCH**2, times=layers)
    tally.hold(4 * inner, times=layers)
    tally.hold(2 * inner)
    tally.height, tally.width = size
    tally.convolve(inner, channels)
    tally.convolve(2 * channels, channels, 3)


def _stage_blocks(published: PublishedMobileViT, architecture: ScaledArchitecture, stage: int) -> tuple[Any, ...]:
    from timm.models.byobnet import ByoBlockCfg

    channels = architecture.channels[1 + stage]
    residuals = ByoBlockCfg(
        type="bottle",
        d=architecture.ir_blocks[stage],
        c=channels,
        s=STRIDES[stage],
        gs=1,
        br=float(published.expansion),
        block_kwargs={"bottle_in": True, "linear_out": True},
    )
    if stage < FIRST_VIT_STAGE:
        return (residuals,)
    place = stage - FIRST_VIT_STAGE
    attention = ByoBlockCfg(
        type="mobilevit",
        d=1,
        c=channels,
        s=1,
        block_kwargs={
            "transformer_dim": architecture.channels[6 + place],
            "transformer_depth": architecture.vit_blocks[place],
            "patch_size": PATCH,
        },
    )
    return (residuals, attention)
