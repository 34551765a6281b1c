"""Batch normalisations folded into the convolutions and linear layers before them, as deployment does."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from gpscale.errors import RuntimeChoiceError

_TOLERANCE = 1e-3
"""Largest difference of outputs over their largest: float32 leaves 1e-6, a wrong fold leaves 1."""


@dataclasses.dataclass(frozen=True)
class Folded:
    """A model without the batch normalisations that could be folded.

    Attributes:
        model: A copy in evaluation mode.
        folded: Batch normalisations that are gone.
        left: Those that stay, because no convolution or linear layer alone feeds them.
    """

    model: nn.Module
    folded: int
    left: int


def fold_batch_norms(model: nn.Module, images: Tensor) -> Folded:
    """Fold every batch normalisation whose input is the output of one convolution or linear layer.

    The model is run once to see which layer feeds which, so that it does not matter how its modules are nested.

    Args:
        model: Any image model; it is copied, not changed.
        images: What it takes, shape (batch, 3, height, width), floats.

    Raises:
        RuntimeChoiceError: The folded model has other outputs: a layer's output is used beside its normalisation.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        >>> fold_batch_norms(model, torch.zeros(1, 3, 8, 8)).folded
        1
    """
    found = copy.deepcopy(model).eval()
    norms = {name for name, module in found.named_modules() if isinstance(module, _BatchNorm)}
    with torch.no_grad():
        before = found(images)
        fed = _feeders(found, images)
        for norm, layer in fed.items():
            _fold(found, layer, norm)
        after = found(images)
    scale = before.abs().max().clamp_min(1e-6)
    if not bool((after - before).abs().max() <= _TOLERANCE * scale):
        raise RuntimeChoiceError(
            "Folding batch normalisations must not change what a model answers. Got other outputs for "
            f"{type(model).__name__}, which uses a layer's output beside its normalisation. Leave them in (--no-fold)."
        )
    return Folded(found, len(fed), len(norms) - len(fed))


def _feeders(model: nn.Module, images: Tensor) -> dict[str, str]:
    """Return for each batch normalisation the layer that feeds it, where both run once; by their names."""
    producers: dict[int, tuple[str, Tensor, int]] = {}  # by address; the tensors are kept, so that none is used twice
    fed: dict[str, str] = {}
    runs: dict[str, int] = {}

    def watch(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            runs[name] = runs.get(name, 0) + 1
            if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
                producers[output.data_ptr()] = name, output, output._version
            elif (producer := producers.get(inputs[0].data_ptr())) is not None:
                layer, made, version = producer
                # a view of another shape is the same output, one that was changed in place is not
                if made._version == version and made.numel() == inputs[0].numel():
                    fed[name] = layer

        return hook

    watched = (nn.Conv1d, nn.Conv2d, nn.Linear, _BatchNorm)
    handles = [
        module.register_forward_hook(watch(name))
        for name, module in model.named_modules()
        if isinstance(module, watched)
    ]
    model(images)
    for handle in handles:
        handle.remove()
    layers = list(fed.values())
    return {
        norm: layer
        for norm, layer in fed.items()
        if runs[norm] == runs[layer] == 1 and layers.count(layer) == 1 and _can_fold(model, layer, norm)
    }


def _can_fold(model: nn.Module, layer: str, norm: str) -> bool:
    feeder, module = model.get_submodule(layer), model.get_submodule(norm)
    # a subclass may do more than its convolution, as one that standardises its weights does
    plain = type(feeder) in (nn.Conv1d, nn.Conv2d, nn.Linear)
    return plain and isinstance(module, _BatchNorm) and module.num_features == len(cast(Any, feeder).weight)


def _fold(model: nn.Module, layer: str, norm: str) -> None:
    feeder, module = model.get_submodule(layer), model.get_submodule(norm)
    fuse: Any = fuse_linear_bn_eval if isinstance(feeder, nn.Linear) else fuse_conv_bn_eval
    if module.weight is None:
        module.weight = nn.Parameter(torch.ones_like(module.running_mean))
        module.bias = nn.Parameter(torch.zeros_like(module.running_mean))
    model.set_submodule(layer, fuse(feeder, module))
    # timm's normalisations have dropout and activation in them
    rest = [part for name in ("drop", "act") if (part := getattr(module, name, None)) is not None]
    model.set_submodule(norm, nn.Sequential(*rest) if rest else nn.Identity())
