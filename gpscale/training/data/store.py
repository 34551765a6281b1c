"""The images of a sweep: decoded once, shared by all workers through a mapped file."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gpscale.errors import DataError
from gpscale.training.data.config import DataConfig
from gpscale.training.data.preparing import ENDS_FILE, IMAGES_FILE, LISTING_FILE, META_FILE, PACKED_FILE, prepare_store
from gpscale.training.data.readers import (
    EncodedFiles,
    MappedReader,
    PackedFile,
    Reader,
    ResidentReader,
    StreamingReader,
)

Indices = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class ImageStore:
    """Decoded images, their labels and their split.

    Attributes:
        class_names: C names.
        fingerprint: 64 hexadecimal digits: a digest of the source's images, the split, and the stored size.
        search_fingerprint: The fingerprint that a store without the test images has: what a sweep on them is known by.
        labels: int64 (N,), 0 to C-1.
        train_indices: int64, ascending; places in the store.
        validation_indices: int64, ascending; places in the store, none of them in `train_indices`.
        test_indices: int64, ascending; places in the store, those of the source's test split; none where a sweep
            searches.
        mean, std: Three floats each, of the training part, on the scale 0 to 255.
        side: Pixels of a stored image's side (S).
        reader: Where the pixels come from.
    """

    class_names: tuple[str, ...]
    fingerprint: str
    search_fingerprint: str
    labels: Indices
    train_indices: Indices
    validation_indices: Indices
    test_indices: Indices
    mean: tuple[float, ...]
    std: tuple[float, ...]
    side: int
    reader: Reader

    @classmethod
    def prepare(cls, config: DataConfig, directory: Path, max_pixels: int, *, test: bool = False) -> ImageStore:
        """Decode the images of a sweep into `directory`, unless it holds them already.

        Args:
            config: Which images, how split.
            directory: Made if absent; what another data set has left there is replaced.
            max_pixels: Largest side that the sweep trains at, pixels.
            test: Hold the images of the test split, too.

        Raises:
            DataError: The images are missing, corrupt, or too few to split.
        """
        prepare_store(config, directory, max_pixels, test=test)
        try:
            return cls.open(directory)
        except DataError:  # a file of an older preparation is gone or cut short
            (directory / META_FILE).unlink(missing_ok=True)
            prepare_store(config, directory, max_pixels, test=test)
            return cls.open(directory)

    @classmethod
    def open(cls, directory: Path) -> ImageStore:
        """Open a prepared store; takes milliseconds and copies no image.

        Raises:
            DataError: `directory` holds no complete store.
        """
        try:
            meta = json.loads((directory / META_FILE).read_text())
            split = np.load(directory / meta["split_file"])
            return cls(
                class_names=tuple(meta["class_names"]),
                fingerprint=meta["fingerprint"],
                # those of earlier versions have none, and most of them no test images
                search_fingerprint=meta.get("search_fingerprint", meta["fingerprint"]),
                labels=split["labels"],
                train_indices=split["train"],
                validation_indices=split["validation"],
                # stores of earlier versions have none
                test_indices=split["test"] if "test" in split else np.empty(0, np.int64),
                mean=tuple(meta["mean"]),
                std=tuple(meta["std"]),
                side=meta["side"],
                reader=_reader(directory, meta),
            )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(
                f"{directory} must hold the decoded images of a sweep. Got: {error}. Run the sweep again."
            ) from error

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def images(self) -> NDArray[np.uint8] | None:
        """The mapped images, uint8 (N, S, S, 3), 0 to 255; None where they are decoded while training."""
        return self.reader.images if isinstance(self.reader, MappedReader) else None

    def near(self, device: torch.device) -> ImageStore:
        """Return this store with its images on a graphics card, if they are stored and fit into half its free memory.

        Args:
            device: Where the training runs; on a CPU all workers share the mapped file.
        """
        if device.type != "cuda" or self.images is None or 2 * self.images.nbytes > torch.cuda.mem_get_info(device)[0]:
            return self
        return self.on(device)

    def on(self, device: torch.device) -> ImageStore:
        """Return this store with its images, which must be stored, on a device."""
        assert self.images is not None
        return dataclasses.replace(self, reader=ResidentReader(self.images, device))

    def batch(self, indices: Indices) -> torch.Tensor:
        """Return images.

        Args:
            indices: int64 (B,), places in the store.

        Returns:
            uint8 (B, 3, S, S), 0 to 255, channels last in memory.
        """
        return torch.from_numpy(self.reader.read(indices)).permute(0, 3, 1, 2)

    def batches(self, indices: Sequence[Indices]) -> Iterator[torch.Tensor]:
        """Yield images batch by batch, decoded ahead in further processes where they are not stored.

        Args:
            indices: One int64 (B,) for each batch.

        Yields:
            uint8 (B, 3, S, S), 0 to 255, channels last in memory, where the images are.
        """
        for images in self.reader.read_all(indices):
            yield images.permute(0, 3, 1, 2)


def _reader(directory: Path, meta: dict[str, Any]) -> Reader:
    if meta["mode"] == "mapped":
        return MappedReader(directory / IMAGES_FILE)
    files = (
        EncodedFiles(directory / LISTING_FILE)
        if meta["mode"] == "files"
        else PackedFile(directory / PACKED_FILE, directory / ENDS_FILE)
    )
    return StreamingReader(files, meta["side"], meta["stream_workers"])
