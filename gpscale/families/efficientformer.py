"""EfficientFormer: pooling blocks (MB4D), and attention blocks (MB3D) at the end of the last stage.

The published code has a table of position biases for 7 x 7 tokens; here attention is rebuilt for the tokens that the
image has, one for 32 x 32 pixels, rounded up. Both classifier heads are always there, as in the published weights.

`efficientformer_ls_050` is L1 scaled linearly by 0.50, depths and widths: each stage's blocks are rounded, the
attention blocks too, at least one.

Source: Li et al., "EfficientFormer: Vision Transformers at MobileNet Speed" (2022), table 6 (whose 3 attention blocks
of L3 and stage-3 depth of L7 are misprints: the published weights have 4 and 18); the layers are timm's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from gpscale.families.base import Base, register
from gpscale.families.rounding import round_half_up
from gpscale.families.scaled import Parts, Published, ScaledArchitecture, ScaledFamily
from gpscale.families.tally import Tally

if TYPE_CHECKING:
    from torch import nn

HEADS, KEY, VALUE = 8, 32, 128
EXPANSION = 4
_LINEAR = re.compile(r"efficientformer_ls_([0-9]{3})")


def _published(
    size: str, channels: tuple[int, ...], ir_blocks: tuple[int, int, int, int], vit_blocks: int
) -> Published:
    return Published(f"efficientformer_{size}", channels, ir_blocks, (vit_blocks,), divisors=16)


@register
class EfficientFormer(ScaledFamily[Published]):
    """The EfficientFormer family. Channels are those of the four stages; all attention is in the last."""

    name = "efficientformer"
    models = (
        _published("l1", (48, 96, 224, 448), (3, 2, 6, 3), 1),
        _published("l3", (64, 128, 320, 512), (4, 4, 12, 2), 4),
        _published("l7", (96, 192, 384, 768), (6, 6, 18, 0), 8),
    )
    stock_bases: tuple[str, ...] = (
        "efficientformer_ls_033@224",
        "efficientformer_ls_050@224",
        "efficientformer_l1@224",
        "efficientformer_ls_140@224",
        "efficientformer_l3@224",
        "efficientformer_l7@224",
    )
    weights = ("efficientformer_l1", "efficientformer_l3", "efficientformer_l7")
    sized = True

    def parse(self, model: str, pixels: int) -> Base | None:
        """Return the base of that name at `pixels`, None if the name is not of this family."""
        match = _LINEAR.fullmatch(model)
        if match is None or int(match[1]) == 0:
            return super().parse(model, pixels)
        scale, published = int(match[1]) / 100, self.models[0]
        depths = [*published.ir_blocks[:-1], published.ir_blocks[-1] + published.vit_blocks[0]]
        *early, last = [max(1, int(round_half_up(depth * scale))) for depth in depths]
        attention = max(1, int(round_half_up(published.vit_blocks[0] * scale)))
        member = self._member(published, scale, pixels)
        architecture = ScaledArchitecture(
            member.model, pixels, member.channels, (*early, max(0, last - attention)), (attention,)
        )
        return Base(f"{model}@{pixels}", self.name, scale, architecture)

    def _count(self, published: Published, tally: Tally, parts: Parts, num_classes: int) -> None:
        previous = parts.channels[0]
        tally.convolve(3, previous // 2, 3, stride=2, bias=True)
        tally.convolve(previous // 2, previous, 3, stride=2, bias=True)
        for stage, (channels, blocks) in enumerate(zip(parts.channels, parts.ir_blocks, strict=True)):
            if stage:
                tally.convolve(previous, channels, 3, stride=2, bias=True)
            tally.convolve(channels, EXPANSION * channels, bias=True, times=blocks)
            tally.convolve(EXPANSION * channels, channels, bias=True, times=blocks)
            tally.hold(2 * channels, times=blocks)
            previous = channels
        tokens, blocks = tally.area, parts.vit_blocks[0]
        layers = (
            (previous, HEADS * (2 * KEY + VALUE)),
            (HEADS * VALUE, previous),
            (previous, EXPANSION * previous),
            (EXPANSION * previous, previous),
        )
        for into, out in layers:
            tally.convolve(into, out, bias=True, norm=False, times=blocks)
        tally.attend(HEADS * KEY, HEADS * VALUE, tokens, tokens, times=blocks)
        tally.hold(6 * previous + HEADS * tokens, times=blocks)
        tally.hold(2 * previous)
        tally.connect(previous, num_classes)
        tally.connect(previous, num_classes)

    def _build(
        self, published: Published, architecture: ScaledArchitecture, num_classes: int, image_size: tuple[int, int]
    ) -> nn.Module:
        from timm.models.efficientformer import Attention, EfficientFormer

        attention = architecture.vit_blocks[0]
        *early, last = architecture.ir_blocks
        model: Any = EfficientFormer(
            depths=(*early, last + attention),
            embed_dims=architecture.channels,
            num_vit=attention,
            num_classes=num_classes,
        )
        tokens = (-(-image_size[0] // 32), -(-image_size[1] // 32))
        if tokens != (7, 7):
            for block in list(model.stages[-1].blocks)[-attention:]:
                block.token_mixer = Attention(architecture.channels[-1], resolution=cast(Any, tokens))
                block.token_mixer.apply(model._init_weights)
        return cast("nn.Module", model)
