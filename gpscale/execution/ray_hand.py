"""The driver's view of one worker of a Ray cluster."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpscale.execution.base import Job
from gpscale.execution.ray_places import Places
from gpscale.execution.ray_worker import files_of
from gpscale.run_dir import RunDir


@dataclasses.dataclass(eq=False)
class Hand:
    """The driver's view of a worker.

    Attributes:
        actor: Its handle.
        pending: What it was asked last, until it has answered.
        hidden: Directories of the driver that it does not see; None before it has looked.
        is_ready: It has all that a trial needs.
        job: The trial that it runs.
        gone: Files of that trial that it has removed; what is here of them stays until the trial has ended.
    """

    actor: Any
    pending: Any = None
    hidden: frozenset[Path] | None = None
    is_ready: bool = False
    job: Job | None = None
    gone: set[str] = dataclasses.field(default_factory=set)

    @property
    def has_come(self) -> bool:
        """The cluster had room for it."""
        return self.hidden is not None

    @property
    def is_idle(self) -> bool:
        """It waits for a trial."""
        return self.is_ready and self.job is None

    def look(self, places: Places) -> None:
        """Ask which places it sees."""
        self.hidden, self.is_ready = None, False
        self.pending = self.actor.look.remote([*places.runs, *places.images])

    def prepare(self, answer: frozenset[Path] | None, places: Places, source: Callable[[], Any]) -> None:
        """Go on after an answer to `look`, or to the request to get the images."""
        missing = []
        if answer is not None:
            self.hidden = answer
            missing = [place for place in places.images if place.path in answer]
        if missing:
            self.pending = self.actor.fetch.remote(missing, source())
        else:
            self.is_ready = True

    def start(self, job: Job) -> None:
        """Give it a trial, with the files that the trial has left in a run directory that it does not see."""
        assert self.hidden is not None
        self.job, self.gone = job, set()
        files = None
        if job.directory in self.hidden:
            files = {path.name: path.read_bytes() for path in files_of(RunDir(job.directory).trial(job.trial.id))}
        self.pending = self.actor.advance.remote(job, files)
