"""Which test images a training gets right: one bit an image, as hexadecimal digits in a text file.

Its first line says how many images there are, the second which of them the likeliest class is right of, the third which
of them one of the five likeliest is. Files of earlier versions lack the third.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpscale.atomic import atomic_file
from gpscale.errors import RunDirError

TEST_HITS_FILE = "test_hits.txt"

Hits = NDArray[np.bool_]


def write_test_hits(directory: Path, hits: Hits, top5_hits: Hits | None = None) -> None:
    """Write which test images are right.

    Args:
        directory: The trial's directory.
        hits: Whether the likeliest class is right, (images,) bool, in the order of the store's `test_indices`.
        top5_hits: Whether one of the five likeliest is, likewise; None where that is not known.
    """
    head = f"{len(hits)} images, the first in the highest bit"
    lines = [head, *(np.packbits(one).tobytes().hex() for one in (hits, top5_hits) if one is not None)]
    with atomic_file(directory / TEST_HITS_FILE) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())


def read_test_hits(directory: Path) -> Hits:
    """Read of which images the likeliest class is right, (images,) bool.

    Raises:
        RunDirError: The file is absent or damaged.
    """
    return _read(directory)[0]


def read_top5_hits(directory: Path) -> Hits | None:
    """Read of which images one of the five likeliest classes is right, (images,) bool; None where it is not stored.

    Raises:
        RunDirError: As `read_test_hits` does.
    """
    return _read(directory)[1]


def _read(directory: Path) -> tuple[Hits, Hits | None]:
    file = directory / TEST_HITS_FILE
    try:
        head, *lines = file.read_text().splitlines()
        if len(lines) not in (1, 2):
            raise ValueError(f"{len(lines)} lines of digits")
        top1, *top5 = (_unpacked(line, int(head.split()[0])) for line in lines)
        return top1, top5[0] if top5 else None
    except (OSError, ValueError, IndexError) as error:
        raise RunDirError(
            f"{file} must hold which test images are right. Got: {error}. Remove the trial's directory, and run the "
            "same command again: it is trained anew."
        ) from None


def _unpacked(digits: str, count: int) -> Hits:
    packed = np.frombuffer(bytes.fromhex(digits), dtype=np.uint8)
    if len(packed) != -(-count // 8):
        raise ValueError(f"{len(packed)} bytes for {count} images")
    return np.unpackbits(packed, count=count).astype(np.bool_)
