"""Loss and accuracy of one or two models on a part of the images."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from gpscale.training.augment import Augmentation
from gpscale.training.data.store import ImageStore

EVALUATION_BATCH = 256
"""Part of every result: another batch size rounds differently."""


@dataclasses.dataclass(frozen=True)
class Scores:
    """How a model does on a part of the images.

    Attributes:
        loss: Mean cross-entropy, nats, without label smoothing.
        top1, top5: Fractions in [0, 1]; with fewer than five classes, top5 counts them all.
        hits: Of which images the most likely class is right, (images,) bool.
        top5_hits: Of which one of the five most likely is, (images,) bool.
    """

    loss: float
    top1: float
    top5: float
    hits: NDArray[np.bool_] = dataclasses.field(compare=False, repr=False)
    top5_hits: NDArray[np.bool_] = dataclasses.field(compare=False, repr=False)


def autocast(precision: str, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Return the context of a forward pass in the recipe's precision."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


@torch.inference_mode()
def evaluate(
    models: Sequence[nn.Module],
    augmentation: Augmentation,
    store: ImageStore,
    indices: NDArray[np.int64],
    device: torch.device,
) -> list[Scores]:
    """Score models on images, which are read and resized once for all of them.

    Args:
        models: Each is left in evaluation mode.
        augmentation: Gives size, normalisation and precision.
        store: The images.
        indices: int64 (N,), N > 0: which of them.
        device: Where the models are.
    """
    for model in models:
        model.eval()
    chunks = np.split(indices, range(EVALUATION_BATCH, len(indices), EVALUATION_BATCH))
    sums = torch.zeros(len(models), 3, dtype=torch.float64, device=device)
    hits: list[list[Tensor]] = [[] for _ in models]
    for chunk, images in zip(chunks, store.batches(chunks), strict=True):
        inputs = augmentation.evaluation(images.to(device))
        labels = torch.from_numpy(store.labels[chunk]).to(device)
        for row, model in enumerate(models):
            with autocast(augmentation.recipe.precision, device):
                logits = model(inputs)
            loss, right = _scored(logits.float(), labels)
            sums[row] += torch.stack([loss, right[:, 0].sum(), right.sum()]).double()
            hits[row].append(torch.stack([right[:, 0], right.any(dim=1)]))
    return [_scores(row, len(indices), right) for row, right in zip(sums.cpu(), hits, strict=True)]


def _scores(sums: Tensor, count: int, right: list[Tensor]) -> Scores:
    loss, top1, top5 = (float(value) / count for value in sums)
    return Scores(loss, top1, top5, *torch.cat(right, dim=1).cpu().numpy())


def _scored(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the summed loss, and which of the five most likely classes is right, (B, 5) bool."""
    best = logits.topk(min(5, logits.shape[1]), dim=1).indices
    return F.cross_entropy(logits, labels, reduction="sum"), best == labels[:, None]
