"""The part of the Ray executor that runs on the nodes of a cluster.

A worker is a Ray actor that lives as long as the executor and runs one trial at a time. It runs it as the local
executor does, with one worker, so that a trial meets the same environment, isolation, log and time limit everywhere:

    driver -- Ray --> worker (actor) -- pipe --> keeper (LocalExecutor) --> fork server --> trial

The keeper stands between because Ray kills the direct children of an actor that ends, and the fork server must outlive
its owner by the moment that it takes to end a trial with all of the trial's own processes.

A node that sees the driver's run directory works in it. One that does not gets the images once, whatever the number of
its workers, and a copy of a trial's directory when the trial starts; what the trial then writes is brought back.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

from gpscale.errors import ClusterError
from gpscale.execution.base import Ended, Event, Job, RunTrial, Started
from gpscale.execution.local import LocalExecutor
from gpscale.run_dir import RunDir
from gpscale.trial import TrialRecord

CHUNK_BYTES = 16 * 2**20
"""How much of the images travels at a time."""

CHUNKS_AHEAD = 4
"""How many such pieces are on their way to one node."""

LOCK_FILE = ".lock"
LEAVE_SECONDS = 5.0


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a worker runs trials.

    Attributes:
        session: Names the executor among all that use the node.
        timeout: As in `LocalExecutor`.
        run_trial: As in `LocalExecutor`.
        preload: As in `LocalExecutor`.
        shared: Whether nodes see the driver's files; None to look.
        bring_seconds: Least time between two times at which files of a running trial are brought back.
    """

    session: str
    timeout: float | None
    run_trial: RunTrial
    preload: Sequence[str]
    shared: bool | None
    bring_seconds: float


@dataclasses.dataclass(frozen=True)
class Place:
    """A directory of the driver.

    Attributes:
        path: Where the driver sees it.
        mark: A file in it, of a name found nowhere else; a node that sees this file sees the directory.
        files: Its files, by name, and their size, bytes; empty for a run directory.
        outside: A file elsewhere that these refer to; None if there is none.
    """

    path: Path
    mark: Path
    files: Mapping[str, int] = dataclasses.field(default_factory=dict)
    outside: Path | None = None


@dataclasses.dataclass(frozen=True)
class Brought:
    """Files of a trial that have changed on its node.

    Attributes:
        trial_id: The trial.
        files: Content by name; None for one that is gone.
    """

    trial_id: str
    files: Mapping[str, bytes | None]


class Source:
    """Reads the driver's files for other nodes; an actor on the driver's own node."""

    def read(self, path: Path, offset: int, length: int) -> bytes:
        """Return a piece of a file."""
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(length)


class Worker:
    """Runs one trial at a time; an actor with two threads, so that it can be told things while a trial runs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        remove_abandoned()
        self._session = _scratch() / settings.session
        # held as long as this process lives
        self._hold = _hold(self._session)
        self._own = self._session / f"worker-{uuid.uuid4().hex}"
        self._connection, theirs = Pipe()
        self._sending = threading.Lock()
        program = (
            f"import sys; sys.path[:] = {sys.path!r}; from gpscale.execution.ray_worker import keep; "
            f"keep({theirs.fileno()})"
        )
        self._keeper = subprocess.Popen(
            [sys.executable, "-c", program],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        theirs.close()
        self._connection.send((settings.timeout, settings.run_trial, settings.preload))
        self._images: dict[Path, Path] = {}
        self._hidden: frozenset[Path] = frozenset()
        self._copy: _Copy | None = None
        self._leaving = False

    def look(self, places: Sequence[Place]) -> frozenset[Path]:
        """Return which of the driver's directories cannot be seen from here."""
        if self._settings.shared is None:
            hidden = {place.path for place in places if not place.mark.exists()}
        else:
            hidden = set() if self._settings.shared else {place.path for place in places}
        self._hidden = frozenset(hidden)
        return self._hidden

    def fetch(self, images: Sequence[Place], source: Any) -> None:
        """Get images, unless another worker of this node has got them.

        Args:
            images: Directories of images that cannot be seen from here.
            source: Handle of a `Source`.

        Raises:
            ClusterError: They cannot be had here.
        """
        for place in images:
            self._images[place.path] = _placed(self._session, place, source)

    def advance(self, job: Job | None = None, files: Mapping[str, bytes] | None = None) -> list[Event | Brought]:
        """Start a trial, if one is given, and wait until there is something to say about the one that runs.

        Args:
            job: The trial, as the driver sees it.
            files: Content of the trial's directory, by name, if it cannot be seen from here.

        Raises:
            GpscaleError: What the local executor raises.
        """
        if job is not None:
            localised = self._localised(job, files or {})
            with self._sending:
                self._connection.send(localised)
        said: list[Event | Brought] = []
        try:
            while not said or self._connection.poll():
                said += self._received()
        except EOFError:
            if not self._leaving:
                # without its keeper this worker is of no use; the driver gets another one
                os._exit(1)
        return said

    def stop(self, record: TrialRecord) -> None:
        """End the trial that runs with this record, if it is that trial."""
        # without its keeper, `advance` ends this worker
        with contextlib.suppress(OSError), self._sending:
            self._connection.send(record)

    def leave(self) -> None:
        """End the trial that runs, and leave no file behind."""
        self._leaving = True
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        self._keeper.wait()
        # the fork server has just seen its owner go, and a trial may write until it is killed
        deadline = time.monotonic() + LEAVE_SECONDS
        while self._own.exists() and time.monotonic() < deadline:
            shutil.rmtree(self._own, ignore_errors=True)
        self._hold.close()
        remove_abandoned()

    def _localised(self, job: Job, files: Mapping[str, bytes]) -> Job:
        """Return the job as it is seen from here, its files written."""
        self._copy = None
        directory = job.directory
        if directory in self._hidden:
            directory = self._own
            self._copy = _Copy(RunDir(directory).trial(job.trial.id), files, self._settings.bring_seconds)
        return Job(job.trial, directory, self._images.get(job.images, job.images))

    def _received(self) -> list[Event | Brought]:
        event = self._connection.recv()
        if isinstance(event, Exception):
            raise event
        if isinstance(event, Started):
            # the driver has said so
            return []
        if self._copy is None:
            return [event]
        trial_id = event.record.id if isinstance(event, Ended) else event.progress.trial_id
        brought = self._copy.changes(at_end=isinstance(event, Ended))
        return [*([Brought(trial_id, brought)] if brought else []), event]


