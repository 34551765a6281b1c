"""EfficientViT of MIT, first version: ReLU linear attention; own torch modules in `gpscale.networks.efficientvit_mit`.

`efficientvit_mit_100` is the paper's Base, `_120` its width multiplier 1.2. At 224 px Base has the printed 406 M MACs;
at 192 px it has 299 M (printed: 304 M, which contradicts 406 M), and 5.3 M parameters (printed: 7.9 M, which no reading
of the printed channels and depths has). timm's `efficientvit_b*` are the second version.

Source: Cai et al., "EfficientViT: Enhanced Linear Attention for High-Resolution Low-Computation Visual Recognition"
(2022), section 4.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpscale.families.base import register
from gpscale.families.scaled import Parts, Published, ScaledArchitecture, ScaledFamily
from gpscale.families.tally import Tally

if TYPE_CHECKING:
    from torch import nn

EXPANSION = 4
KERNEL, STEM_KERNEL = 5, 3
HEAD_CHANNELS, CHANNELS_PER_HEAD = 16, 8
FEATURES = 1280


@register
class EfficientViTMIT(ScaledFamily[Published]):
    """The EfficientViT family of MIT. Channels are the stem's, those of the four stages, and the head's."""

    name = "efficientvit_mit"
    models = (Published("efficientvit_mit", channels=(16, 24, 48, 96, 192, 1152), ir_blocks=(2, 3), vit_blocks=(5, 2)),)
    multiplied = True
    stages = slice(1, 5)
    stock_bases = tuple(
        f"efficientvit_mit_{percent:03d}@{pixels}" for pixels in (192, 224) for percent in (50, 100, 120)
    )

    def _count(self, published: Published, tally: Tally, parts: Parts, num_classes: int) -> None:
        previous, *stages, head = parts.channels
        tally.convolve(3, previous, STEM_KERNEL, stride=2)
        tally.convolve_depthwise(previous, STEM_KERNEL)
        tally.convolve(previous, previous)
        for stage, channels in enumerate(stages):
            convolutional = stage < len(parts.ir_blocks)
            residuals = parts.ir_blocks[stage] if convolutional else 0
            for into, stride, times in ((previous, 2, 1), (channels, 1, residuals)):
                middle = EXPANSION * into
                tally.convolve(into, middle, times=times)
                tally.convolve_depthwise(middle, KERNEL, stride=stride, times=times)
                tally.convolve(middle, channels, times=times)
            tally.convolve(previous, channels)  # the shortcut, after pooling
            if not convolutional:
                blocks, middle = parts.vit_blocks[stage - len(parts.ir_blocks)], EXPANSION * channels
                inner = channels // CHANNELS_PER_HEAD * HEAD_CHANNELS
                tally.convolve(channels, 3 * inner, bias=True, norm=False, times=blocks)
                # per head: keys with values, queries with these, and queries with the sum of the keys
                tally.macs += blocks * tally.area * inner * (2 * HEAD_CHANNELS + 1)
                tally.convolve(inner, channels, bias=True, norm=False, times=blocks)
                tally.convolve(channels, middle, bias=True, norm=False, times=blocks)
                tally.convolve_depthwise(middle, KERNEL, bias=True, norm=False, times=blocks)
                tally.convolve(middle, channels, bias=True, norm=False, times=blocks)
                tally.hold(4 * channels, times=blocks)
            previous = channels
        tally.convolve(previous, head)
        tally.connect(head, FEATURES)
        tally.connect(FEATURES, num_classes)

    def _build(
        self, published: Published, architecture: ScaledArchitecture, num_classes: int, image_size: tuple[int, int]
    ) -> nn.Module:
        from gpscale.networks.efficientvit_mit import EfficientViTMIT

        stem, *channels, head = architecture.channels
        return EfficientViTMIT(
            stem, channels, architecture.ir_blocks, architecture.vit_blocks, (head, FEATURES), num_classes
        )
