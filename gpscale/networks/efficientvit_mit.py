"""EfficientViT of MIT, first version: ReLU linear attention, and a depthwise convolution in the feed-forward layers.

timm's `efficientvit_b*` are its second version. The paper gives channels, depths, heads, kernels and expansions; where
it is silent (biases, the shortcuts' normalisation, the widths of the head) this is the natural reading, which has the
printed 406 M MACs. No reading has the 7.9 M parameters that the paper prints: this one has 5.3 M.

Source: Cai et al., "EfficientViT: Enhanced Linear Attention for High-Resolution Low-Computation Visual Recognition"
(2022), sections 3.2 and 4.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from timm.layers.norm import LayerNorm2d
from torch import Tensor, nn

EXPANSION = 4
KERNEL = 5
STEM_KERNEL = 3
HEAD_CHANNELS = 16
CHANNELS_PER_HEAD = 8
"""A stage has one head of 16 channels for every 8 of its own: 12 for 96, 24 for 192."""
EPSILON = 1e-6

Norm = type[nn.Module] | partial[nn.Module]


class ConvNormAct(nn.Sequential):
    """A convolution, its normalisation, and hard swish."""

    def __init__(
        self, into: int, out: int, kernel: int = 1, stride: int = 1, *, groups: int = 1, norm: Norm, act: bool = True
    ):
        super().__init__(
            nn.Conv2d(into, out, kernel, stride, kernel // 2, groups=groups, bias=False),
            norm(out),
            nn.Hardswish() if act else nn.Identity(),
        )


class InvertedResidual(nn.Module):
    """MBConv; where it halves the map, its shortcut is an average pooling and a 1 x 1 convolution."""

    def __init__(self, into: int, out: int, stride: int, norm: Norm):
        super().__init__()
        middle = EXPANSION * into
        self.body = nn.Sequential(
            ConvNormAct(into, middle, norm=norm),
            ConvNormAct(middle, middle, KERNEL, stride, groups=middle, norm=norm),
            ConvNormAct(middle, out, norm=norm, act=False),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1:
            self.shortcut = nn.Sequential(
                # an odd map is rounded up, as by the convolution
                nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False),
                ConvNormAct(into, out, norm=norm, act=False),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return features, shape (batch, out, height / stride, width / stride)."""
        residual: Tensor = self.shortcut(x) + self.body(x)
        return residual


class LinearAttention(nn.Module):
    """Multi-head attention whose weights are relu(q) . relu(k), normalised over the keys.

    The products are taken from the right, so that its cost is linear in the number of tokens (equation 4).
    """

    def __init__(self, channels: int):
        super().__init__()
        inner = channels // CHANNELS_PER_HEAD * HEAD_CHANNELS
        self.qkv = nn.Conv2d(channels, 3 * inner, 1)
        self.proj = nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return what the tokens attend to, shape (batch, channels, height, width)."""
        batch, _, height, width = x.shape
        queries, keys, values = self.qkv(x).reshape(batch, 3, -1, HEAD_CHANNELS, height * width).unbind(1)
        mixed = linear_attention(queries, keys, values)
        projected: Tensor = self.proj(mixed.reshape(batch, -1, height, width))
        return projected


def linear_attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Mix values by relu(q) . relu(k) over its sum.

    Args:
        queries: Shape (batch, heads, channels, tokens), floats.
        keys: The same.
        values: The same.

    Returns:
        The same shape and dtype; computed in float32, because the sums over all tokens overflow in half precision.
    """
    device = queries.device.type if queries.device.type != "meta" else "cpu"  # there is no autocast on meta
    with torch.autocast(device, enabled=False):
        q, k, v = queries.float().relu(), keys.float().relu(), values.float()
        mixed = (v @ k.transpose(-1, -2)) @ q
        total = k.sum(-1, keepdim=True).transpose(-1, -2) @ q
        return (mixed / (total + EPSILON)).to(queries.dtype)


class AttentionBlock(nn.Module):
    """Linear attention for what is far, and a feed-forward layer with a depthwise convolution for what is near."""

    def __init__(self, channels: int):
        super().__init__()
        middle = EXPANSION * channels
        self.attention = nn.Sequential(LayerNorm2d(channels), LinearAttention(channels))
        self.feed_forward = nn.Sequential(
            LayerNorm2d(channels),
            nn.Conv2d(channels, middle, 1),
            nn.Hardswish(),
            nn.Conv2d(middle, middle, KERNEL, padding=KERNEL // 2, groups=middle),
            nn.Hardswish(),
            nn.Conv2d(middle, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return features, shape (batch, channels, height, width)."""
        x = x + self.attention(x)
        mixed: Tensor = x + self.feed_forward(x)
        return mixed


class EfficientViTMIT(nn.Module):
    """EfficientViT of MIT, first version.

    Args:
        stem: Channels of the stem.
        channels: Channels of the four stages.
        ir_blocks: Inverted residuals of stages 1 and 2, beside the one that halves the map.
        vit_blocks: Attention blocks of stages 3 and 4.
        head: Channels and features between the last stage and the classifier.
        num_classes: Outputs.
    """

    def __init__(
        self,
        stem: int,
        channels: Sequence[int],
        ir_blocks: Sequence[int],
        vit_blocks: Sequence[int],
        head: tuple[int, int],
        num_classes: int,
    ):
        super().__init__()
        norm = nn.BatchNorm2d
        self.stem = ConvNormAct(3, stem, STEM_KERNEL, 2, norm=norm)
        self.stem_block = nn.Sequential(
            ConvNormAct(stem, stem, STEM_KERNEL, groups=stem, norm=norm), ConvNormAct(stem, stem, norm=norm, act=False)
        )
        stages: list[nn.Module] = []
        for into, out, blocks in zip((stem, *channels[:1]), channels[:2], ir_blocks, strict=True):
            residuals = [InvertedResidual(out, out, 1, norm) for _ in range(blocks)]
            stages.append(nn.Sequential(InvertedResidual(into, out, 2, norm), *residuals))
        for into, out, blocks in zip(channels[1:3], channels[2:], vit_blocks, strict=True):
            mixers = [AttentionBlock(out) for _ in range(blocks)]
            stages.append(nn.Sequential(InvertedResidual(into, out, 2, LayerNorm2d), *mixers))
        self.stages = nn.ModuleList(stages)
        self.feature_info = [{"num_chs": out, "reduction": 4 * 2**stage} for stage, out in enumerate(channels)]
        self.head = nn.Sequential(
            ConvNormAct(channels[-1], head[0], norm=norm),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(head[0], head[1]),
            nn.Hardswish(),
            nn.Linear(head[1], num_classes),
        )

    def forward_intermediates(self, x: Tensor, *, intermediates_only: bool = True) -> list[Tensor]:
        """Return the maps of the four stages, strides 4 to 32."""
        x = self.stem(x)
        x = x + self.stem_block(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (batch, classes), of images, shape (batch, 3, height, width)."""
        logits: Tensor = self.head(self.forward_intermediates(x)[-1])
        return logits
