"""EdgeViT: attention between a sample of the tokens; own torch modules in `gpscale.networks.edgevit`.

Depths are those that have the printed MACs: table 1's for XS and S have 990 M and 1,370 M instead of 1.1 G and 1.9 G,
and its 11.1 M parameters of S contradict tables 5 and 6 (13.1 M). Heads keep their number at any width; sides of an
image are multiples of 32, so that the windows of one sampled token each cover the maps.

Source: Pan et al., "EdgeViTs: Competing Light-weight CNNs on Mobile Devices with Vision Transformers" (2022), table 1.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from gpscale.families.base import Integers, register
from gpscale.families.scaled import Parts, Published, ScaledArchitecture, ScaledFamily
from gpscale.families.tally import Tally

if TYPE_CHECKING:
    from torch import nn

PATCHES = (4, 2, 2, 2)
RATES = (4, 2, 2, 1)
EXPANSION = 4
PIXEL_DIVISOR = 32
CHANNEL_DIVISOR = 4


@dataclasses.dataclass(frozen=True)
class PublishedEdgeViT(Published):
    """An EdgeViT.

    Attributes:
        heads: Attention heads of each stage; channels are multiples of them.
    """

    heads: tuple[int, ...] = ()


def _published(size: str, channels: tuple[int, ...], depths: tuple[int, ...], head_channels: int) -> PublishedEdgeViT:
    heads = tuple(number // head_channels for number in channels)
    divisors = tuple(int(np.lcm(CHANNEL_DIVISOR, number)) for number in heads)
    return PublishedEdgeViT(f"edgevit_{size}", channels, (), depths, divisors=divisors, heads=heads)


@register
class EdgeViT(ScaledFamily[PublishedEdgeViT]):
    """The EdgeViT family. Channels are those of the four stages."""

    name = "edgevit"
    models = (
        _published("xxs", (36, 72, 144, 288), (1, 1, 3, 2), 36),
        _published("xs", (48, 96, 240, 384), (1, 1, 3, 1), 48),
        _published("s", (48, 96, 240, 384), (1, 2, 5, 3), 48),
    )
    stock_bases = tuple(f"edgevit_{size}@224" for size in ("xxs", "xs", "s"))

    def takes(self, pixels: int) -> bool:
        """Say whether `pixels` is a multiple of 32."""
        return pixels >= 1 and pixels % PIXEL_DIVISOR == 0

    def _count(self, published: PublishedEdgeViT, tally: Tally, parts: Parts, num_classes: int) -> None:
        previous: Integers | int = 3
        for patch, rate, channels, blocks in zip(PATCHES, RATES, parts.channels, parts.vit_blocks, strict=True):
            tally.convolve(previous, channels, patch, stride=patch, bias=True)
            if rate > 1:
                _count_local_aggregation(tally, channels, blocks)
            tally.convolve_depthwise(channels, 3, bias=True, norm=False, times=blocks)
            _count_attention(tally, channels, blocks, rate)
            _count_feed_forward(tally, channels, blocks)
            previous = channels
        tally.hold(2 * parts.channels[-1])
        tally.connect(parts.channels[-1], num_classes)

    def _build(
        self,
        published: PublishedEdgeViT,
        architecture: ScaledArchitecture,
        num_classes: int,
        image_size: tuple[int, int],
    ) -> nn.Module:
        from gpscale.networks.edgevit import EdgeViT

        return EdgeViT(architecture.channels, published.heads, architecture.vit_blocks, num_classes)


def _count_feed_forward(tally: Tally, channels: Integers, blocks: Integers) -> None:
    tally.hold(2 * channels, times=blocks)
    tally.convolve(channels, EXPANSION * channels, bias=True, norm=False, times=blocks)
    tally.convolve(EXPANSION * channels, channels, bias=True, norm=False, times=blocks)


def _count_local_aggregation(tally: Tally, channels: Integers, blocks: Integers) -> None:
    tally.convolve_depthwise(channels, 3, bias=True, norm=False, times=blocks)
    tally.hold(2 * channels, times=blocks)
    tally.convolve(channels, channels, bias=True, norm=False, times=blocks)
    tally.convolve_depthwise(channels, 5, bias=True, norm=False, times=blocks)
    tally.convolve(channels, channels, bias=True, norm=False, times=blocks)
    _count_feed_forward(tally, channels, blocks)


def _count_attention(tally: Tally, channels: Integers, blocks: Integers, rate: int) -> None:
    size = tally.height, tally.width
    tally.hold(2 * channels, times=blocks)
    tally.shrink(rate)
    tally.convolve(channels, 3 * channels, bias=True, norm=False, times=blocks)
    tally.attend(channels, channels, tally.area, tally.area, times=blocks)
    if rate > 1:  # the transposed convolution has as many products as a convolution of the smaller map
        tally.convolve_depthwise(channels, rate, bias=True, times=blocks)
    tally.height, tally.width = size
    tally.convolve(channels, channels, bias=True, norm=False, times=blocks)
