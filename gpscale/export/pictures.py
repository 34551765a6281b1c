"""The real images that an exported model is checked on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gpscale.comparison.full_training import read_settings
from gpscale.errors import DataError
from gpscale.training.data.decoding import decoded, opened
from gpscale.training.data.preparing import UNDECODABLE
from gpscale.training.data.sources import Item, open_source

Thing = TypeVar("Thing")


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Images as they are stored for a training.

    Attributes:
        name: Where they are from.
        pixels: uint8 (N, S, S, 3), 0 to 255.
    """

    name: str
    pixels: NDArray[np.uint8]

    def mean(self) -> tuple[float, ...]:
        """Return the mean of each channel, 0 to 255."""
        return tuple(self.pixels.mean((0, 1, 2), dtype=np.float64).tolist())

    def std(self) -> tuple[float, ...]:
        """Return the standard deviation of each channel, at least 1, of 0 to 255."""
        return tuple(np.maximum(self.pixels.std((0, 1, 2), dtype=np.float64), 1.0).tolist())

    def normalised(self, side: int, mean: Sequence[float], std: Sequence[float]) -> NDArray[np.float32]:
        """Return what a model is given, resized and normalised as in the evaluation of a training.

        Args:
            side: Pixels of a side that the model takes (p).
            mean: Three floats, on the scale 0 to 255.
            std: Three floats, on that scale.

        Returns:
            float32 (N, 3, p, p).
        """
        import torch

        from gpscale.training.augment import Augmentation
        from gpscale.training.recipe import Recipe

        evaluation = Augmentation(Recipe(channels_last=False), side, mean, std, num_classes=1).evaluation
        found: NDArray[np.float32] = evaluation(torch.from_numpy(self.pixels).permute(0, 3, 1, 2)).numpy()
        return found


def read_pictures(data: str, count: int, side: int) -> Pictures:
    """Read images spread evenly over a data set's training split.

    Args:
        data: As for `gpscale train`: a source, a folder of images or of Parquet, or a YAML file with a section `data`.
        count: How many.
        side: Pixels of a side that the model takes; squares that all have one size are kept as they are, as in a
            training.

    Raises:
        DataError: The images are missing, too few, or cannot be decoded.
        SweepFileError: The YAML file is absent or not legal.
        UnknownNameError: There is no such source.

    Example:
        >>> read_pictures("digits", 100, 64).pixels.shape
        (100, 8, 8, 3)
    """
    config = read_settings(None, data).data
    source = open_source(config.request())
    there = len(source.labels)
    if count > there:
        raise DataError(
            f"--images must be no more than there are. Got {count}, and {data} has {there}. Ask for fewer, or name "
            "other --data."
        )
    indices = np.linspace(0, there - 1, count).round().astype(np.int64)
    items = list(source.items(indices))
    named = [(source.name(int(index)), item) for index, item in zip(indices, items, strict=True)]
    (width, height), *others = set(_each(named, lambda item: opened(item).size))
    stored = config.stored_pixels or (width if width == height and not others else side)
    return Pictures(data, np.stack(_each(named, lambda item: decoded(item, stored))))


def _each(named: Sequence[tuple[str, Item]], use: Callable[[Item], Thing]) -> list[Thing]:
    found = []
    for name, item in named:
        try:
            found.append(use(item))
        except UNDECODABLE as error:
            raise DataError(
                f"All images must be decodable. Got {name}, which is not: {error}. Remove or replace it."
            ) from error
    return found
