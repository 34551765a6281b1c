"""MobileNetV1: depthwise separable convolutions in five stages.

Source: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications" (2017),
table 1; the layers are timm's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from gpscale.families.base import register
from gpscale.families.scaled import Parts, Published, ScaledArchitecture, ScaledFamily
from gpscale.families.tally import Tally

if TYPE_CHECKING:
    from torch import nn

STRIDES = (1, 2, 2, 2, 2)


@register
class MobileNetV1(ScaledFamily[Published]):
    """The MobileNetV1 family. Channels are the stem's and those of the five stages."""

    name = "mobilenetv1"
    models = (Published("mobilenetv1", channels=(32, 64, 128, 256, 512, 1024), ir_blocks=(1, 2, 2, 6, 2)),)
    multiplied = True
    stages = slice(1, 6)
    stock_bases = tuple(f"mobilenetv1_{percent:03d}@{pixels}" for pixels in (128, 224) for percent in (25, 50, 75, 100))
    weights = ("mobilenetv1_100",)

    def _count(self, published: Published, tally: Tally, parts: Parts, num_classes: int) -> None:
        previous, *stages = parts.channels
        tally.convolve(3, previous, 3, stride=2)
        for channels, blocks, stride in zip(stages, parts.ir_blocks, STRIDES, strict=True):
            tally.convolve_depthwise(previous, 3, stride=stride)
            tally.convolve(previous, channels)
            tally.convolve_depthwise(channels, 3, times=blocks - 1)
            tally.convolve(channels, channels, times=blocks - 1)
            previous = channels
        tally.connect(previous, num_classes)

    def _build(
        self, published: Published, architecture: ScaledArchitecture, num_classes: int, image_size: tuple[int, int]
    ) -> nn.Module:
        from timm.models._efficientnet_builder import decode_arch_def
        from timm.models.efficientnet import EfficientNet
        from torch.nn import ReLU6

        stem, *stages = architecture.channels
        definition = [
            [f"dsa_r{blocks}_k3_s{stride}_c{channels}"]
            for channels, blocks, stride in zip(stages, architecture.ir_blocks, STRIDES, strict=True)
        ]
        return cast(
            "nn.Module",
            EfficientNet(
                cast(Any, decode_arch_def)(definition),
                num_classes=num_classes,
                num_features=0,
                stem_size=stem,
                round_chs_fn=int,
                act_layer=ReLU6,
            ),
        )
