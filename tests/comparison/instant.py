"""Studies of trials on real images, and an executor that ends a training at once with an accuracy that a test sets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from gpscale import families
from gpscale.execution import Ended, Event, Job, Started
from gpscale.run_dir import RunDir
from gpscale.sweep import SweepConfig
from gpscale.sweep.driver import open_images
from gpscale.training.test_hits import write_test_hits
from gpscale.trial import FailureReason, Result, TrialRecord
from tests.synthetic_runs import CLASSES, Law, write_run

SETTINGS: dict[str, Any] = {
    "base": "mobilevitv2_050@32",
    "trials": 12,
    "data": {"train_images": 100, "validation_images": 100},
    "recipe": {"epochs": 2, "batch_size": 25},
}

TEST_IMAGES = 355
"""Of the digits."""

LongLaw = Callable[[float], float | None]
"""Top-1 of a long training from the MACs in millions; None where it fails."""


def write_study(path: Path, law: Law = lambda c, factors: 0.3 + 0.1 * c, **settings: Any) -> RunDir:
    """Write the finished trials of a sweep on digits, whose accuracies follow a law of c; no image is decoded yet."""
    values = {**SETTINGS, **settings}
    return write_run(path, law=law, fingerprint=fingerprint(path.parent / "images", values), **values)


def fingerprint(path: Path, settings: dict[str, Any]) -> str:
    config = SweepConfig.from_values({key: value for key, value in settings.items() if key != "finished"})
    return open_images(config, RunDir(path), CLASSES).fingerprint


class Instant:
    """An executor without processes; it raises in the place of a trial where a kill is to be played."""

    name = "instant"
    workers = 1

    def __init__(self, law: LongLaw = lambda macs: 0.3 + macs / 100, dies_after: int | None = None) -> None:
        self.law, self.dies_after = law, dies_after
        self.jobs: list[Job] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def settle(self, jobs: Sequence[Job]) -> None:
        pass

    def run(self, jobs: Sequence[Job]) -> Iterator[Event]:
        for place, job in enumerate(jobs):
            if place == self.dies_after:
                raise KeyboardInterrupt
            self.jobs.append(job)
            yield Started(job.trial.id)
            record = self._record(job)
            RunDir(job.directory).write_record(record)
            yield Ended(record)

    def _record(self, job: Job) -> TrialRecord:
        trial = job.trial
        family = families.get(trial.family)
        row = family.row(family.architecture_from_dict(trial.architecture))[None]
        macs, params = (int(count[0]) for count in family.count(row, trial.num_classes))
        top1 = self.law(macs / 1e6)
        if top1 is None:
            return TrialRecord(trial.id, trial, None, FailureReason.OUT_OF_MEMORY, "no memory")
        result = Result(top1, 1.0, top1, 1.0, 1.0, 1.0, 1.0, trial.recipe["epochs"], macs, params)
        return TrialRecord(trial.id, trial, result, measured={"train_seconds": 40.0, "evaluate_seconds": 4.0})


class Scored(Instant):
    """Ends a training at once; the wider the images, the more of the test images are right."""

    def _record(self, job: Job) -> TrialRecord:
        record = super()._record(job)
        if record.result is None:
            return record
        trial = record.trial
        share = 0.3 + trial.architecture["pixels"] / 200
        generator = np.random.default_rng([trial.seed, trial.architecture["pixels"]])
        hits = np.arange(TEST_IMAGES) < share * TEST_IMAGES + generator.normal(0, 3)
        directory = RunDir(job.directory).trial(trial.id)
        directory.mkdir(parents=True, exist_ok=True)
        top5 = hits | (generator.random(TEST_IMAGES) < 0.5)
        write_test_hits(directory, hits, top5)
        tested = {"test_top1": float(hits.mean()), "test_top5": float(top5.mean()), "test_loss": 1.0}
        return dataclasses.replace(record, result=dataclasses.replace(record.result, **tested))
