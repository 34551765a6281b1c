"""Executors for sweeps under fault: trials that count instead of training, and real ones.

A test holds them where it wants to strike, so that nothing depends on how busy the machine is.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpscale.execution import Job, LocalExecutor, worker
from gpscale.run_dir import RunDir
from gpscale.trial import Progress, Result, TrialRecord

STEPS = 10
STEP_SECONDS = 0.02
COUNT_FILE = "count.json"
"""A trial that counts keeps here where it stands, as one that trains does in its checkpoint."""

BALLAST = " " * 64 * 1024
"""What each count carries, so that a disk can be too full for it."""

HOLD_FILE = "hold"
"""Beside the sweep file: a number; trials wait until it is gone or larger. Those that count, once they have taken so
many steps together; those that train, at the end of an epoch, once so many have finished."""

SCARCE_FILE = "scarce"
"""Beside the sweep file: the trial that gets little memory."""


def count(job: Job, report: Callable[[Progress], None]) -> TrialRecord:
    """Count up from where the last process stood; the result depends on every step, and on nothing else."""
    run = RunDir(job.directory)
    trial_id, file = job.trial.id, run.trial(job.trial.id) / COUNT_FILE
    step, digest = stands_at(run, trial_id)
    while step < STEPS:
        time.sleep(STEP_SECONDS)
        _wait_while_held(run, steps_of)
        step, digest = step + 1, hashlib.sha256(f"{digest} {trial_id} {step}".encode()).hexdigest()
        _replace(file, json.dumps([step, digest]) + BALLAST)
        report(Progress(trial_id, 0, 1, step, STEPS, 50.0, 1.0))
    accuracy = int(digest[:8], 16) / 2**32
    result = Result(accuracy, 1.0, accuracy, 1.0, 1.0, 1.0, 1.0, 1, 1000, 100)
    record = TrialRecord(trial_id, job.trial, result, measured={"pid": os.getpid()})
    run.write_record(record)
    file.unlink()
    return record


def beside_sweep_file(run: RunDir, name: str) -> Path:
    """Return a file that is not in the run directory, which may be damaged, full or read-only."""
    return run.path.parents[1] / name


def _wait_while_held(run: RunDir, reached: Callable[[RunDir], int]) -> None:
    with contextlib.suppress(FileNotFoundError):
        while reached(run) >= int(beside_sweep_file(run, HOLD_FILE).read_text()):
            time.sleep(STEP_SECONDS)


def steps_of(run: RunDir) -> int:
    """Return how many steps all trials have taken together."""
    trials = [directory.name for directory in run.path.glob("trials/*")]
    return sum(STEPS if run.record_file(one).exists() else stands_at(run, one)[0] for one in trials)


def stands_at(run: RunDir, trial_id: str) -> tuple[int, str]:
    """Return how far a trial has counted, and the digest of its steps."""
    try:
        step, digest = json.loads((run.trial(trial_id) / COUNT_FILE).read_text())
    except FileNotFoundError:
        return 0, ""
    return step, digest


def _replace(file: Path, content: str) -> None:
    # not synced: a process that is killed loses nothing that it has handed to the system, and a test has no time
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    temporary.write_text(content)
    temporary.replace(file)


def train(job: Job, report: Callable[[Progress], None]) -> TrialRecord:
    """Train for real; the one trial that is named beside the sweep file gets only little more memory than it has."""
    run = RunDir(job.directory)
    scarce = beside_sweep_file(run, SCARCE_FILE)
    if scarce.exists() and scarce.read_text() == job.trial.id:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + 30 * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    def report_and_wait(progress: Progress) -> None:
        report(progress)
        if progress.epoch and progress.images < progress.images_total:
            _wait_while_held(run, lambda run: len(list(run.path.glob("trials/*/record.json"))))

    return worker.run_trial(job, report_and_wait)


class CountingExecutor(LocalExecutor):
    """The local executor with trials that count."""

    name = "counting"

    def __init__(self, **settings: Any) -> None:
        super().__init__(run_trial=count, preload=[__name__], **settings)


class TrainingExecutor(LocalExecutor):
    """The local executor with real trials that can be held or starved."""

    name = "training"

    def __init__(self, **settings: Any) -> None:
        super().__init__(run_trial=train, **settings)
