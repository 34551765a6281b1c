"""`digits`: scikit-learn's 1,797 handwritten digits of 8 x 8 pixels; needs no files.

The set has no test split of its own, so a fifth of every class is kept apart as one, always the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpscale.training.data.sources.base import Item, SourceRequest, register

TEST_EVERY = 5
"""Of each class, every fifth image is a test image."""


class Digits:
    """scikit-learn's digits, one split; a `Source`."""

    files: tuple[Path, ...] | None = None

    def __init__(self, pixels: NDArray[np.uint8], labels: NDArray[np.int64], positions: NDArray[np.int64]) -> None:
        """Keep one split.

        Args:
            pixels: uint8 (N, 8, 8), 0 to 255.
            labels: int64 (N,), 0 to 9.
            positions: int64 (N,), places in scikit-learn's order.
        """
        self.labels = labels
        self.class_names = tuple("0123456789")
        self.stamp = f"digits {len(labels)}"
        self._pixels = pixels
        self._positions = positions

    def items(self, indices: NDArray[np.int64]) -> Iterator[Item]:
        """Yield images (8, 8), uint8, 0 to 255."""
        return (self._pixels[index] for index in indices)

    def name(self, index: int) -> str:
        """Name an image by its place in scikit-learn's order."""
        return f"digit {self._positions[index]}"


@register("digits")
def open_digits(request: SourceRequest) -> Digits:
    """Read the digits that scikit-learn ships."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    labels = bunch.target.astype(np.int64)
    # the set counts ink from 0 to 16
    pixels = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    rank = np.zeros(len(labels), np.int64)
    for label in range(10):
        members = np.flatnonzero(labels == label)
        rank[members] = np.arange(len(members))
    in_test = rank % TEST_EVERY == TEST_EVERY - 1
    positions = np.flatnonzero(in_test if request.split == "test" else ~in_test)
    return Digits(pixels[positions], labels[positions], positions)
