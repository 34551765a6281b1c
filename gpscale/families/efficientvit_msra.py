"""EfficientViT of MSRA: cascaded group attention in windows, between feed-forward layers.

Maps are padded up to whole windows, so that windows of a fixed 7 x 7 make MACs go up and down with the pixels. Here a
window divides the map wherever one of 4 x 4 to 11 x 11 does (`window_size`); at the published 224 px these are the
published windows.

Source: Liu et al., "EfficientViT: Memory Efficient Vision Transformer with Cascaded Group Attention" (2023), table 2;
the layers are timm's.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, cast

import numpy as np

from gpscale.families.base import Integers, register
from gpscale.families.scaled import Parts, Published, ScaledArchitecture, ScaledFamily
from gpscale.families.tally import Tally

if TYPE_CHECKING:
    from torch import nn

KEY = 16
WINDOW = 7
WINDOWS = range(4, 12)
EXPANSION, DOWN_EXPANSION = 2, 4


@dataclasses.dataclass(frozen=True)
class PublishedMSRA(Published):
    """An EfficientViT of MSRA.

    Attributes:
        heads: Attention heads of each stage; channels are multiples of them.
        kernels: Sides of the depthwise kernels on the queries, by head.
    """

    heads: tuple[int, int, int] = (1, 1, 1)
    kernels: tuple[int, ...] = ()


_WIDE, _PYRAMID = (5, 5, 5, 5), (7, 5, 3, 3)


def _published(
    size: str, channels: tuple[int, ...], depths: tuple[int, ...], heads: tuple[int, int, int], kernels: tuple[int, ...]
) -> PublishedMSRA:
    divisors = tuple(int(np.lcm(8, number)) for number in heads)
    return PublishedMSRA(f"efficientvit_{size}", channels, (), depths, divisors=divisors, heads=heads, kernels=kernels)


@register
class EfficientViTMSRA(ScaledFamily[PublishedMSRA]):
    """The EfficientViT family of MSRA. Channels are those of the three stages, with one attention per block."""

    name = "efficientvit_msra"
    models = (
        _published("m0", (64, 128, 192), (1, 2, 3), (4, 4, 4), _WIDE),
        _published("m1", (128, 144, 192), (1, 2, 3), (2, 3, 3), _PYRAMID),
        _published("m2", (128, 192, 224), (1, 2, 3), (4, 3, 2), _PYRAMID),
        _published("m3", (128, 240, 320), (1, 2, 3), (4, 3, 4), _WIDE),
        _published("m4", (128, 256, 384), (1, 2, 3), (4, 4, 4), _PYRAMID),
        _published("m5", (192, 288, 384), (1, 3, 4), (3, 3, 4), _PYRAMID),
    )
    stock_bases = tuple(f"efficientvit_m{size}@224" for size in range(6))
    feature_strides: tuple[int, ...] = (16, 32)
    weights = tuple(f"efficientvit_m{size}" for size in range(6))
    sized = True

    def _count(self, published: PublishedMSRA, tally: Tally, parts: Parts, num_classes: int) -> None:
        for share, out in ((None, 8), (8, 4), (4, 2), (2, 1)):
            into = 3 if share is None else parts.channels[0] // share
            tally.convolve(into, parts.channels[0] // out, 3, stride=2)
        previous = parts.channels[0]
        for stage, (channels, blocks) in enumerate(zip(parts.channels, parts.vit_blocks, strict=True)):
            if stage:
                _count_feed_forward(tally, previous, 1)
                middle = DOWN_EXPANSION * previous
                tally.convolve(previous, middle)
                tally.convolve_depthwise(middle, 3, stride=2)
                tally.squeeze_and_excite(middle, middle // 4)
                tally.convolve(middle, channels)
                _count_feed_forward(tally, channels, 1)
            _count_feed_forward(tally, channels, 2 * blocks)
            _count_attention(tally, published, stage, channels, blocks)
            previous = channels
        tally.hold(2 * previous)
        tally.connect(previous, num_classes)

    def _build(
        self, published: PublishedMSRA, architecture: ScaledArchitecture, num_classes: int, image_size: tuple[int, int]
    ) -> nn.Module:
        from timm.models.efficientvit_msra import EfficientVitMsra

        maps = [min(-(-side // stride) for side in image_size) for stride in (16, 32, 64)]
        model = EfficientVitMsra(
            img_size=16 * maps[0],  # timm takes it for the size of the first map alone, rounded down
            num_classes=num_classes,
            embed_dim=architecture.channels,
            key_dim=(KEY, KEY, KEY),
            depth=architecture.vit_blocks,
            num_heads=published.heads,
            window_size=tuple(window_size(side) for side in maps),
            kernels=published.kernels,
        )
        return cast("nn.Module", model)


def window_size(side: int) -> int:
    """Return the side of the attention windows on a map.

    The whole map up to 7; else, of 4 to 11, that which pads the map least, of several the one nearest to 7.

    Args:
        side: Smaller side of the map.

    Example:
        >>> [window_size(side) for side in (4, 7, 12, 13, 14, 16, 20)]
        [4, 7, 6, 7, 7, 8, 5]
    """
    if side <= WINDOW:
        return side
    return min(WINDOWS, key=lambda window: (-side % window, abs(window - WINDOW), window))


def _count_feed_forward(tally: Tally, channels: Integers, times: Integers | int) -> None:
    tally.convolve_depthwise(channels, 3, times=times)
    tally.convolve(channels, EXPANSION * channels, times=times)
    tally.convolve(EXPANSION * channels, channels, times=times)


def _count_attention(tally: Tally, published: PublishedMSRA, stage: int, channels: Integers, blocks: Integers) -> None:
    size = tally.height, tally.width
    windows = np.array([window_size(int(side)) for side in np.minimum(*size)], dtype=np.int64)
    tally.height, tally.width = (-(-side // windows) * windows for side in size)
    heads = published.heads[stage]
    values = channels // heads
    tally.convolve(values, 2 * KEY + values, times=heads * blocks)
    for kernel in published.kernels[:heads]:
        tally.convolve_depthwise(KEY, kernel, times=blocks)
    tally.attend(heads * KEY, channels, tally.area, windows**2, times=blocks)
    tally.hold(heads * windows**2, times=blocks)
    tally.convolve(channels, channels, times=blocks)
    tally.height, tally.width = size
