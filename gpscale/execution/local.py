"""Trials on this machine: one isolated process for each, forked from a server that has imported torch already."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import errno
import faulthandler
import json
import math
import os
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from types import TracebackType
from typing import Self

from gpscale.errors import GpscaleError, StorageError
from gpscale.execution import worker
from gpscale.execution.base import Ended, Event, Job, Progressed, RunTrial, Started, check_limits, register
from gpscale.execution.fork_server import ForkServer
from gpscale.execution.machine import ENVIRONMENT, oom_kills, training_device, usable_cores
from gpscale.execution.sharing import find_workers
from gpscale.run_dir import RunDir
from gpscale.trial import FailureReason, Progress, TrialRecord

PROGRESS_SECONDS = 0.25
"""Least time between two reports of one trial."""

LONGEST_WAIT_SECONDS = 3600.0
"""The system takes no wait of more than some weeks."""

SERVER_LIVES = 3
"""How many fork servers one run may lose before it gives up."""

CANNOT_WRITE = 100
"""Exit status of a trial that could not write, less the number of the operating system's error."""


@register
class LocalExecutor:
    """Runs trials in processes of this machine, one thread each.

    Attributes:
        workers: Trials that run at the same time.

    Example:
        >>> LocalExecutor(workers=2).workers
        2
    """

    name = "local"
    isolates = True
    stored = None

    def __init__(
        self,
        *,
        workers: int | None = None,
        timeout: float | None = None,
        run_trial: RunTrial = worker.run_trial,
        preload: Sequence[str] = worker.PRELOAD,
    ) -> None:
        """Take the settings; the first `run` starts processes.

        Args:
            workers: Trials that run at the same time; None for one on each usable core, or for as many as pay on a
                graphics card, which `settle` finds.
            timeout: Seconds that a trial may take from its start in this run; None for any number.
            run_trial: What a process does with its job; a function that can be imported.
            preload: Modules that the fork server imports once for all processes.

        Raises:
            ValueError: `workers` is below 1, or `timeout` is not positive.
        """
        check_limits(workers, timeout, "one worker on each core")
        self.workers = usable_cores() if workers is None else workers
        # None once it is settled; else the most that a graphics card may be tried with
        self._most = self.workers if workers is None else None
        self._timeout = math.inf if timeout is None else timeout
        self._run_trial = run_trial
        self._preload = tuple(preload)
        self._server: ForkServer | None = None
        self._progress: _ProgressPipe | None = None
        self._running: dict[str, _Running] = {}
        self._oom_kills = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End what still runs and stop the fork server."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._progress is not None:
            self._progress.close()
            self._progress = None

    def settle(self, jobs: Sequence[Job]) -> None:
        """Find out how many trials share a graphics card, where there is one and nobody has said it.

        It takes about half a minute, once: some of the jobs are trained for seconds, and nothing is kept.

        Args:
            jobs: What will run.
        """
        if self._most is None or not jobs or self._run_trial is not worker.run_trial or training_device() == "cpu":
            return
        self.workers = find_workers(jobs, self._most, self._preload, ENVIRONMENT)
        if len(jobs) >= self._most or 2 * self.workers <= len(jobs):
            # all that may be, or twice as many, have been tried; else more may pay when there are more jobs
            self._most = None

    def run(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Run the jobs and yield events until the last one has ended.

        Args:
            jobs: Trials in the order in which they are to start, no trial twice.

        Raises:
            GpscaleError: The fork server was killed again and again.
            RunDirError: A record in the run directory is damaged.
            StorageError: A trial cannot write its files; it and those that run get no record.
        """
        waiting, running = deque(jobs), self._running
        lives = SERVER_LIVES
        try:
            while waiting or running:
                try:
                    server, progress = self._started()
                    while waiting and len(running) < self.workers:
                        job = waiting.popleft()
                        running[job.trial.id] = _Running(job, time.monotonic() + self._timeout, oom_kills())
                        server.start(job.trial.id, _work, job, self._run_trial, progress.write_end)
                        yield Started(job.trial.id)
                    yield from self._next_events(server, progress, running)
                except EOFError:
                    # the server was killed, and its trials with it: they go on from their checkpoints
                    lives -= 1
                    self.close()
                    waiting.extendleft(one.job for one in reversed(running.values()))
                    running.clear()
                    if not lives:
                        raise GpscaleError(
                            f"The process that starts the trials must stay alive. It was lost {SERVER_LIVES} times, "
                            "often for lack of memory. Run the sweep again with fewer --workers."
                        ) from None
        finally:
            # left early, by an exception or by closing the generator: no trial outlives the loop over its events
            if running:
                running.clear()
                self.close()

    def stop(self, record: TrialRecord) -> None:
        """End a trial, between two events; nothing happens if it does not run.

        Args:
            record: The record that it ends with, unless it has written its own by then.
        """
        one = self._running.get(record.id)
        if one is None or self._server is None:
            return
        one.final = record
        # where the server is gone, its trials are too: `run` notices, and starts them again
        with contextlib.suppress(EOFError):
            self._server.kill(record.id)

    def _started(self) -> tuple[ForkServer, _ProgressPipe]:
        if self._server is None or self._progress is None:
            self._progress = _ProgressPipe()
            self._server = ForkServer(self._preload, ENVIRONMENT, keep=[self._progress.write_end])
        return self._server, self._progress

    def _next_events(
        self, server: ForkServer, progress: _ProgressPipe, running: dict[str, _Running]
    ) -> Iterator[Event]:
        ready = wait([server.connection, progress.read_end], self._until_next_deadline(running))
        for trial_id, one in running.items():
            if time.monotonic() > one.deadline and not one.killed:
                server.kill(trial_id)
                one.killed = True
        if progress.read_end in ready:
            for report in progress.read():
                # a report may still lie in the pipe when its trial has ended
                if report.trial_id in running:
                    yield Progressed(report)
        if server.connection in ready:
            trial_id, status = server.next_exit()
            one = running[trial_id]
            record = self._final_record(one, status)
            del running[trial_id]
            yield Ended(record)

    def _until_next_deadline(self, running: dict[str, _Running]) -> float | None:
        """Return the seconds until a trial has used up its time, or a part of them; None when none will."""
        nearest = min((one.deadline for one in running.values() if not one.killed), default=math.inf)
        return None if nearest == math.inf else min(max(0.0, nearest - time.monotonic()), LONGEST_WAIT_SECONDS)

    def _final_record(self, one: _Running, status: int) -> TrialRecord:
        """Return the record that the worker left, or write the one that it could not write itself."""
        job = one.job
        run = RunDir(job.directory)
        record = run.record(job.trial.id)
        if record is None:
            if status - CANNOT_WRITE in errno.errorcode:
                number = status - CANNOT_WRITE
                raise StorageError.of(run.trial(job.trial.id), OSError(number, os.strerror(number)))
            failure, detail = self._fault(one, status)
            record = one.final or TrialRecord(job.trial.id, job.trial, None, failure, detail)
            run.write_record(record)
        return record

    def _fault(self, one: _Running, status: int) -> tuple[FailureReason, str]:
        """Say why a trial that has exited left no record."""
        if one.killed:
            return FailureReason.TIMEOUT, f"took longer than {self._timeout:g} s"
        if status == -signal.SIGKILL:
            # each of the kernel's kills explains one exit, of a trial that ran by then
            explained = max(one.oom_kills, self._oom_kills)
            if oom_kills() > explained:
                self._oom_kills = explained + 1
                return FailureReason.OUT_OF_MEMORY, "killed by the kernel for want of memory"
        return FailureReason.CRASHED, _describe_exit(status)


@dataclasses.dataclass
class _Running:
    """A trial that runs.

    Attributes:
        job: The trial.
        deadline: When its time is up, by the monotonic clock.
        oom_kills: Of the kernel, when it started.
        killed: It has taken too long.
        final: Its record, if it was asked to stop.
    """

    job: Job
    deadline: float
    oom_kills: int
    killed: bool = False
    final: TrialRecord | None = None


class _ProgressPipe:
    """Carries the reports of all workers, one line each; a report that finds the pipe full is dropped.

    A line is shorter than `PIPE_BUF`, so that lines of different workers do not mix, and a worker that is killed leaves
    a whole line or none.
    """

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        os.set_blocking(self.read_end, False)
        os.set_blocking(self.write_end, False)
        self._rest = b""

    def read(self) -> list[Progress]:
        lines = (self._rest + os.read(self.read_end, 1 << 16)).split(b"\n")
        self._rest = lines.pop()
        return [Progress(**json.loads(line)) for line in lines]

    def close(self) -> None:
        os.close(self.read_end)
        os.close(self.write_end)


def _work(job: Job, run_trial: RunTrial, progress_end: int) -> None:
    """Run a job in this process, with everything that it prints in the log of its trial."""
    try:
        _print_to_log(RunDir(job.directory).trial(job.trial.id))
        run_trial(job, _reporter(progress_end))
    except OSError as error:
        # a full log cannot say why either; what a trial may survive, it has turned into a record
        sys.exit(CANNOT_WRITE + (error.errno or errno.EIO))


def _print_to_log(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    # the descriptors, not only Python's streams, so that messages of native code arrive there too
    with open(directory / "log.txt", "ab", buffering=0) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    faulthandler.enable()
    print(f"# process {os.getpid()}, {datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')}")


def _reporter(progress_end: int) -> Callable[[Progress], None]:
    due = 0.0

    def report(progress: Progress) -> None:
        nonlocal due
        now = time.monotonic()
        if now < due and progress.images < progress.images_total:
            return
        due = now + PROGRESS_SECONDS
        line = json.dumps(dataclasses.asdict(progress)).encode() + b"\n"
        assert len(line) <= select.PIPE_BUF
        # the driver is busy, or gone: then this process is about to be killed, which is not the trial's fault
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(progress_end, line)

    return report


def _describe_exit(status: int) -> str:
    if status >= 0:
        return f"exited with status {status} and no record; see log.txt"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = "unknown"
    hint = ": often the kernel, out of memory" if -status == signal.SIGKILL else "; see log.txt"
    return f"killed by signal {-status} ({name}){hint}"
