"""A first look at images: how they are laid out, how many there are, how large they are."""

from __future__ import annotations

import dataclasses
from collections import Counter
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np

from gpscale.errors import DataError
from gpscale.training.data.config import DataConfig
from gpscale.training.data.decoding import opened
from gpscale.training.data.preparing import UNDECODABLE
from gpscale.training.data.sources import Source, open_source
from gpscale.training.data.sources.folder import SUFFIXES
from gpscale.training.data.split import split_labels

LOOKED_AT = 200
"""Most images of which the size is read."""

Size = tuple[int, int]
"""Width and height, pixels."""


@dataclasses.dataclass(frozen=True)
class Survey:
    """What a first look at images found.

    Attributes:
        classes: Names of the classes.
        train_images, validation_images: Images of the two parts.
        sizes: Each size of the images looked at with how many have it, the commonest first.
    """

    classes: tuple[str, ...]
    train_images: int
    validation_images: int
    sizes: tuple[tuple[Size, int], ...]

    @property
    def looked_at(self) -> int:
        """How many images were looked at."""
        return sum(count for _, count in self.sizes)

    @property
    def short_sides(self) -> tuple[int, int, int]:
        """Smallest, median and largest shorter side of the images looked at, pixels."""
        sides = [min(size) for size, count in self.sizes for _ in range(count)]
        return min(sides), round(median(sides)), max(sides)


def survey(config: DataConfig) -> Survey:
    """Look at the images of a sweep.

    Where each image is a file those looked at are spread evenly over all, else they are the first; only their headers
    are decoded.

    Raises:
        DataError: The images are missing, or too few to train on, or none of those looked at can be decoded.

    Example:
        >>> survey(DataConfig(source="digits")).sizes
        (((8, 8), 200),)
    """
    source = open_source(config.request())
    train, validation = split_labels(source.labels, source.class_names, config)
    sizes = _sizes(source)
    if not sizes:
        raise DataError(f"The images must be decodable. Got none in {str(config.root)!r} that is. Copy them again.")
    return Survey(tuple(source.class_names), len(train), len(validation), sizes)


def find_source(root: Path) -> str:
    """Return which source reads a folder of images: `"folder"` or `"parquet"`.

    Raises:
        DataError: There is no such folder, or no images in it.
    """
    if not root.is_dir():
        raise DataError(f"Images must lie in a folder. Got {str(root)!r}, which is none. Correct the path.")
    if [*root.glob("train*.parquet"), *root.glob("data/train*.parquet")]:
        return "parquet"
    if any(path.suffix.lower() in SUFFIXES for path in root.rglob("*")):
        return "folder"
    raise DataError(
        f"A folder of images must hold train/<class>/* or <class>/* ({' '.join(SUFFIXES)}), or train*.parquet. "
        f"Got {str(root)!r}, which has no image. Correct the path."
    )


def _sizes(source: Source) -> tuple[tuple[Size, int], ...]:
    indices = np.arange(len(source.labels))
    if source.files is not None:
        indices = np.unique(np.linspace(0, len(indices) - 1, LOOKED_AT).round().astype(np.int64))
    sizes: Counter[Size] = Counter()
    for item in islice(source.items(indices), LOOKED_AT):
        try:
            sizes[opened(item).size] += 1
        except UNDECODABLE:
            continue  # named and counted when a sweep decodes all
    return tuple(sizes.most_common())
