"""What a source of images is, and how to add one.

A source reads one data set where it lies, image by image. To add one: write `sources/<name>.py` with a function from a
`SourceRequest` to a `Source` and decorate it with `@register("<name>")`; the file is found by lying in this folder. A
library that only this source needs is imported inside the function. What a source must raise is `DataError`, for a path
that is missing, empty or corrupt, before it returns; single images that cannot be decoded are found, named and counted
by the store.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from gpscale.errors import DataError, UnknownNameError

Item = bytes | NDArray[np.uint8]
"""One image: an encoded file (JPEG, PNG ...), or pixels (H, W) or (H, W, 3), uint8, 0 to 255."""

SplitName = Literal["train", "test"]


@dataclasses.dataclass(frozen=True)
class SourceRequest:
    """What to read.

    Attributes:
        name: The source, as in `DataConfig.source`.
        root: Where the set lies; None for a set that needs no files.
        download: Fetch the set if it is absent, where the source can.
        split: Sweeps read `"train"`; only final comparisons read `"test"`.

    Example:
        >>> len(open_source(SourceRequest("digits", split="test")).labels)
        355
    """

    name: str
    root: Path | None = None
    download: bool = False
    split: SplitName = "train"

    def require_root(self) -> Path:
        """Return `root`.

        Raises:
            DataError: It is not given, or not a directory.
        """
        if self.root is None:
            raise DataError(
                f"`data.root` must say where the images of source {self.name!r} lie. It is not set. Set it."
            )
        if not self.root.is_dir():
            found = "a file" if self.root.exists() else "nothing"
            raise DataError(
                f"`data.root` must be a directory. Got {str(self.root)!r}, where {found} is. Correct the path."
            )
        return self.root


class Source(Protocol):
    """A data set where it lies.

    Attributes:
        labels: int64 (N,), 0 to C-1: the class of every image.
        class_names: C names.
        files: The image files, where each image is one; else None.
        stamp: A short text that changes whenever the images may have: sizes and times of files, versions.

    Example:
        >>> source: Source = open_source(SourceRequest("digits"))
        >>> source.class_names[:3], source.name(0)
        (('0', '1', '2'), 'digit 0')
    """

    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    files: tuple[Path, ...] | None
    stamp: str

    def items(self, indices: NDArray[np.int64]) -> Iterator[Item]:
        """Yield the images at `indices`, int64, ascending."""
        ...

    def name(self, index: int) -> str:
        """Name one image so that a person finds it."""
        ...


SourceOpener = Callable[[SourceRequest], Source]

_OPENERS: dict[str, SourceOpener] = {}


def register(*names: str) -> Callable[[SourceOpener], SourceOpener]:
    """Add a source to the registry, under each of its names (decorator).

    Example:
        >>> from gpscale.training.data.sources.digits import open_digits
        >>> register("digits")(open_digits) is open_digits
        True
    """

    def add(opener: SourceOpener) -> SourceOpener:
        _OPENERS.update(dict.fromkeys(names, opener))
        return opener

    return add


def names() -> list[str]:
    """Return the names of all sources.

    Example:
        >>> {"digits", "folder", "parquet", "cifar10"} <= set(names())
        True
    """
    _find_sources()
    return sorted(_OPENERS)


def check_name(name: str) -> str:
    """Return `name` if it is a source.

    Raises:
        UnknownNameError: It is not.

    Example:
        >>> check_name("digits")
        'digits'
    """
    if name not in names():
        raise UnknownNameError.of("data source", name, names())
    return name


def open_source(request: SourceRequest) -> Source:
    """Open a source and check that it can be split.

    Raises:
        UnknownNameError: There is no source of that name.
        DataError: The set is missing, empty or corrupt, or has one class only.

    Example:
        >>> len(open_source(SourceRequest("digits")).class_names)
        10
    """
    source = _OPENERS[check_name(request.name)](request)
    if len(source.labels) == 0:
        raise DataError(f"Source {request.name!r} must hold images. Got none in {request.root}. Correct `data.root`.")
    present = np.unique(source.labels)
    if len(present) < 2:
        only = source.class_names[int(present[0])]
        raise DataError(
            f"Source {request.name!r} must hold at least two classes. Got one, {only!r}, in {request.root}. "
            "Correct `data.root`, or add images of another class."
        )
    return source


def _find_sources() -> None:
    package = importlib.import_module(__package__)
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
