"""Layers counted for many architectures at once, against torch's counter."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from gpscale.counting import count_module
from gpscale.families.tally import Tally

SIZES = [(7, 10), (32, 32), (33, 1)]


def tally() -> Tally:
    height, width = np.array(SIZES, dtype=np.int64).T
    return Tally(height, width)


def counted(layer: nn.Module, channels: int) -> list[tuple[int, int]]:
    return [count_module(layer, size, channels) for size in SIZES]


def held(of: Tally) -> list[tuple[int, int]]:
    return list(zip(of.macs.tolist(), of.params.tolist(), strict=True))


def test_a_convolution_with_stride_and_normalisation() -> None:
    ours = tally()
    ours.convolve(3, 8, 3, stride=2)
    assert held(ours) == counted(nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8)), 3)
    assert ours.area.tolist() == [4 * 5, 16 * 16, 17]


def test_a_depthwise_convolution_with_bias() -> None:
    ours = tally()
    ours.convolve_depthwise(6, 5, bias=True, norm=False)
    assert held(ours) == counted(nn.Conv2d(6, 6, 5, padding=2, groups=6), 6)


def test_layers_are_repeated_by_architecture() -> None:
    ours = tally()
    ours.convolve(4, 4, bias=True, norm=False, times=np.array([0, 1, 3]))
    one = counted(nn.Conv2d(4, 4, 1), 4)
    assert held(ours) == [(times * macs, times * params) for times, (macs, params) in zip((0, 1, 3), one, strict=True)]


def test_squeeze_and_excitation_works_on_the_pooled_map() -> None:
    ours = tally()
    ours.squeeze_and_excite(8, 2)
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1))
    assert held(ours) == counted(pooled, 8)


def test_attention_multiplies_queries_with_keys_and_weights_with_values() -> None:
    class Attention(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens = x.flatten(2)
            keys, values = tokens[:, :4], tokens
            return (keys.transpose(1, 2) @ keys).softmax(-1) @ values.transpose(1, 2)

    ours = tally()
    ours.attend(4, 6, ours.area, ours.area)
    assert held(ours) == counted(Attention(), 6)
