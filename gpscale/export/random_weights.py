"""Random weights under which every part of a model counts.

A fresh model is made to be trained: branches that are multiplied by 1e-5 or by 0 at first, batch normalisations that
have seen nothing and let activations fade. Its logits hardly depend on most of its layers (those of EfficientViT M0 of
MSRA reach 1e-5), so that they would look alike whatever a conversion did to it.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

_IMAGES = 8


def enliven(model: nn.Module, pixels: int) -> None:
    """Draw what a fresh model sets to a constant, and let its batch normalisations see noise.

    Args:
        model: As it is built; changed, and in evaluation mode afterwards.
        pixels: Side of its images, pixels.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
        >>> enliven(model, 8)
        >>> bool((model[1].weight == 1).any()), bool((model[1].running_mean == 0).any())
        (False, False)
    """
    model.eval()
    with torch.no_grad():
        for name, values in model.named_parameters():
            if values.min() == values.max():
                centre = 0.0 if "bias" in name.rpartition(".")[2] else 1.0
                values.uniform_(centre - 0.5, centre + 0.5)
        norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = 1.0
            norm.train()
        model(torch.randn(_IMAGES, 3, pixels, pixels))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
    model.eval()
