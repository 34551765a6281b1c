"""A pointwise convolution that skips pixels is torch's own with a stride."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gpscale.families import get, parse_base
from gpscale.networks.skipping import SkippingPointwise


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    ("channels", "groups", "stride", "bias"), [(3, 1, 2, False), (8, 8, (2, 3), True), (8, 2, 1, True)]
)
@pytest.mark.parametrize("pixels", [7, 16])
def test_outputs_and_gradients_are_those_of_a_strided_convolution(
    order: torch.memory_format, channels: int, groups: int, stride: int | tuple[int, int], bias: bool, pixels: int
) -> None:
    torch.manual_seed(0)
    # in double precision, which takes another path through torch than the one that is at fault
    theirs = nn.Conv2d(channels, 16, 1, stride=stride, groups=groups, bias=bias).double()
    ours = SkippingPointwise.of(theirs)
    images = torch.randn(2, channels, pixels, pixels, dtype=torch.float64).to(memory_format=order)
    found, gradients = [], []
    for layer in (theirs, ours):
        leaf = images.clone().requires_grad_()
        out = layer(leaf)
        found.append(out.detach())
        gradients.append(torch.autograd.grad(out.square().sum(), [leaf, *layer.parameters()]))
    torch.testing.assert_close(*found)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("channels", "groups", "stride"), [(3, 1, 2), (8, 8, (2, 3))])
@pytest.mark.parametrize("pixels", [7, 16])
def test_outputs_in_single_precision_are_those_of_a_strided_convolution(
    order: torch.memory_format, channels: int, groups: int, stride: int | tuple[int, int], pixels: int
) -> None:
    torch.manual_seed(0)
    theirs = nn.Conv2d(channels, 16, 1, stride=stride, groups=groups)
    ours = SkippingPointwise.of(theirs)
    images = torch.randn(2, channels, pixels, pixels)
    # in torch's own it is the order of the channels that is at fault
    torch.testing.assert_close(ours(images.to(memory_format=order)), theirs(images.contiguous()))


def test_names_of_parameters_and_the_parameters_are_kept() -> None:
    theirs = nn.Conv2d(3, 4, 1, stride=2)
    ours = SkippingPointwise.of(theirs)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert ours.weight is theirs.weight


@pytest.mark.parametrize("options", [{"kernel_size": 3}, {"kernel_size": 1, "padding": 1}])
def test_another_convolution_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be 1 x 1, without padding"):
        SkippingPointwise.of(nn.Conv2d(3, 4, stride=2, **options))


def test_fastvit_has_no_plain_pointwise_convolution_with_a_stride() -> None:
    base = parse_base("fastvit_t8@64")
    model = get("fastvit").build(base.architecture, 10)
    strided = [
        layer
        for layer in model.modules()
        if isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1) and layer.stride != (1, 1)
    ]
    assert len(strided) == 2
    assert all(isinstance(layer, SkippingPointwise) for layer in strided)
