"""Files that are either complete or absent: a crash at any moment leaves the old content or the new."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gpscale.errors import StorageError

TEMPORARY_SUFFIX = ".tmp"


@contextlib.contextmanager
def atomic_file(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`; on success it is synced and takes the name `path`, else it is removed.

    A crash at any moment leaves the old file or the new one.

    Args:
        path: File to write.
        durable: Sync. Without, it takes a fraction of the time, and a power failure may undo it.

    Raises:
        StorageError: The file cannot be written.
    """
    # imported here because whoever only reads a study needs none of it, and it takes a while
    import tempfile

    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=TEMPORARY_SUFFIX, dir=path.parent)
    except OSError as error:
        raise StorageError.of(path, error) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        # mkstemp makes private files; results are meant to be read by whoever may read the directory.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        if durable:
            sync_directory(path.parent)
    except BaseException as error:
        # a directory that may not be written any more keeps it until it may
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise StorageError.of(path, error) from error
        raise


def becomes(name: str) -> str:
    """Return the name that a temporary file of `atomic_file` would have taken; that of any other file is its own.

    Example:
        >>> becomes(".curve.csv.x3k9_0ab.tmp"), becomes("curve.csv")
        ('curve.csv', 'curve.csv')
    """
    # the eight characters are what `tempfile` draws
    found = re.fullmatch(r"\.(.+)\.[a-z0-9_]{8}" + re.escape(TEMPORARY_SUFFIX), name)
    return found[1] if found else name


def sync_directory(directory: Path) -> None:
    """Make a rename in `directory` durable, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
