"""Classification sets of torchvision, by their name in snake case: `cifar10`, `fashion_mnist`, `oxford_iiit_pet` ...

To add one, add a row to `SETS`.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpscale.errors import DataError
from gpscale.training.data.sources.base import Item, Source, SourceRequest, register
from gpscale.training.data.sources.image_files import ImageFiles


@dataclasses.dataclass(frozen=True)
class TorchvisionSet:
    """How to ask torchvision for a set.

    Attributes:
        class_name: The class in `torchvision.datasets`.
        labels: Its attribute with all labels; None where `files` holds pairs of path and label.
        files: Its attribute with the image files; None for a set that is held in memory.
        train, test: What its `split` must be; None for a set that has a flag `train` instead.
    """

    class_name: str
    labels: str | None = "targets"
    files: str | None = None
    train: str | None = None
    test: str | None = None

    def keywords(self, split: str) -> dict[str, Any]:
        """Return what asks for the split."""
        if self.train is None:
            return {"train": split == "train"}
        return {"split": self.train if split == "train" else self.test}


SETS = {
    "cifar10": TorchvisionSet("CIFAR10"),
    "cifar100": TorchvisionSet("CIFAR100"),
    "country211": TorchvisionSet("Country211", None, "samples", "train", "test"),
    "dtd": TorchvisionSet("DTD", "_labels", "_image_files", "train", "test"),
    "fashion_mnist": TorchvisionSet("FashionMNIST"),
    "fgvc_aircraft": TorchvisionSet("FGVCAircraft", "_labels", "_image_files", "trainval", "test"),
    "flowers102": TorchvisionSet("Flowers102", "_labels", "_image_files", "train", "test"),
    "food101": TorchvisionSet("Food101", "_labels", "_image_files", "train", "test"),
    "gtsrb": TorchvisionSet("GTSRB", None, "_samples", "train", "test"),
    "imagenette": TorchvisionSet("Imagenette", None, "_samples", "train", "val"),
    "kmnist": TorchvisionSet("KMNIST"),
    "mnist": TorchvisionSet("MNIST"),
    "oxford_iiit_pet": TorchvisionSet("OxfordIIITPet", "_labels", "_images", "trainval", "test"),
    "stl10": TorchvisionSet("STL10", "labels", None, "train", "test"),
    "svhn": TorchvisionSet("SVHN", "labels", None, "train", "test"),
    "usps": TorchvisionSet("USPS"),
}


class TorchvisionPixels:
    """A torchvision set that is held in memory; a `Source`."""

    files: tuple[Path, ...] | None = None

    def __init__(self, name: str, dataset: Any, labels: NDArray[np.int64], class_names: tuple[str, ...]) -> None:
        """Wrap a set whose items are pairs of a PIL image and a label."""
        self.labels = labels
        self.class_names = class_names
        self.stamp = hashlib.sha256(np.asarray(dataset.data).tobytes()).hexdigest()
        self._name = name
        self._dataset = dataset

    def items(self, indices: NDArray[np.int64]) -> Iterator[Item]:
        """Yield images, uint8 (H, W) or (H, W, 3), 0 to 255."""
        return (np.asarray(self._dataset[int(index)][0]) for index in indices)

    def name(self, index: int) -> str:
        """Name an image by its place in the set."""
        return f"{self._name} image {index}"


@register(*SETS)
def open_torchvision(request: SourceRequest) -> Source:
    """Open a torchvision set, fetching it if that is asked for.

    Raises:
        DataError: The set is absent and not to be downloaded, is corrupt, or cannot be fetched.
    """
    if request.root is None:
        raise DataError(
            f"`data.root` must say where {request.name!r} lies, or is to be downloaded to. It is not set. Set it."
        )
    entry = SETS[request.name]
    dataset = _dataset(entry, request, request.root)
    if entry.files is None:
        labels = np.asarray(getattr(dataset, entry.labels or ""), np.int64)
        return TorchvisionPixels(request.name, dataset, labels, _class_names(dataset, labels))
    listed = getattr(dataset, entry.files)
    paths = [Path(item[0] if entry.labels is None else item) for item in listed]
    labels = np.array(
        [pair[1] for pair in listed] if entry.labels is None else getattr(dataset, entry.labels), np.int64
    )
    return ImageFiles(request.root, paths, labels.tolist(), _class_names(dataset, labels))


def _dataset(entry: TorchvisionSet, request: SourceRequest, root: Path) -> Any:
    from torchvision import datasets

    if not (root.is_dir() or request.download):
        raise DataError(
            f"`data.root` must be a directory. Got {str(root)!r}, which is none. Correct the path, or set "
            f"`data.download` to true to fetch {request.name!r} to it."
        )
    try:
        return getattr(datasets, entry.class_name)(
            str(root), download=request.download, **entry.keywords(request.split)
        )
    # what a torn file makes torchvision raise depends on the set
    except Exception as error:
        advice = (
            "Check the connection and the files that are there."
            if request.download
            else "Set `data.download` to true to fetch it, or correct `data.root`."
        )
        said = (" ".join(str(error).split()) or type(error).__name__).rstrip(".")
        raise DataError(
            f"{request.name!r} must lie complete in {str(root)!r}. torchvision says: {said}. {advice}"
        ) from error


def _class_names(dataset: Any, labels: NDArray[np.int64]) -> tuple[str, ...]:
    names = getattr(dataset, "classes", None) or range(int(labels.max(initial=-1)) + 1)
    # some sets name a class by all its synonyms
    return tuple(", ".join(name) if isinstance(name, tuple) else str(name) for name in names)
