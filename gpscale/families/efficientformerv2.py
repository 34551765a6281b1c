"""EfficientFormerV2: convolutional blocks, and attention blocks at the end of the last two stages.

The expansion of a block is published by its place. A deeper stage repeats its last expansion, a shallower one keeps its
first ones, the convolutional and the attention blocks each for themselves.

Source: Li et al., "Rethinking Vision Transformers for MobileNet Size and Speed" (2022); the layers are timm's.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from gpscale.families.base import Integers, register
from gpscale.families.scaled import Parts, Published, ScaledArchitecture, ScaledFamily
from gpscale.families.tally import Tally

if TYPE_CHECKING:
    from torch import nn

HEADS, KEY, VALUE = 8, 32, 128
DOWN_KEY, DOWN_VALUE = 16, 64
FIRST_VIT_STAGE = 2

Ratios = tuple[tuple[int, ...], ...]


@dataclasses.dataclass(frozen=True)
class PublishedV2(Published):
    """An EfficientFormerV2.

    Attributes:
        ir_ratios: Expansions of the convolutional blocks, by stage.
        vit_ratios: Expansions of the attention blocks of the last two stages.
    """

    ir_ratios: Ratios = ()
    vit_ratios: Ratios = ()


def _published(size: str, channels: tuple[int, ...], ir_ratios: Ratios, vit_ratios: Ratios) -> PublishedV2:
    ir_blocks, vit_blocks = tuple(map(len, ir_ratios)), tuple(map(len, vit_ratios))
    return PublishedV2(
        f"efficientformerv2_{size}", channels, ir_blocks, vit_blocks, ir_ratios=ir_ratios, vit_ratios=vit_ratios
    )


@register
class EfficientFormerV2(ScaledFamily[PublishedV2]):
    """The EfficientFormerV2 family. Channels are those of the four stages."""

    name = "efficientformerv2"
    models = (
        _published("s0", (32, 48, 96, 176), ((4,) * 2, (4,) * 2, (4, 3, 3, 3), (4, 3)), ((4, 4), (3, 4))),
        _published(
            "s1", (32, 48, 120, 224), ((4,) * 3, (4,) * 3, (4, 4, 3, 3, 3, 3, 4), (4, 4, 3, 3)), ((4, 4), (4, 4))
        ),
        _published(
            "s2",
            (32, 64, 144, 288),
            ((4,) * 4, (4,) * 4, (4, 4, 3, 3, 3, 3, 3, 3), (4, 4, 3, 3)),
            ((4,) * 4, (3, 3, 4, 4)),
        ),
        _published(
            "l",
            (40, 80, 192, 384),
            ((4,) * 5, (4,) * 5, (4, 4, 4, 4, 3, 3, 3, 3, 3), (4, 4, 4, 3)),
            ((3, 3, 4, 4, 4, 4), (3, 3, 3, 4, 4, 4)),
        ),
    )
    stock_bases = tuple(f"efficientformerv2_{size}@224" for size in ("s0", "s1", "s2", "l"))
    weights = tuple(f"efficientformerv2_{size}" for size in ("s0", "s1", "s2", "l"))
    sized = True

    def takes(self, pixels: int) -> bool:
        """Say whether the third stage's map is even: its attention halves it, and doubles it again."""
        return pixels >= 1 and -(-pixels // 16) % 2 == 0

    def _count(self, published: PublishedV2, tally: Tally, parts: Parts, num_classes: int) -> None:
        previous = parts.channels[0]
        tally.convolve(3, previous // 2, 3, stride=2, bias=True)
        tally.convolve(previous // 2, previous, 3, stride=2, bias=True)
        for stage, (channels, blocks) in enumerate(zip(parts.channels, parts.ir_blocks, strict=True)):
            before = tally.height, tally.width
            if stage:
                tally.convolve(previous, channels, 3, stride=2, bias=True)
            if stage == 3:
                _count_downsampling(tally, before, previous, channels)
            _count_expansions(tally, channels, blocks, published.ir_ratios[stage])
            if stage >= FIRST_VIT_STAGE:
                attention = parts.vit_blocks[stage - FIRST_VIT_STAGE]
                _count_attention(tally, channels, attention, halved=stage == FIRST_VIT_STAGE)
                _count_expansions(tally, channels, attention, published.vit_ratios[stage - FIRST_VIT_STAGE])
            previous = channels
        tally.hold(2 * previous)
        tally.connect(previous, num_classes)
        tally.connect(previous, num_classes)

    def _build(
        self, published: PublishedV2, architecture: ScaledArchitecture, num_classes: int, image_size: tuple[int, int]
    ) -> nn.Module:
        from timm.models.efficientformer_v2 import EfficientFormerV2, EfficientFormerV2Stage
        from torch import nn

        ir_blocks, vit_blocks = architecture.ir_blocks, architecture.vit_blocks
        depths = [a + b for a, b in zip(ir_blocks, (0, 0, *vit_blocks), strict=True)]
        ratios = [
            (*_extended(conv, count), *_extended(attention, extra))
            for conv, count, attention, extra in zip(
                published.ir_ratios, ir_blocks, ((), (), *published.vit_ratios), (0, 0, *vit_blocks), strict=True
            )
        ]
        model = EfficientFormerV2(
            depths=tuple(depths),
            img_size=image_size,
            embed_dims=architecture.channels,
            num_classes=num_classes,
            num_vit=vit_blocks[1],
            mlp_ratios=tuple(ratios),
        )
        if vit_blocks[0] != vit_blocks[1]:  # timm gives both stages the same number
            model.stages[2] = cast(Any, EfficientFormerV2Stage)(
                *architecture.channels[1:3],
                depth=depths[2],
                resolution=tuple(-(-side // 8) for side in image_size),
                block_stride=2,
                block_use_attn=True,
                num_vit=vit_blocks[0],
                mlp_ratio=ratios[2],
                drop_path=[0.0] * depths[2],
                act_layer=nn.GELU,
                norm_layer=nn.BatchNorm2d,
            )
            model.init_weights(needs_reset=False)
        return cast("nn.Module", model)


def _extended(ratios: tuple[int, ...], blocks: int) -> tuple[int, ...]:
    return (*ratios, *ratios[-1:] * blocks)[:blocks]


def _count_expansions(tally: Tally, channels: Integers, blocks: Integers, ratios: tuple[int, ...]) -> None:
    """Count the feed-forward parts of blocks."""
    for ratio in sorted(set(ratios)):
        own = sum((blocks > place).astype(np.int64) for place, one in enumerate(ratios) if one == ratio)
        times = own + (np.maximum(blocks - len(ratios), 0) if ratios[-1] == ratio else 0)
        tally.convolve(channels, ratio * channels, bias=True, times=times)
        tally.convolve_depthwise(ratio * channels, 3, bias=True, times=times)
        tally.convolve(ratio * channels, channels, bias=True, times=times)
        tally.hold(channels, times=times)


def _count_attention(tally: Tally, channels: Integers, blocks: Integers, *, halved: bool) -> None:
    full = tally.height, tally.width
    if halved:
        tally.shrink()
        tally.convolve_depthwise(channels, 3, bias=True, times=blocks)
    for out in (HEADS * KEY, HEADS * KEY, HEADS * VALUE):
        tally.convolve(channels, out, bias=True, times=blocks)
    tally.convolve_depthwise(HEADS * VALUE, 3, bias=True, times=blocks)
    tokens = tally.area
    tally.attend(HEADS * KEY, HEADS * VALUE, tokens, tokens, times=blocks)
    # the talking heads are two 1 x 1 convolutions over the attention scores
    tally.macs += 2 * blocks * HEADS**2 * tokens**2
    tally.hold(2 * HEADS * (HEADS + 1) + HEADS * tokens + channels, times=blocks)
    tally.height, tally.width = full
    tally.convolve(HEADS * VALUE, channels, bias=True, times=blocks)


def _count_downsampling(tally: Tally, before: tuple[Integers, Integers], into: Integers, out: Integers) -> None:
    """Count the attention that goes from a map to one of half its size, beside the strided convolution."""
    after = tally.height, tally.width
    queries, tokens = tally.area, before[0] * before[1]
    tally.convolve_depthwise(into, 3, bias=True, norm=False)
    tally.convolve(into, HEADS * DOWN_KEY, bias=True)
    tally.convolve_depthwise(HEADS * DOWN_VALUE, 3, bias=True)
    tally.convolve(HEADS * DOWN_VALUE, out, bias=True)
    tally.height, tally.width = before
    tally.convolve(into, HEADS * DOWN_KEY, bias=True)
    tally.convolve(into, HEADS * DOWN_VALUE, bias=True)
    tally.height, tally.width = after
    tally.attend(HEADS * DOWN_KEY, HEADS * DOWN_VALUE, queries, tokens)
    tally.hold(HEADS * tokens)