def keep(descriptor: int) -> None:
    """Be the keeper of a worker: run each job that comes, until the worker is gone.

    Args:
        descriptor: File descriptor of the keeper's end of the connection.
    """
    threading.Thread(target=_leave_with_owner, daemon=True).start()
    connection = Connection(descriptor)
    timeout, run_trial, preload = connection.recv()
    with LocalExecutor(workers=1, timeout=timeout, run_trial=run_trial, preload=preload) as local:
        while True:
            job = connection.recv()
            if isinstance(job, TrialRecord):
                # the trial that was to stop had ended by then
                continue
            try:
                for event in local.run([job]):
                    connection.send(event)
                    # what comes after the end is the next job
                    while not isinstance(event, Ended) and connection.poll():
                        local.stop(connection.recv())
            except Exception as error:
                connection.send(error)


def _leave_with_owner() -> None:
    # the standard input ends when the worker does, however that ends; the fork server then ends the trial
    sys.stdin.buffer.read()
    os._exit(0)


def remove_abandoned() -> None:
    """Remove what executors whose workers are all gone, killed perhaps, have left on this node."""
    import fcntl

    scratch = _scratch()
    for session in scratch.iterdir() if scratch.is_dir() else ():
        with contextlib.suppress(OSError), open(session / LOCK_FILE) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(session)
    with contextlib.suppress(OSError):
        scratch.rmdir()


def files_of(directory: Path) -> list[Path]:
    """Return the files of a trial's directory, those that are being written left out."""
    if not directory.is_dir():
        return []
    return [path for path in directory.iterdir() if path.is_file() and not path.name.startswith(".")]


class _Copy:
    """A trial's directory on a node that does not see the driver's; knows what is not brought back of it yet."""

    def __init__(self, directory: Path, files: Mapping[str, bytes], seconds: float) -> None:
        self._directory, self._seconds = directory, seconds
        self._due = time.monotonic() + seconds
        directory.mkdir(parents=True)
        for name, content in files.items():
            (directory / name).write_bytes(content)
        self._known = {path.name: _signature(path.stat()) for path in files_of(directory)}

    def changes(self, *, at_end: bool) -> dict[str, bytes | None]:
        """Return the files that have changed since they were last returned, if it is time; at the end remove them."""
        now = time.monotonic()
        if not at_end and now < self._due:
            return {}
        self._due = now + self._seconds
        changed: dict[str, bytes | None] = {}
        present = files_of(self._directory)
        for path in present:
            with open(path, "rb") as file:
                signature = _signature(os.fstat(file.fileno()))
                if self._known.get(path.name) != signature:
                    self._known[path.name] = signature
                    changed[path.name] = file.read()
        for name in self._known.keys() - {path.name for path in present}:
            del self._known[name]
            changed[name] = None
        if at_end:
            shutil.rmtree(self._directory)
        return changed


def _signature(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _scratch() -> Path:
    """Return the directory on this node that holds one directory for each executor of this user."""
    return Path(tempfile.gettempdir()) / f"gpscale-ray-{os.getuid()}"


def _hold(session: Path) -> IO[str]:
    """Make a directory that is not abandoned while the file that is returned stays open."""
    import fcntl

    while True:
        # another worker may take it for abandoned before the lock is there
        with contextlib.suppress(FileNotFoundError):
            session.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = open(session / LOCK_FILE, "a")  # noqa: SIM115
            fcntl.flock(file, fcntl.LOCK_SH)
            if (session / LOCK_FILE).exists():
                return file
            file.close()


def _placed(session: Path, place: Place, source: Any) -> Path:
    """Return the directory on this node with the driver's images; the first worker that asks gets them.

    Raises:
        ClusterError: They cannot be had here.
    """
    import fcntl

    if place.outside is not None and not place.outside.exists():
        raise ClusterError(
            "Images that are too many to be decoded beforehand must lie where every node sees them. A node does not "
            f"see {place.outside}. Move them to a directory that the nodes share, or make Parquet files of them."
        )
    target = session / f"images-{hashlib.sha256(str(place.path).encode()).hexdigest()[:16]}"
    with open(session / "images.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            partial = target.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            for name, size in place.files.items():
                _fetch(source, place.path / name, size, partial / name)
            partial.rename(target)
    return target


def _fetch(source: Any, path: Path, size: int, target: Path) -> None:
    import ray

    coming: deque[Any] = deque()
    with open(target, "wb") as file:
        for offset in range(0, size, CHUNK_BYTES):
            if len(coming) == CHUNKS_AHEAD:
                file.write(ray.get(coming.popleft()))
            coming.append(source.read.remote(path, offset, CHUNK_BYTES))
        while coming:
            file.write(ray.get(coming.popleft()))
