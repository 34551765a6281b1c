"""Decode a data set once and write it where the workers find it.

A store is a directory with `images.npy`, or where that would exceed the memory cap, what is needed to decode anew
(`files.txt`, or `packed.bin` with `ends.npy`); with `split.npz`; and with `meta.json`, which is written last: a
directory without it is no store.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gpscale.atomic import atomic_file, becomes
from gpscale.errors import DataError
from gpscale.training.data.config import DataConfig
from gpscale.training.data.decoding import Pixels, decoded, encoded, opened
from gpscale.training.data.joined import JoinedSplits
from gpscale.training.data.sources import Item, Source, open_source
from gpscale.training.data.split import split_labels

IMAGES_FILE, LISTING_FILE, PACKED_FILE, ENDS_FILE = "images.npy", "files.txt", "packed.bin", "ends.npy"
META_FILE, SPLIT_FILE = "meta.json", "split.npz"
STORE_FILES = frozenset((IMAGES_FILE, LISTING_FILE, PACKED_FILE, ENDS_FILE, META_FILE, SPLIT_FILE))
SCHEMA = 1
WINDOW = 1024
"""Images decoded before they are written: bounds the memory in use."""
NAMED_IN_ERROR = 5

UNDECODABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
"""What Pillow raises for what is no image."""


def prepare_store(config: DataConfig, directory: Path, max_pixels: int, *, test: bool = False) -> None:
    """Write a store, unless `directory` holds the very one.

    Args:
        config: Which images, how split.
        directory: Made if absent.
        max_pixels: Largest side that is trained at, pixels.
        test: Hold the images of the test split, too.

    Raises:
        DataError: The images are missing, corrupt, or too few to split; or the test split has other classes.
    """
    source: Source = open_source(config.request())
    count = len(source.labels)
    if test:
        source = JoinedSplits(source, open_source(config.request("test")))
    key = _key(config, source, max_pixels)
    meta_file = directory / META_FILE
    with contextlib.suppress(OSError, ValueError):
        if json.loads(meta_file.read_text()).get("key") == key:
            return
    train, validation = split_labels(source.labels[:count], source.class_names, config)
    # images that no part uses are neither decoded nor stored
    tested = np.arange(count, len(source.labels))
    searched = np.union1d(train, validation)
    used = np.concatenate([searched, tested])
    train, validation, tested = (np.searchsorted(used, part) for part in (train, validation, tested))
    side = config.stored_pixels or _common_side(source, used) or max_pixels
    mapped = len(used) * side * side * 3 <= config.memory_cap
    mode = "mapped" if mapped else "files" if source.files is not None else "packed"
    directory.mkdir(parents=True, exist_ok=True)
    meta_file.unlink(missing_ok=True)
    scan = _Scan(source, used, side, np.isin(np.arange(len(used)), train), len(searched))
    _write_images(scan, mode, directory)
    labels = source.labels[used]
    with atomic_file(directory / SPLIT_FILE) as file:
        np.savez(file, labels=labels, train=train, validation=validation, test=tested)
    meta = {
        "schema": SCHEMA,
        "key": key,
        "mode": mode,
        "side": side,
        "class_names": list(source.class_names),
        "fingerprint": _fingerprint(scan.digest.digest(), (labels, train, validation, tested), side),
        "search_fingerprint": _fingerprint(scan.searched_digest, (labels[: len(searched)], train, validation), side),
        "mean": scan.mean().tolist(),
        "std": scan.std().tolist(),
        "split_file": SPLIT_FILE,
        "stream_workers": config.stream_workers,
    }
    with atomic_file(meta_file) as file:
        file.write((json.dumps(meta, indent=1) + "\n").encode())


def is_store(directory: Path) -> bool:
    """Tell whether all that a directory holds are files of a store, whole or not; an empty one is a store begun."""
    return directory.is_dir() and all(
        becomes(entry.name) in STORE_FILES and entry.is_file() for entry in directory.iterdir()
    )


def remove_store(directory: Path) -> None:
    """Remove the files of a store, and the directory unless it holds others; one that is a link stays as it is."""
    if not directory.is_dir() or directory.is_symlink():
        return
    for entry in list(directory.iterdir()):
        if becomes(entry.name) in STORE_FILES and not entry.is_dir():
            entry.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        directory.rmdir()


class _Scan:
    """One pass over the images in use: decodes in threads, gathers digests, mean and standard deviation.

    Attributes:
        digest: Of all images in use.
        searched_digest: Of the first `searched` of them alone, those that train and validate, once they have passed.
    """

    def __init__(
        self, source: Source, used: NDArray[np.int64], side: int, in_train: NDArray[np.bool_], searched: int
    ) -> None:
        self.source, self.used, self.side, self.in_train = source, used, side, in_train
        self.digest = hashlib.sha256()
        self.searched_digest = b""
        self._passed, self._searched = 0, searched
        # integer sums are exact, so that the result does not depend on the order of summation
        self._sum = np.zeros(3, np.int64)
        self._squares = np.zeros(3, np.int64)
        self._bad: list[str] = []
        self._bad_count = 0

    def windows(self) -> Iterator[tuple[list[Item], Pixels]]:
        """Yield the images, encoded and as uint8 (B, S, S, 3).

        Raises:
            DataError: At the end, when images could not be decoded.
        """
        items = self.source.items(self.used)
        start = 0
        # Pillow decodes outside the interpreter's lock
        with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
            while window := list(islice(items, WINDOW)):
                pixels = list(pool.map(self._decoded, window))
                for offset, image in enumerate(pixels):
                    if image is None:
                        self._note_bad(start + offset)
                images = np.stack([image if image is not None else self._blank() for image in pixels])
                self._add(window, images, self.in_train[start : start + len(window)])
                start += len(window)
                yield window, images
        if self._bad_count:
            more = f" and {self._bad_count - NAMED_IN_ERROR} more" if self._bad_count > NAMED_IN_ERROR else ""
            raise DataError(
                f"All images must be decodable. Got {self._bad_count} of {len(self.used)} that are not: "
                f"{', '.join(self._bad)}{more}. Remove or replace them."
            )

    def mean(self) -> NDArray[np.float64]:
        """Return the mean of each channel over the training part, 0 to 255."""
        return self._sum / self._values()

    def std(self) -> NDArray[np.float64]:
        """Return the standard deviation of each channel over the training part, at least 1, of 0 to 255."""
        return np.sqrt(np.maximum(self._squares / self._values() - self.mean() ** 2, 1.0))

    def _values(self) -> int:
        return int(self.in_train.sum()) * self.side * self.side

    def _decoded(self, item: Item) -> Pixels | None:
        try:
            return decoded(item, self.side)
        except UNDECODABLE:
            return None

    def _blank(self) -> Pixels:
        return np.zeros((self.side, self.side, 3), np.uint8)

    def _note_bad(self, place: int) -> None:
        self._bad_count += 1
        if len(self._bad) < NAMED_IN_ERROR:
            self._bad.append(self.source.name(int(self.used[place])))

    def _add(self, items: list[Item], images: Pixels, in_train: NDArray[np.bool_]) -> None:
        for item in items:
            content = item if isinstance(item, bytes) else repr(item.shape).encode() + item.tobytes()
            self.digest.update(hashlib.sha256(content).digest())
            self._passed += 1
            if self._passed == self._searched:
                self.searched_digest = self.digest.digest()
        # a histogram needs no copy of the pixels in a wider type
        values = np.arange(256, dtype=np.int64)
        for channel in range(3):
            counts = np.bincount(images[in_train, ..., channel].ravel(), minlength=256)
            self._sum[channel] += counts @ values
            self._squares[channel] += counts @ values**2


def _key(config: DataConfig, source: Source, max_pixels: int) -> str:
    """Name everything that decides what a store holds, without reading an image."""
    fields = config.model_dump(mode="json", exclude={"download"})
    text = json.dumps([SCHEMA, fields, source.stamp, max_pixels], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _fingerprint(content: bytes, parts: Sequence[NDArray[np.int64]], side: int) -> str:
    digest = hashlib.sha256(content)
    # a part without images adds nothing
    for part in parts:
        digest.update(np.asarray(part, "<i8").tobytes())
    digest.update(f"{SCHEMA} {side}".encode())
    return digest.hexdigest()


def _common_side(source: Source, used: NDArray[np.int64]) -> int | None:
    """Return the side of the images if all are squares of one size; stops reading at the first that differs."""
    common: tuple[int, int] | None = None
    for item in source.items(used):
        try:
            size = opened(item).size
        except UNDECODABLE:
            continue  # named and counted when it is decoded
        common = common or size
        if size != common or size[0] != size[1]:
            return None
    return common[0] if common else None


def _write_images(scan: _Scan, mode: str, directory: Path) -> None:
    if mode == "mapped":
        with atomic_file(directory / IMAGES_FILE) as file:
            shape = (len(scan.used), scan.side, scan.side, 3)
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for _, images in scan.windows():
                file.write(images.data)
    elif mode == "packed":
        with atomic_file(directory / PACKED_FILE) as file:
            ends = _pack(scan, file)
        with atomic_file(directory / ENDS_FILE) as file:
            np.save(file, ends)
    else:
        for _ in scan.windows():
            pass
        files = scan.source.files or ()
        with atomic_file(directory / LISTING_FILE) as file:
            file.write("\0".join(str(files[index].resolve()) for index in scan.used).encode())


def _pack(scan: _Scan, file: BinaryIO) -> NDArray[np.int64]:
    ends = []
    for items, _ in scan.windows():
        for item in items:
            file.write(encoded(item))
            ends.append(file.tell())
    return np.array(ends, np.int64)
