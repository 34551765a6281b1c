"""Which test images a training gets right: one bit an image, as hexadecimal digits in a text file of two lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpscale.atomic import atomic_file
from gpscale.errors import RunDirError

TEST_HITS_FILE = "test_hits.txt"


def write_test_hits(directory: Path, hits: NDArray[np.bool_]) -> None:
    """Write which test images are right.

    Args:
        directory: The trial's directory.
        hits: (images,) bool, in the order of the store's `test_indices`.
    """
    with atomic_file(directory / TEST_HITS_FILE) as file:
        file.write(f"{len(hits)} images, the first in the highest bit\n{np.packbits(hits).tobytes().hex()}\n".encode())


def read_test_hits(directory: Path) -> NDArray[np.bool_]:
    """Read what `write_test_hits` has written, (images,) bool.

    Raises:
        RunDirError: The file is absent or damaged.
    """
    file = directory / TEST_HITS_FILE
    try:
        head, digits = file.read_text().splitlines()
        count = int(head.split()[0])
        packed = np.frombuffer(bytes.fromhex(digits), dtype=np.uint8)
        if len(packed) != -(-count // 8):
            raise ValueError(f"{len(packed)} bytes for {count} images")
        return np.unpackbits(packed, count=count).astype(np.bool_)
    except (OSError, ValueError, IndexError) as error:
        raise RunDirError(
            f"{file} must hold which test images are right. Got: {error}. Remove the trial's directory, and run the "
            "same command again: it is trained anew."
        ) from None
