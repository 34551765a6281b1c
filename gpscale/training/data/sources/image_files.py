"""Images that are one file each: what `folder` and the file-based torchvision sets have in common."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpscale.training.data.sources.base import Item


class ImageFiles:
    """Labelled image files below one folder; a `Source`."""

    def __init__(self, root: Path, files: Sequence[Path], labels: Sequence[int], class_names: Sequence[str]) -> None:
        """List the files.

        Args:
            root: A folder above all files.
            files: N paths; one that does not exist is found when it is read.
            labels: N classes, 0 to C-1.
            class_names: C names.
        """
        self.files: tuple[Path, ...] | None = tuple(files)
        self.labels = np.array(labels, np.int64)
        self.class_names = tuple(class_names)
        self._paths = tuple(files)
        self._root = root
        stamp = hashlib.sha256(os.fsencode(root.resolve()))
        for path in files:
            status = path.stat() if path.exists() else None
            state = (status.st_size, status.st_mtime_ns) if status else None
            stamp.update(os.fsencode(self._relative(path)) + f"\0{state}\0".encode())
        self.stamp = stamp.hexdigest()

    def items(self, indices: NDArray[np.int64]) -> Iterator[Item]:
        """Yield the files' bytes; a file that cannot be read yields none, and so is named as undecodable."""
        for index in indices:
            try:
                yield self._paths[index].read_bytes()
            except OSError:
                yield b""

    def name(self, index: int) -> str:
        """Name an image by its path below the root."""
        return self._relative(self._paths[index])

    def _relative(self, path: Path) -> str:
        return os.fspath(path.relative_to(self._root))
