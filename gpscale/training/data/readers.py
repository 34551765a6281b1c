"""How a trial gets at stored images: from the mapped file, or by decoding while it trains.

Both give the same pixels, bit for bit.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from gpscale.errors import DataError
from gpscale.parent_death import die_with
from gpscale.training.data.decoding import Pixels, decoded

Indices = NDArray[np.int64]


class Reader(Protocol):
    """Gives images by their place in the store."""

    def read(self, indices: Indices) -> Pixels:
        """Return uint8 (B, S, S, 3), 0 to 255, for int64 (B,)."""
        ...

    def read_all(self, batches: Sequence[Indices]) -> Iterator[torch.Tensor]:
        """Yield uint8 tensors (B, S, S, 3), one for each int64 (B,)."""
        ...


class MappedReader:
    """Reads the decoded images from a mapped file that all workers share."""

    def __init__(self, file: Path) -> None:
        self.images: Pixels = np.load(file, mmap_mode="r")

    def read(self, indices: Indices) -> Pixels:
        """Copy images out of the file."""
        return self.images[indices]

    def read_all(self, batches: Sequence[Indices]) -> Iterator[torch.Tensor]:
        """Yield copies of images, batch by batch."""
        return (torch.from_numpy(self.read(indices)) for indices in batches)


class ResidentReader:
    """Holds the decoded images on a device, so that no batch is copied there while it trains."""

    def __init__(self, images: Pixels, device: torch.device) -> None:
        """Copy all images.

        Args:
            images: uint8 (N, S, S, 3), 0 to 255.
            device: Where to.
        """
        self._images = torch.tensor(images, device=device)

    def read(self, indices: Indices) -> Pixels:
        """Copy images back to the CPU."""
        return next(self.read_all([indices])).cpu().numpy()

    def read_all(self, batches: Sequence[Indices]) -> Iterator[torch.Tensor]:
        """Yield images on the device, batch by batch."""
        for indices in batches:
            yield self._images.index_select(0, torch.from_numpy(indices).to(self._images.device, non_blocking=True))


class EncodedFiles:
    """Encoded images that stay where they lie, one file each."""

    def __init__(self, listing: Path) -> None:
        self._paths = listing.read_text().split("\0")

    def __getitem__(self, index: int) -> bytes:
        return Path(self._paths[index]).read_bytes()


class PackedFile:
    """Encoded images one after the other in one mapped file."""

    def __init__(self, file: Path, ends: Path) -> None:
        """Map a file.

        Args:
            file: The images.
            ends: int64 (N,), where each image ends, bytes.

        Raises:
            OSError, ValueError: A file is absent or cut short.
        """
        self._bytes = np.memmap(file, np.uint8, "r")
        self._ends = np.load(ends)
        if self._ends[-1] != len(self._bytes):
            raise ValueError(f"{file} has {len(self._bytes)} bytes, not {self._ends[-1]}")

    def __getitem__(self, index: int) -> bytes:
        start = self._ends[index - 1] if index else 0
        return self._bytes[start : self._ends[index]].tobytes()


class StreamingReader:
    """Decodes images anew every time they are asked for."""

    def __init__(self, encoded: EncodedFiles | PackedFile, side: int, workers: int) -> None:
        """Decode from `encoded` to squares of `side` pixels, in `workers` further processes."""
        self._encoded = encoded
        self._side = side
        self._workers = workers

    def read(self, indices: Indices) -> Pixels:
        """Decode images in the present process.

        Raises:
            DataError: An image is no longer there, or has changed.
        """
        try:
            return np.stack([decoded(self._encoded[int(index)], self._side) for index in indices])
        except (OSError, ValueError, SyntaxError) as error:
            raise DataError(
                f"The images must stay in their place while a sweep runs. Got: {error}. Put them back, or run the "
                "sweep again."
            ) from error

    def read_all(self, batches: Sequence[Indices]) -> Iterator[torch.Tensor]:
        """Yield decoded batches in order; the processes that decode them die with this one."""
        loader: DataLoader[torch.Tensor] = DataLoader(
            _Batches(self, batches),
            batch_size=None,
            num_workers=self._workers,
            # a fork costs milliseconds where a fresh interpreter costs seconds
            multiprocessing_context="fork" if self._workers and _can_fork() else None,
            worker_init_fn=functools.partial(_end_with, os.getpid()),
        )
        return iter(loader)


class _Batches(Dataset[torch.Tensor]):
    def __init__(self, reader: StreamingReader, batches: Sequence[Indices]) -> None:
        self._reader = reader
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.from_numpy(self._reader.read(self._batches[index]))


def _can_fork() -> bool:
    return sys.platform == "linux" and "fork" in multiprocessing.get_all_start_methods()


def _end_with(parent: int, _worker: int) -> None:
    # torch's own watchdog notices a parent that was killed after some seconds; the kernel does it at once
    die_with(parent)
