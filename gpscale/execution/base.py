"""What an executor is, and how to add one.

An executor runs trials and yields events about them. To add one:

1. write `execution/<name>.py` with a class that has every member of `Executor`; its constructor takes keywords only,
   `workers`, `timeout` (seconds, or None) and `run_trial` among them, each with a default;
2. decorate the class with `@register` and import the module in `execution/__init__.py`; whatever it needs beyond the
   standard library and numpy is imported inside its methods.

The contract tests then run over it. What they hold:

- every job ends with exactly one `Ended`, whose record lies in the run directory by then; a `Started` of the same trial
  comes before it, any number of `Progressed` between them;
- jobs start in the order in which they are given; a result depends neither on that order nor on the number of workers;
- a trial that fails costs only itself: it ends with a record that says why;
- a trial that cannot write its files ends the run with a `StorageError`; it and those that are cut off get no record;
- a trial that is asked to stop ends with the record that it is given, or with its own if it has written that by then;
- closing the generator early, or an exception thrown into it, ends all its trials; the trials it cuts off get no
  record, so that they go on from their checkpoint in the next run;
- a job whose trial already has a record ends with that record.

Of one that `isolates` its trials, moreover:

- a trial that crashes or is killed costs only itself, too;
- a trial that takes longer than `timeout` from its start is killed, and its record says so; its checkpoint stays;
- no process of a trial outlives the loop over the events.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar

from gpscale.errors import UnknownNameError
from gpscale.execution.stored import StoredTrials
from gpscale.trial import Progress, Trial, TrialRecord


@dataclasses.dataclass(frozen=True)
class Job:
    """A trial to run, and where.

    Attributes:
        trial: The trial.
        directory: The run directory; the trial's own directory is inside it.
        images: Directory of the decoded images, which several run directories may share.

    Example:
        >>> from gpscale.run_dir import find_study
        >>> record = next(find_study("quickstart").records())
        >>> Job(record.trial, Path("runs/x"), images=Path("runs/x/images")).trial.num_classes
        10
    """

    trial: Trial
    directory: Path
    images: Path


@dataclasses.dataclass(frozen=True)
class Started:
    """A worker has taken the trial.

    Example:
        >>> Started("0123456789abcdef").trial_id
        '0123456789abcdef'
    """

    trial_id: str


@dataclasses.dataclass(frozen=True)
class Progressed:
    """A running trial has reported.

    Example:
        >>> now = Progress("0123456789abcdef", 1, 8, 1154, 9232, images_per_second=300.0, loss=1.9)
        >>> Progressed(now).progress.epoch
        1
    """

    progress: Progress


@dataclasses.dataclass(frozen=True)
class Ended:
    """A trial has ended, and its record is on disk.

    Example:
        >>> from gpscale.run_dir import find_study
        >>> print(Ended(next(find_study("quickstart").records())).record.state)
        finished
    """

    record: TrialRecord


Event = Started | Progressed | Ended

RunTrial = Callable[[Job, Callable[[Progress], None]], TrialRecord]
"""Runs one job in the present process, reports on it, and writes its record."""


class Executor(Protocol):
    """Runs trials; a context manager that frees its processes.

    Example:
        >>> executor: Executor = get("local")(workers=2)
        >>> with executor:
        ...     print(executor.name, executor.workers, list(executor.run([])))
        local 2 []
    """

    name: str

    isolates: bool
    """Whether each trial has a process of its own, which may crash or hang and can be killed."""

    @property
    def stored(self) -> StoredTrials | None:
        """The study that answers its trials; None where the trials need images of their own."""
        ...

    @property
    def workers(self) -> int:
        """Trials that run at the same time; at most so many, until `settle` has been called."""
        ...

    def settle(self, jobs: Sequence[Job]) -> None:
        """Find out how many trials to run at the same time, where that depends on them; before `run`, if at all.

        Args:
            jobs: What will run.
        """
        ...

    def run(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Run the jobs and yield events until the last one has ended.

        Args:
            jobs: Trials in the order in which they are to start, no trial twice.
        """
        ...

    def stop(self, record: TrialRecord) -> None:
        """End a trial, between two events; nothing happens if it does not run.

        Args:
            record: The record that it ends with, unless it has written its own by then.
        """
        ...

    def __enter__(self) -> Self:
        """Return the executor."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what still runs."""
        ...


def check_limits(workers: int | None, timeout: float | None, default: str) -> None:
    """Check what every executor is told.

    Args:
        workers: Trials that run at the same time; None for the default.
        timeout: Seconds that a trial may take; None for any number.
        default: How many workers there are by default, as the end of a sentence.

    Raises:
        ValueError: `workers` is below 1, or `timeout` is not positive.
    """
    if timeout is not None and not timeout > 0:
        raise ValueError(f"timeout must be positive. Got {timeout:g} s. Leave it out for no limit.")
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1. Got {workers}. Leave it out for {default}.")


def detail_of(error: Exception) -> str:
    """Return an error in one line, as a record says it."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


_EXECUTORS: dict[str, Callable[..., Executor]] = {}


_E = TypeVar("_E", bound=Executor)


def register(executor: type[_E]) -> type[_E]:
    """Add an executor class to the registry (decorator)."""
    _EXECUTORS[executor.name] = executor
    return executor


def get(name: str) -> Callable[..., Executor]:
    """Return the executor class of that name.

    Raises:
        UnknownNameError: There is none.

    Example:
        >>> get("local")(workers=2).workers
        2
    """
    if name not in _EXECUTORS:
        raise UnknownNameError.of("executor", name, _EXECUTORS)
    return _EXECUTORS[name]


def names() -> list[str]:
    """Return the names of all executors.

    Example:
        >>> "local" in names()
        True
    """
    return sorted(_EXECUTORS)
