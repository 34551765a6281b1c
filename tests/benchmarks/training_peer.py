"""The other side of the training benchmark: the usual loop around a torch DataLoader with PIL transforms.

As a program of its own, which reads requests and writes answers:

    python -m tests.benchmarks.training_peer WORKLOAD SETTINGS
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from gpscale.training.data.store import ImageStore
from tests.benchmarks.training_workload import Workload, answer_requests


@dataclasses.dataclass(frozen=True)
class PeerSettings:
    """How the peer trains.

    Attributes:
        loader_workers: Processes that load images; 0 loads them in the training's own.
        tuned: As gpscale: weights and images channels last, fused optimizer; else torch's defaults.
    """

    loader_workers: int
    tuned: bool


class DecodedImages(Dataset[tuple[Tensor, int]]):
    """Decoded images as torchvision's CIFAR10 keeps them: an array that each item is cut from."""

    def __init__(self, store: ImageStore, pixels: int) -> None:
        assert store.images is not None
        self._images: NDArray = store.images[store.train_indices]
        self._labels = store.labels[store.train_indices].tolist()
        scale = [[value / 255 for value in values] for values in (store.mean, store.std)]
        self._transform = transforms.Compose(
            [
                transforms.RandomCrop(store.side, padding=store.side // 8, padding_mode="reflect"),
                transforms.RandomHorizontalFlip(),
                transforms.Resize(pixels),
                transforms.ToTensor(),
                transforms.Normalize(*scale),
            ]
        )

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(Image.fromarray(self._images[index])), self._labels[index]


def steps(workload: Workload, settings: PeerSettings) -> Iterator[None]:
    """Train, one step at a time, without end."""
    recipe = workload.recipe
    order = torch.channels_last if settings.tuned else torch.contiguous_format
    model = workload.model().to(memory_format=order).train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1e-3, weight_decay=recipe.weight_decay, fused=True if settings.tuned else None
    )
    average = ModelEmaV3(model, decay=0.999)
    loader = DataLoader(
        DecodedImages(ImageStore.open(Path(workload.store)), workload.pixels),
        batch_size=workload.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=settings.loader_workers,
        persistent_workers=settings.loader_workers > 0,
    )
    while True:
        for images, labels in loader:
            logits = model(images.contiguous(memory_format=order))
            loss = F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), recipe.gradient_clip)
            optimizer.step()
            average.update(model)
            loss.item()
            yield


def main(workload: str, settings: str) -> None:
    """Answer requests from the standard input."""
    trained = steps(Workload(**json.loads(workload)), PeerSettings(**json.loads(settings)))
    answer_requests(sys.stdin, sys.stdout, trained)


if __name__ == "__main__":
    main(*sys.argv[1:])
