"""What EfficientViT of MIT claims: attention that is linear in the tokens and equal to its quadratic form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gpscale.networks.efficientvit_mit import EPSILON, EfficientViTMIT, LinearAttention, linear_attention


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def small() -> EfficientViTMIT:
    torch.manual_seed(0)
    return EfficientViTMIT(8, (8, 16, 24, 32), (1, 2), (2, 1), (40, 48), 6)


def quadratic_attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Equation 3: the weight of every key for every query, then their mean of the values."""
    weights = torch.einsum("bhcq,bhck->bhqk", queries.relu(), keys.relu())
    weights = weights / (weights.sum(-1, keepdim=True) + EPSILON)
    return torch.einsum("bhqk,bhck->bhcq", weights, values)


@pytest.mark.parametrize("tokens", [1, 7, 300])
def test_linear_attention_equals_its_quadratic_form(tokens: int) -> None:
    queries, keys, values = random(3, 2, 4, 16, tokens).unbind(0)
    expected = quadratic_attention(queries, keys, values)
    assert expected.std() > 0
    assert torch.allclose(linear_attention(queries, keys, values), expected, atol=1e-5)


def test_a_query_that_likes_no_key_gives_zeros_and_no_nan() -> None:
    queries, keys, values = (-random(3, 1, 1, 16, 5).abs()).unbind(0)
    assert torch.equal(linear_attention(queries, keys, values), torch.zeros(1, 1, 16, 5))


def test_half_precision_does_not_overflow() -> None:
    queries, keys, values = (60 * random(3, 1, 1, 16, 4096)).half().unbind(0)
    mixed = linear_attention(queries, keys, values)
    assert mixed.dtype == torch.float16
    assert bool(mixed.isfinite().all())


def test_under_autocast_the_sums_stay_in_single_precision() -> None:
    queries, keys, values = random(3, 1, 2, 16, 64).unbind(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = linear_attention(queries, keys, values)
    assert torch.equal(under, linear_attention(queries, keys, values))


def test_a_stage_has_one_head_of_sixteen_channels_for_eight_of_its_own() -> None:
    assert LinearAttention(96).qkv.out_channels == 3 * 12 * 16
    assert LinearAttention(192).qkv.out_channels == 3 * 24 * 16


@pytest.mark.parametrize("size", [(64, 64), (65, 97), (33, 50)])
def test_maps_are_halved_and_rounded_up_on_both_sides_of_the_shortcut(size: tuple[int, int]) -> None:
    maps = small().eval().forward_intermediates(random(1, 3, *size))
    assert [tuple(one.shape[2:]) for one in maps] == [
        tuple(-(-side // stride) for side in size) for stride in (4, 8, 16, 32)
    ]


def test_outputs_do_not_depend_on_the_rest_of_the_batch() -> None:
    model = small().eval()
    images = random(5, 3, 64, 96)
    with torch.inference_mode():
        together = model(images)
        alone = torch.cat([model(one[None]) for one in images])
        shuffled = model(images.flip(0)).flip(0)
    assert together.std() > 0
    assert torch.allclose(together, alone, atol=1e-5)
    assert torch.allclose(together, shuffled, atol=1e-5)


def test_gradients_flow_to_every_parameter_and_every_pixel() -> None:
    model = small().train()
    images = random(2, 3, 64, 64).requires_grad_()
    model(images)[:, 0].square().sum().backward()
    dead = {
        key
        for key, value in model.named_parameters()
        if value.grad is None or not bool(value.grad.isfinite().all()) or not value.grad.abs().sum() > 0
    }
    assert dead == set()
    assert images.grad is not None
    assert bool((images.grad.abs().sum(1) > 0).all())
