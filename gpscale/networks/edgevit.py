"""EdgeViT: attention between a sample of the tokens, with convolutions that gather before and spread after it.

Depths are the caller's. The paper's table 1 misprints those of XS and S (`gpscale.families.edgevit`).

Source: Pan et al., "EdgeViTs: Competing Light-weight CNNs on Mobile Devices with Vision Transformers" (2022), section
3.2; position by depthwise convolution and batch normalisation of the convolutional half as in the authors' code.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from timm.layers.norm import LayerNorm2d
from timm.layers.weight_init import trunc_normal_
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

PATCHES = (4, 2, 2, 2)
RATES = (4, 2, 2, 1)
EXPANSION = 4
POSITION_KERNEL, LOCAL_KERNEL = 3, 5


class Position(nn.Module):
    """Adds to each token what a depthwise convolution makes of its neighbours: where it is."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, POSITION_KERNEL, padding=POSITION_KERNEL // 2, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return features, shape (batch, channels, height, width)."""
        placed: Tensor = x + self.conv(x)
        return placed


class FeedForward(nn.Sequential):
    """Two 1 x 1 convolutions."""

    def __init__(self, channels: int):
        middle = EXPANSION * channels
        super().__init__(nn.Conv2d(channels, middle, 1), nn.GELU(), nn.Conv2d(middle, channels, 1))


class LocalAggregation(nn.Module):
    """Gathers a neighbourhood by convolution, so that a sampled token speaks for its window."""

    def __init__(self, channels: int):
        super().__init__()
        self.position = Position(channels)
        self.gather = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.Conv2d(channels, channels, 1),
            nn.Conv2d(channels, channels, LOCAL_KERNEL, padding=LOCAL_KERNEL // 2, groups=channels),
            nn.Conv2d(channels, channels, 1),
        )
        self.feed_forward = nn.Sequential(nn.BatchNorm2d(channels), FeedForward(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return features, shape (batch, channels, height, width)."""
        x = self.position(x)
        x = x + self.gather(x)
        gathered: Tensor = x + self.feed_forward(x)
        return gathered


class GlobalSparseAttention(nn.Module):
    """Attention between one token of each window, carried back to the window by a transposed convolution.

    At a sampling rate of 1 it is plain multi-head attention.

    Args:
        channels: Channels, a multiple of `heads`.
        heads: Attention heads.
        rate: Side of a window, in tokens; divides both sides of the map.
    """

    def __init__(self, channels: int, heads: int, rate: int):
        super().__init__()
        self.heads, self.rate = heads, rate
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.propagate: nn.Module = nn.Identity()
        if rate > 1:
            self.propagate = nn.Sequential(
                nn.ConvTranspose2d(channels, channels, rate, rate, groups=channels), LayerNorm2d(channels)
            )
        self.proj = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return what the windows attend to, shape (batch, channels, height, width)."""
        sampled = x[:, :, :: self.rate, :: self.rate]
        batch, channels, height, width = sampled.shape
        heads = self.qkv(sampled).reshape(batch, 3, self.heads, channels // self.heads, height * width)
        queries, keys, values = heads.transpose(-1, -2).unbind(1)
        mixed = scaled_dot_product_attention(queries, keys, values)
        mixed = mixed.transpose(-1, -2).reshape(batch, channels, height, width)
        projected: Tensor = self.proj(self.propagate(mixed))
        return projected


class LGLBlock(nn.Module):
    """Local aggregation, global sparse attention, local propagation; at a rate of 1 attention alone."""

    def __init__(self, channels: int, heads: int, rate: int):
        super().__init__()
        self.local: nn.Module = LocalAggregation(channels) if rate > 1 else nn.Identity()
        self.position = Position(channels)
        self.attention = nn.Sequential(LayerNorm2d(channels), GlobalSparseAttention(channels, heads, rate))
        self.feed_forward = nn.Sequential(LayerNorm2d(channels), FeedForward(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return features, shape (batch, channels, height, width)."""
        x = self.position(self.local(x))
        x = x + self.attention(x)
        mixed: Tensor = x + self.feed_forward(x)
        return mixed


class EdgeViT(nn.Module):
    """EdgeViT. Sides of the images are multiples of 32.

    Args:
        channels: Channels of the four stages.
        heads: Attention heads of the stages.
        blocks: LGL blocks of the stages.
        num_classes: Outputs.
    """

    def __init__(self, channels: Sequence[int], heads: Sequence[int], blocks: Sequence[int], num_classes: int):
        super().__init__()
        stages = []
        into = 3
        for patch, out, number, rate, depth in zip(PATCHES, channels, heads, RATES, blocks, strict=True):
            embedding = nn.Sequential(nn.Conv2d(into, out, patch, patch), LayerNorm2d(out))
            stages.append(nn.Sequential(embedding, *(LGLBlock(out, number, rate) for _ in range(depth))))
            into = out
        self.stages = nn.ModuleList(stages)
        self.feature_info = [{"num_chs": out, "reduction": 4 * 2**stage} for stage, out in enumerate(channels)]
        self.norm = nn.BatchNorm2d(into)
        self.head = nn.Linear(into, num_classes)
        self.apply(_initialise)

    def forward_intermediates(self, x: Tensor, *, intermediates_only: bool = True) -> list[Tensor]:
        """Return the maps of the four stages, strides 4 to 32."""
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (batch, classes), of images, shape (batch, 3, height, width)."""
        logits: Tensor = self.head(self.norm(self.forward_intermediates(x)[-1]).mean((2, 3)))
        return logits


@torch.no_grad()
def _initialise(module: nn.Module) -> None:
    """Start all that is a linear layer in the paper as its transformers do."""
    if isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1)):
        trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
