"""The reference counter itself, on layers that can be counted by hand."""

from __future__ import annotations

import torch
from torch import nn

from gpscale.counting import count_module


def test_a_convolution_counts_its_kernel_at_every_output_pixel() -> None:
    layer = nn.Conv2d(3, 8, kernel_size=3, stride=2, padding=1, bias=False)
    assert count_module(layer, (7, 10)) == (4 * 5 * 8 * 3 * 9, 8 * 3 * 9)


def test_a_grouped_convolution_counts_only_its_own_group() -> None:
    layer = nn.Conv2d(8, 8, kernel_size=3, padding=1, groups=8, bias=True)
    assert count_module(layer, (6, 6), channels=8) == (36 * 8 * 9, 8 * 9 + 8)


def test_a_linear_layer_counts_its_weights_and_no_bias() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, 5))
    assert count_module(model, (4, 4)) == (48 * 5, 48 * 5 + 5)


def test_counting_leaves_the_model_on_its_device_and_in_training_mode() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    weight = model[0].weight
    before = weight.detach().clone()
    count_module(model, (8, 8))
    assert model[0].weight is weight
    assert weight.device.type == "cpu"
    assert torch.equal(weight, before)
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert model[1].num_batches_tracked == 0
