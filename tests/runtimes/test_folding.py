"""Folding batch normalisations changes the number of layers, never what a model answers."""

from __future__ import annotations

import pytest
import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn

from gpscale import families
from gpscale.errors import RuntimeChoiceError
from gpscale.families.named import find_model
from gpscale.runtimes.folding import fold_batch_norms

IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def trained(model: nn.Module) -> nn.Module:
    """A model whose normalisations do something, in evaluation mode."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 2.0)
                nn.init.normal_(module.bias)
    return model.eval()


def norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in model.modules())


@pytest.mark.parametrize("name", families.names())
def test_a_folded_family_answers_as_before_with_fewer_layers(name: str) -> None:
    model = find_model(f"{families.get(name).stock_bases[0].split('@')[0]}@64")
    built = trained(model.inference_form(model.build(5).eval()))
    found = fold_batch_norms(built, IMAGES)
    assert (norms(built), norms(found.model)) == (found.folded + found.left, found.left)
    with torch.no_grad():
        expected = built(IMAGES)
        assert torch.allclose(found.model(IMAGES), expected, atol=1e-4 * float(expected.abs().max()))
    # those of EdgeViT stand before their convolutions
    assert found.folded == 0 if name == "edgevit" else found.left <= 1


class Beside(nn.Module):
    """Uses the output of its convolution beside its normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        found = self.conv(x)
        return found + self.norm(found)


def test_a_layer_whose_output_is_used_elsewhere_is_refused() -> None:
    with pytest.raises(RuntimeChoiceError, match="Beside.*--no-fold"):
        fold_batch_norms(trained(Beside()), IMAGES)


class Changed(nn.Module):
    """Changes the output of its convolution in place before the normalisation sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.norm(self.conv(x).relu_())
        return found


@pytest.mark.parametrize(
    ("model", "folded"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False), nn.ReLU()), 1),
        (nn.Sequential(nn.Conv2d(3, 4, 3, groups=1, stride=2), BatchNormAct2d(4)), 1),
        (nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 4), nn.BatchNorm1d(4)), 1),
        (nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3)), 0),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4)), 0),
        (Changed(), 0),
    ],
    ids=["without weights", "with activation", "linear", "before", "after activation", "in place"],
)
def test_only_what_follows_a_layer_directly_is_folded(model: nn.Module, folded: int) -> None:
    model = trained(model)
    found = fold_batch_norms(model, IMAGES)
    assert found.folded == folded
    with torch.no_grad():
        assert torch.allclose(found.model(IMAGES), model(IMAGES), atol=1e-3)


def test_a_layer_that_runs_twice_is_left_as_it_is() -> None:
    conv = nn.Conv2d(3, 3, 1)
    model = trained(nn.Sequential(conv, nn.BatchNorm2d(3), conv, nn.BatchNorm2d(3)))
    assert fold_batch_norms(model, IMAGES).folded == 0
