"""Random weights: a wrong conversion must be seen."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gpscale import families
from gpscale.export.deployable import find_deployable
from gpscale.export.parity import LARGEST_DIFFERENCE
from gpscale.export.random_weights import enliven
from gpscale.families.chosen import find_architecture

NOISE = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def answers(model: nn.Module) -> torch.Tensor:
    with torch.inference_mode():
        return model(NOISE)


@pytest.mark.parametrize("name", ["efficientvit_m0@64", "fastvit_t8@64"])
def test_images_get_other_logits_where_those_of_a_fresh_model_are_all_alike(name: str) -> None:
    chosen = find_architecture(name)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        fresh = families.get(chosen.family).build(chosen.architecture, 10).eval()
    assert answers(fresh).std(0).mean() < 2 * LARGEST_DIFFERENCE
    assert answers(find_deployable(name, None, 10).build()).std(0).mean() > 20 * LARGEST_DIFFERENCE


class Branched(nn.Module):
    """A model with a branch that is switched off at first."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 8, 8), nn.BatchNorm2d(6))
        self.branch = nn.Conv2d(6, 6, 1)
        self.scale = nn.Parameter(torch.full((6, 1, 1), 1e-5))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.stem(images)
        return (x + self.scale * self.branch(x)).mean((2, 3))


def test_a_branch_that_is_switched_off_at_first_counts() -> None:
    def change_without_branch(model: Branched) -> float:
        before = answers(model)
        nn.init.zeros_(model.branch.weight)
        nn.init.zeros_(model.branch.bias)
        return float((answers(model) - before).abs().max())

    with torch.random.fork_rng():
        torch.manual_seed(0)
        fresh, lively = Branched().eval(), Branched()
        enliven(lively, 64)
    assert change_without_branch(fresh) < LARGEST_DIFFERENCE
    assert change_without_branch(lively) > 20 * LARGEST_DIFFERENCE


def test_batch_normalisations_have_seen_images_and_are_as_before_otherwise() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Branched()
        enliven(model, 64)
    norm = model.stem[1]
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.momentum == nn.BatchNorm2d(1).momentum
    assert not any(module.training for module in model.modules())
    with torch.inference_mode():
        before = model.stem[0](NOISE)
    torch.testing.assert_close(norm.running_var, before.var((0, 2, 3)), rtol=0.5, atol=0)
