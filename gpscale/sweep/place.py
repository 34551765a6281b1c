"""Where a run may begin, and how to take back what one has written without touching anything else.

A run directory is made by the run that begins in it. A start that was killed may have left a part of it; anything else
that lies there belongs to someone else, and is neither written into nor removed.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from gpscale.atomic import becomes
from gpscale.errors import RunDirError
from gpscale.run_dir import LOCK_FILE, RunDir
from gpscale.training.data.config import DataConfig
from gpscale.training.data.preparing import META_FILE, is_store, remove_store
from gpscale.training.data.sources.folder import classes_in


def is_unused(run: RunDir, *others: str) -> bool:
    """Tell whether a run directory without settings is absent, or holds nothing but what a killed start has left.

    Args:
        run: The run directory.
        others: Names of the files that such a start writes besides images and provenance, its settings among them.

    Example:
        >>> is_unused(RunDir("runs/absent"))
        True
    """
    if not run.path.exists():
        return True
    return run.path.is_dir() and all(_is_left(entry, run, others) for entry in run.path.iterdir())


def check_apart(run: RunDir, data: DataConfig) -> None:
    """Refuse a run directory among the images that it is to be trained on, and images inside of it.

    Raises:
        RunDirError: One lies in the other.
    """
    if data.root is None:
        return
    root, place = data.root.resolve(), run.path.resolve()
    if root.is_relative_to(place):
        raise RunDirError(
            f"The images must lie outside of the run directory, where gpscale writes and removes. `data.root` is "
            f"{str(data.root)!r}, inside of {run.path}. Choose another run directory."
        )
    if data.source == "folder" and place.is_relative_to(classes_in(root)):
        raise RunDirError(
            f"The run directory must lie outside of the images, whose folders are the classes. {run.path} is inside "
            f"of `data.root`, {str(data.root)!r}. Choose another place for it."
        )


def remove_images(run: RunDir) -> None:
    """Remove the decoded images, and nothing that lies beside them."""
    remove_store(run.images)


def leave_nothing(run: RunDir) -> None:
    """Remove what a start that failed has written, unless a sweep was there before."""
    if run.sweep_file.exists():
        return
    remove_images(run)
    for file in (run.provenance_file, run.path / LOCK_FILE):
        file.unlink(missing_ok=True)
    # the directory of the run directories too, unless it holds others
    for directory in (run.path, run.path.parent):
        with contextlib.suppress(OSError):
            directory.rmdir()


def _is_left(entry: Path, run: RunDir, others: tuple[str, ...]) -> bool:
    """Tell whether an entry of a directory without settings is the rest of a start that was killed."""
    if entry == run.images:
        return is_store(entry)
    if not entry.is_file():
        return False
    if entry == run.provenance_file:
        with contextlib.suppress(RunDirError):
            return bool(run.described_images())
        return False
    if entry.name == LOCK_FILE:
        return entry.stat().st_size == 0
    # the images come first
    if entry.name in others:
        return (run.images / META_FILE).is_file()
    name = becomes(entry.name)
    return name != entry.name and name in (run.provenance_file.name, run.sweep_file.name, *others)
