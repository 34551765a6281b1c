"""Directories of the driver, as the nodes of a Ray cluster are told of them."""

from __future__ import annotations

import contextlib
import dataclasses
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from gpscale.atomic import TEMPORARY_SUFFIX
from gpscale.execution.base import Job
from gpscale.execution.ray_worker import Place, files_of


@dataclasses.dataclass(frozen=True)
class Places:
    """What the jobs of a run name.

    Attributes:
        runs: Run directories.
        images: Directories of decoded images.
    """

    runs: tuple[Place, ...]
    images: tuple[Place, ...]


@contextlib.contextmanager
def marked(jobs: Iterable[Job]) -> Iterator[Places]:
    """Put a mark into each directory that the jobs name, so that nodes can tell whether they see it."""
    mark = f".{uuid.uuid4().hex}{TEMPORARY_SUFFIX}"
    runs = dict.fromkeys(job.directory for job in jobs)
    images = [path for path in dict.fromkeys(job.images for job in jobs) if path.is_dir()]
    places = Places(
        tuple(Place(path, path / mark) for path in runs),
        tuple(Place(path, path / mark, _sizes(path), _outside(path)) for path in images),
    )
    marks = [place.mark for place in (*places.runs, *places.images)]
    try:
        for file in marks:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        yield places
    finally:
        for file in marks:
            file.unlink(missing_ok=True)


def _sizes(images: Path) -> Mapping[str, int]:
    return {path.name: path.stat().st_size for path in files_of(images)}


def _outside(images: Path) -> Path | None:
    """Return one of the files that images are decoded from while training, if they are."""
    from gpscale.training.data.preparing import LISTING_FILE

    listing = images / LISTING_FILE
    return Path(listing.read_text().partition("\0")[0]) if listing.exists() else None
