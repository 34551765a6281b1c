"""MobileNetV2: inverted residuals with linear bottlenecks, seven stages of them, and a wide head.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018), table 2; the layers are timm's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from gpscale.families.base import Integers, register
from gpscale.families.scaled import Parts, Published, ScaledArchitecture, ScaledFamily
from gpscale.families.tally import Tally

if TYPE_CHECKING:
    from torch import nn

EXPANSIONS = (1, 6, 6, 6, 6, 6, 6)
STRIDES = (1, 2, 2, 2, 1, 2, 1)
LEAST_HEAD = 1280


@register
class MobileNetV2(ScaledFamily[Published]):
    """The MobileNetV2 family. Channels are the stem's, those of the seven stages, and the head's."""

    name = "mobilenetv2"
    models = (
        Published(
            "mobilenetv2",
            channels=(32, 16, 24, 32, 64, 96, 160, 320, LEAST_HEAD),
            ir_blocks=(1, 2, 3, 4, 3, 3, 1),
        ),
    )
    multiplied = True
    stages = slice(1, 8)
    stock_bases = tuple(
        f"mobilenetv2_{percent:03d}@{pixels}" for pixels in (128, 224) for percent in (35, 50, 75, 100, 140)
    )
    weights = ("mobilenetv2_050", "mobilenetv2_100", "mobilenetv2_140")

    def _channels(self, published: Published, multipliers: NDArray[np.float64]) -> Integers:
        channels = super()._channels(published, multipliers)
        channels[:, -1] = np.maximum(channels[:, -1], LEAST_HEAD)  # the paper narrows all but the head
        return channels

    def _count(self, published: Published, tally: Tally, parts: Parts, num_classes: int) -> None:
        stem, *stages, head = parts.channels
        tally.convolve(3, stem, 3, stride=2)
        previous = stem
        for channels, blocks, expansion, stride in zip(stages, parts.ir_blocks, EXPANSIONS, STRIDES, strict=True):
            for into, repeats, first_stride in ((previous, 1, stride), (channels, blocks - 1, 1)):
                middle = expansion * into
                if expansion > 1:
                    tally.convolve(into, middle, times=repeats)
                tally.convolve_depthwise(middle, 3, stride=first_stride, times=repeats)
                tally.convolve(middle, channels, times=repeats)
            previous = channels
        tally.convolve(previous, head)
        tally.connect(head, num_classes)

    def _build(
        self, published: Published, architecture: ScaledArchitecture, num_classes: int, image_size: tuple[int, int]
    ) -> nn.Module:
        from timm.models._efficientnet_builder import decode_arch_def
        from timm.models.efficientnet import EfficientNet
        from torch.nn import ReLU6

        stem, *stages, head = architecture.channels
        definition = [
            [f"{'ds' if expansion == 1 else 'ir'}_r{blocks}_k3_s{stride}_e{expansion}_c{channels}"]
            for channels, blocks, expansion, stride in zip(
                stages, architecture.ir_blocks, EXPANSIONS, STRIDES, strict=True
            )
        ]
        return cast(
            "nn.Module",
            EfficientNet(
                cast(Any, decode_arch_def)(definition),
                num_classes=num_classes,
                num_features=head,
                stem_size=stem,
                round_chs_fn=int,
                act_layer=ReLU6,
            ),
        )
