"""FastViT: blocks that mix by convolution (RepMixer), and in the SA and MA models attention in the last stage.

What is trained has parallel branches; what is deployed, counted and timed has them folded into one convolution each
(`inference_form`).

Source: Vasu et al., "FastViT: A Fast Hybrid Vision Transformer using Structural Reparameterization" (2023), table 1;
the layers are timm's.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from gpscale.families.base import Integers, register
from gpscale.families.rounding import round_channels, round_half_up
from gpscale.families.scaled import Parts, Published, ScaledArchitecture, ScaledFamily
from gpscale.families.tally import Tally

if TYPE_CHECKING:
    from torch import nn

GROWTH = (1, 2, 4, 8)
"""Channels of the four stages over the first's: a stage's first convolution is grouped by the channels before it."""
DIVISOR = 4  # so that the last stage has whole heads of 32 channels
HEAD_EXPANSION = 2
SQUEEZE = 1 / 16


@dataclasses.dataclass(frozen=True)
class PublishedFastViT(Published):
    """A FastViT.

    Attributes:
        ratio: Expansion of the feed-forward layers.
    """

    ratio: int = 4


def _published(size: str, first: int, depths: tuple[int, int, int, int], ratio: int) -> PublishedFastViT:
    attends = size[0] != "t" and size[1] == "a"
    return PublishedFastViT(
        f"fastvit_{size}",
        channels=tuple(first * growth for growth in GROWTH),
        ir_blocks=(*depths[:3], 0) if attends else depths,
        vit_blocks=depths[3:] if attends else (0,),
        pixels=256,
        divisors=tuple(DIVISOR * growth for growth in GROWTH),
        ratio=ratio,
    )


@register
class FastViT(ScaledFamily[PublishedFastViT]):
    """The FastViT family. Channels are those of the four stages."""

    name = "fastvit"
    models = (
        _published("t8", 48, (2, 2, 4, 2), 3),
        _published("t12", 64, (2, 2, 6, 2), 3),
        _published("s12", 64, (2, 2, 6, 2), 4),
        _published("sa12", 64, (2, 2, 6, 2), 4),
        _published("sa24", 64, (4, 4, 12, 4), 4),
        _published("sa36", 64, (6, 6, 18, 6), 4),
        _published("ma36", 76, (6, 6, 18, 6), 4),
    )
    stock_bases = tuple(f"fastvit_{size}@256" for size in ("t8", "t12", "s12", "sa12", "sa24", "sa36", "ma36"))
    weights = tuple(f"fastvit_{size}" for size in ("t8", "t12", "s12", "sa12", "sa24", "sa36", "ma36"))

    def inference_form(self, model: nn.Module) -> nn.Module:
        """Return a copy of a built model with its branches folded."""
        from timm.utils.model import reparameterize_model

        return reparameterize_model(model)

    def _channels(self, published: PublishedFastViT, multipliers: NDArray[np.float64]) -> Integers:
        first = round_channels(multipliers * published.channels[0], DIVISOR)
        return first * np.array(GROWTH, dtype=np.int64)

    def _count(self, published: PublishedFastViT, tally: Tally, parts: Parts, num_classes: int) -> None:
        previous = parts.channels[0]
        tally.convolve(3, previous, 3, stride=2, bias=True, norm=False)
        tally.convolve_depthwise(previous, 3, stride=2, bias=True, norm=False)
        tally.convolve(previous, previous, bias=True, norm=False)
        for stage, (channels, blocks) in enumerate(zip(parts.channels, parts.ir_blocks, strict=True)):
            if stage:
                tally.convolve_depthwise(channels, 7, stride=2, bias=True, norm=False)
                tally.convolve(channels, channels, bias=True, norm=False)
            tally.convolve_depthwise(channels, 3, bias=True, norm=False, times=blocks)
            _count_feed_forward(tally, channels, published.ratio, blocks)
            previous = channels
        if published.vit_blocks[0]:
            tally.convolve_depthwise(previous, 7, bias=True, norm=False)
            _count_attention(tally, previous, published.ratio, parts.vit_blocks[0])
        features = HEAD_EXPANSION * previous
        tally.convolve_depthwise(features, 3, bias=True, norm=False)
        tally.squeeze_and_excite(features, round_half_up(features * SQUEEZE))
        tally.connect(features, num_classes)

    def _build(
        self,
        published: PublishedFastViT,
        architecture: ScaledArchitecture,
        num_classes: int,
        image_size: tuple[int, int],
    ) -> nn.Module:
        from functools import partial

        from timm.models.fastvit import FastVit, RepConditionalPosEnc
        from torch import nn

        from gpscale.networks.skipping import SkippingPointwise

        attention = architecture.vit_blocks[0]
        position = partial(RepConditionalPosEnc, spatial_shape=(7, 7))
        model = FastVit(
            layers=(*architecture.ir_blocks[:3], attention or architecture.ir_blocks[3]),
            token_mixers=("repmixer", "repmixer", "repmixer", "attention" if attention else "repmixer"),
            embed_dims=architecture.channels,
            mlp_ratios=(published.ratio,) * 4,
            pos_embs=cast(Any, (None, None, None, position if attention else None)),
            num_classes=num_classes,
        )
        for layer in [*model.modules()]:
            for name, child in layer.named_children():
                if isinstance(child, nn.Conv2d) and child.kernel_size == (1, 1) and child.stride != (1, 1):
                    setattr(layer, name, SkippingPointwise.of(child))
        return model


def _count_feed_forward(tally: Tally, channels: Integers, ratio: int, times: Integers) -> None:
    tally.convolve_depthwise(channels, 7, times=times)
    tally.convolve(channels, ratio * channels, bias=True, norm=False, times=times)
    tally.convolve(ratio * channels, channels, bias=True, norm=False, times=times)
    tally.hold(channels, times=times)


def _count_attention(tally: Tally, channels: Integers, ratio: int, times: Integers) -> None:
    tally.hold(3 * channels, times=times)
    tally.convolve(channels, 3 * channels, norm=False, times=times)
    tally.attend(channels, channels, tally.area, tally.area, times=times)
    tally.convolve(channels, channels, bias=True, norm=False, times=times)
    _count_feed_forward(tally, channels, ratio, times)
