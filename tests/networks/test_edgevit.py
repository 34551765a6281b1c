"""What EdgeViT claims: sparse attention that at a sampling rate of 1 is plain, and windows that hear of each other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gpscale.networks.edgevit import EdgeViT, GlobalSparseAttention, LGLBlock


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def small(seed: int = 0) -> EdgeViT:
    torch.manual_seed(seed)
    return EdgeViT((8, 16, 20, 24), (1, 2, 5, 3), (1, 2, 1, 2), 6)


@pytest.fixture
def attention() -> GlobalSparseAttention:
    torch.manual_seed(0)
    return GlobalSparseAttention(12, heads=3, rate=1)


def test_attention_at_rate_one_is_plain_multi_head_attention(attention: GlobalSparseAttention) -> None:
    plain = nn.MultiheadAttention(12, 3, batch_first=True)
    with torch.no_grad():
        plain.in_proj_weight.copy_(attention.qkv.weight.flatten(1))
        plain.in_proj_bias.copy_(attention.qkv.bias)
        plain.out_proj.weight.copy_(attention.proj.weight.flatten(1))
        plain.out_proj.bias.copy_(attention.proj.bias)
    images = random(2, 12, 5, 7)
    tokens = images.flatten(2).transpose(1, 2)
    expected = plain(tokens, tokens, tokens, need_weights=False)[0]
    assert torch.allclose(attention(images).flatten(2).transpose(1, 2), expected, atol=1e-6)


def test_one_token_of_each_window_is_heard() -> None:
    torch.manual_seed(0)
    sparse = GlobalSparseAttention(8, heads=2, rate=4)
    images = random(1, 8, 8, 12)
    before = sparse(images)
    unheard = images.clone()
    unheard[..., 1:4, 5:8] += 1.0
    assert torch.equal(sparse(unheard), before)
    heard = images.clone()
    heard[..., 4, 8] += 1.0
    assert not torch.allclose(sparse(heard), before)


def test_what_was_attended_to_reaches_every_token_of_every_window() -> None:
    torch.manual_seed(0)
    sparse = GlobalSparseAttention(8, heads=2, rate=2)
    images = random(1, 8, 6, 4)
    change = images.clone()
    change[..., 0, 0] += 1.0
    moved = (sparse(change) - sparse(images)).abs().amax(1)
    assert moved.shape == (1, 6, 4)
    assert bool((moved > 0).all())


def test_a_block_without_sampling_has_no_local_aggregation() -> None:
    assert isinstance(LGLBlock(8, 2, rate=1).local, nn.Identity)
    assert not isinstance(LGLBlock(8, 2, rate=2).local, nn.Identity)


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


def test_the_state_of_one_model_makes_another_give_its_outputs() -> None:
    one, other = small(0).eval(), small(1).eval()
    images = random(1, 3, 32, 32)
    with torch.inference_mode():
        assert not torch.allclose(one(images), other(images))
        other.load_state_dict(one.state_dict())
        assert torch.equal(one(images), other(images))
