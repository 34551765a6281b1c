"""Two splits of one data set as one source: the images of the first, then those of the second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpscale.errors import DataError
from gpscale.training.data.sources import Item, Source


class JoinedSplits:
    """Two splits with the same classes; a `Source`."""

    def __init__(self, first: Source, second: Source) -> None:
        """Join them.

        Raises:
            DataError: Their classes differ.
        """
        if first.class_names != second.class_names:
            differing = sorted(set(first.class_names) ^ set(second.class_names))
            raise DataError(
                f"Training and test images must have the same classes. Got {len(first.class_names)} and "
                f"{len(second.class_names)}, that differ in {', '.join(differing[:5]) or 'their order'}. Correct the "
                "test split."
            )
        self.labels = np.concatenate([first.labels, second.labels])
        self.class_names = first.class_names
        self.stamp = f"{first.stamp}\n{second.stamp}"
        self.files: tuple[Path, ...] | None = None
        if first.files is not None and second.files is not None:
            self.files = (*first.files, *second.files)
        self._first, self._second, self._start = first, second, len(first.labels)

    def items(self, indices: NDArray[np.int64]) -> Iterator[Item]:
        """Yield the images of both."""
        yield from self._first.items(indices[indices < self._start])
        yield from self._second.items(indices[indices >= self._start] - self._start)

    def name(self, index: int) -> str:
        """Name an image as its split does."""
        own = index < self._start
        return self._first.name(index) if own else f"{self._second.name(index - self._start)} of the test split"
