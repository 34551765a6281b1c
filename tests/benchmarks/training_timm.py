"""A third side of the training benchmark: a plain loop of timm's own parts, as its training script puts them together.

Its loader crops, mirrors and jitters colours (the script's defaults), so that it does more to an image than the others.

As a program of its own, which reads requests and writes answers:

    python -m tests.benchmarks.training_timm WORKLOAD LOADER_WORKERS
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from timm.data.loader import create_loader
from timm.loss import LabelSmoothingCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import ModelEmaV3, dispatch_clip_grad
from torch import device
from torch.utils.data import Dataset

from gpscale.training.data.store import ImageStore
from tests.benchmarks.training_workload import Workload, answer_requests


class Images(Dataset):  # type: ignore[type-arg]
    """Decoded images; timm's loader sets the transform."""

    def __init__(self, store: ImageStore) -> None:
        assert store.images is not None
        self._images = store.images[store.train_indices]
        self._labels = store.labels[store.train_indices].tolist()
        self.transform = None

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[object, int]:
        assert self.transform is not None
        return self.transform(Image.fromarray(self._images[index])), self._labels[index]


def steps(workload: Workload, loader_workers: int) -> Iterator[None]:
    """Train, one step at a time, without end."""
    recipe = workload.recipe
    store = ImageStore.open(Path(workload.store))
    model = workload.model().train()
    optimizer = create_optimizer_v2(model, opt="adamw", lr=1e-3, weight_decay=recipe.weight_decay)
    scheduler, _ = create_scheduler_v2(
        optimizer, num_epochs=recipe.epochs, updates_per_epoch=len(store.train_indices) // workload.batch_size
    )
    loss_of = LabelSmoothingCrossEntropy(recipe.label_smoothing)
    average = ModelEmaV3(model, decay=0.999)
    loader = create_loader(
        Images(store),  # type: ignore[arg-type]
        input_size=(3, workload.pixels, workload.pixels),
        batch_size=workload.batch_size,
        is_training=True,
        num_workers=loader_workers,
        persistent_workers=loader_workers > 0,
        device=device("cpu"),
        use_prefetcher=False,
    )
    updates = 0
    while True:
        for images, labels in loader:
            loss = loss_of(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            dispatch_clip_grad(model.parameters(), value=recipe.gradient_clip)
            optimizer.step()
            updates += 1
            average.update(model, step=updates)
            scheduler.step_update(num_updates=updates)
            loss.item()
            yield


def main(workload: str, loader_workers: str) -> None:
    """Answer requests from the standard input."""
    trained = steps(Workload(**json.loads(workload)), int(loader_workers))
    answer_requests(sys.stdin, sys.stdout, trained)


if __name__ == "__main__":
    main(*sys.argv[1:])
