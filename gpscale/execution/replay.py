"""Trials that are not trained: their answers come from a stored study or from a function, in this process.

So planning, fitting and early stopping are tried out in no time. What stands in the records is what was measured when
the study was trained, its times too; `measured` says where it was taken from.
"""

from __future__ import annotations

import dataclasses
import os
import queue
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from types import TracebackType
from typing import Self

from gpscale.errors import StorageError
from gpscale.execution.base import Ended, Event, Job, Progressed, RunTrial, Started, check_limits, detail_of, register
from gpscale.execution.stored import StoredTrials
from gpscale.run_dir import RunDir
from gpscale.training.curve import write_curve
from gpscale.trial import FailureReason, Progress, Result, Trial, TrialRecord

Answer = Callable[[Trial], Result]
"""What a training of the trial would give."""

_Steps = Callable[[Job], Generator[Progress]]
"""Works on a job from report to report until its record is written."""


@register
class ReplayExecutor:
    """Answers trials from a stored study, or from a function.

    A trial of a study that has a learning curve reports at each epoch. Trials take turns, one report each: as with real
    workers one that starts later may end earlier, but always the same ones do.

    Attributes:
        workers: Trials that take turns.
        stored: The study that answers; None for a function.

    Example:
        >>> ReplayExecutor(source="quickstart").stored.name
        'quickstart'
    """

    name = "replay"
    isolates = False

    def __init__(
        self,
        *,
        source: str | os.PathLike[str] | RunDir | Answer | None = None,
        workers: int | None = None,
        timeout: float | None = None,
        run_trial: RunTrial | None = None,
    ) -> None:
        """Take the settings; a study is read when its trials are first asked for.

        Args:
            source: What answers: a run directory, the name of a shipped study (None for the default one), or a function
                from a trial to its result. One that raises makes the trial fail.
            workers: Trials that take turns; None for one after the other.
            timeout: Has no effect, for no answer takes long enough; checked as by every executor.
            run_trial: What is called for each job instead, in a thread of this process: it goes on from report to
                report, and can be ended only there.

        Raises:
            UnknownNameError: There is no such study.
            ValueError: `workers` is below 1, or `timeout` is not positive.
        """
        check_limits(workers, timeout, "one after the other")
        self.workers = workers or 1
        self.stored: StoredTrials | None = None
        if run_trial is not None:
            self._steps = _in_a_thread(run_trial)
        elif callable(source):
            self._steps = _from_function(source)
        else:
            self.stored = StoredTrials(source)
            self._steps = _from_study(self.stored)
        self._running: dict[str, _Running] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def settle(self, jobs: Sequence[Job]) -> None:
        """Leave it: the number of workers does not depend on the jobs."""

    def run(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Answer the jobs and yield events until the last one has ended.

        Args:
            jobs: Trials in the order in which they are to start, no trial twice.

        Raises:
            MissingTrialError: The study lacks one of them; none has started.
            RunDirError: A record in the run directory is damaged.
            StorageError: A trial cannot write its files.
        """
        if self.stored is not None:
            self.stored.check([job.trial for job in jobs])
        waiting = deque(jobs)
        try:
            while waiting or self._running:
                while waiting and len(self._running) < self.workers:
                    job = waiting.popleft()
                    self._running[job.trial.id] = _Running(job, self._steps(job))
                    yield Started(job.trial.id)
                for trial_id, one in list(self._running.items()):
                    event = one.turn()
                    if isinstance(event, Ended):
                        del self._running[trial_id]
                    yield event
        finally:
            self._leave()

    def stop(self, record: TrialRecord) -> None:
        """End a trial that runs, with this record unless it has written its own.

        Args:
            record: What is to be kept of it.
        """
        one = self._running.get(record.id)
        if one is not None:
            one.final = record
            one.steps.close()

    def _leave(self) -> None:
        for one in self._running.values():
            one.steps.close()
        self._running.clear()


@dataclasses.dataclass
class _Running:
    """A job that runs.

    Attributes:
        job: The job.
        steps: What works on it, from report to report, until its record is written.
        final: Its record, if it was asked to stop.
    """

    job: Job
    steps: Generator[Progress]
    final: TrialRecord | None = None

    def turn(self) -> Progressed | Ended:
        """Go on to the next report, or to the end.

        Raises:
            RunDirError: The job has left a damaged record.
            StorageError: It cannot write its files.
        """
        fault = "left no record"
        try:
            return Progressed(next(self.steps))
        except StopIteration:
            pass
        except StorageError:
            # not the trial's fault
            raise
        except Exception as error:
            fault = detail_of(error)
            directory = RunDir(self.job.directory).trial(self.job.trial.id)
            directory.mkdir(parents=True, exist_ok=True)
            with open(directory / "log.txt", "a") as log:
                traceback.print_exc(file=log)
        run, trial = RunDir(self.job.directory), self.job.trial
        record = run.record(trial.id)
        if record is None:
            record = self.final or TrialRecord(trial.id, trial, None, FailureReason.CRASHED, fault)
            run.write_record(record)
        return Ended(record)


def _from_study(stored: StoredTrials) -> _Steps:
    def answer(job: Job) -> Generator[Progress]:
        run, trial = RunDir(job.directory), job.trial
        if run.record(trial.id) is not None:
            return
        found = stored.find(trial)
        assert found is not None
        directory = run.trial(trial.id)
        directory.mkdir(parents=True, exist_ok=True)
        curve, epochs = stored.curve(found), trial.recipe["epochs"]
        speed = float(found.measured.get("images_per_second", 0.0))
        for place, row in enumerate(curve, start=1):
            # what was taken from a study can be taken again: nothing here need outlive a power failure
            write_curve(directory, curve[:place], durable=False)
            total = row.images * epochs // row.epoch
            yield Progress(trial.id, row.epoch, epochs, row.images, total, speed, row.train_loss)
        measured = {**found.measured, "replayed_from": stored.name}
        run.write_record(dataclasses.replace(found, id=trial.id, trial=trial, measured=measured), durable=False)

    return answer


def _from_function(function: Answer) -> _Steps:
    def answer(job: Job) -> Generator[Progress]:
        run, trial = RunDir(job.directory), job.trial
        if run.record(trial.id) is None:
            measured = {"replayed_from": function.__qualname__}
            run.write_record(TrialRecord(trial.id, trial, function(trial), measured=measured), durable=False)
        yield from ()

    return answer


class _Left(BaseException):
    """Raised inside a function that is to end; none catches it."""


def _in_a_thread(run_trial: RunTrial) -> _Steps:
    """Let a function run from one of its reports to the next; it is ended at a report, too."""

    def steps(job: Job) -> Generator[Progress]:
        turn = threading.Semaphore(0)
        said: queue.SimpleQueue[Progress | BaseException | None] = queue.SimpleQueue()
        is_leaving = False

        def report(progress: Progress) -> None:
            said.put(progress)
            turn.acquire()
            if is_leaving:
                raise _Left

        def work() -> None:
            try:
                run_trial(job, report)
            except BaseException as error:
                said.put(error)
            else:
                said.put(None)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            while (now := said.get()) is not None:
                if isinstance(now, Progress):
                    yield now
                elif isinstance(now, Exception):
                    raise now
                else:
                    # one that would end the program ends the trial
                    raise RuntimeError(f"{type(now).__name__}: {now}") from now
                turn.release()
        finally:
            is_leaving = True
            turn.release()
            thread.join()

    return steps
