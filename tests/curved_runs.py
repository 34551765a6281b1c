"""Run directories with finished trials and whole learning curves that are made up; nothing is trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gpscale.run_dir import RunDir
from gpscale.sweep import SweepConfig, plan_trials
from gpscale.training.curve import CurveRow, write_curve
from gpscale.trial import Trial
from tests.synthetic_runs import CLASSES, write_run

EPOCHS = 6
TRIALS = 24

Gain = Callable[[int], float]
"""What a trial gains from its first epoch to its last, by its place in the plan."""


def write_curved_run(
    path: Path, *, gain: Gain = lambda place: 0.2 + 0.01 * (place % 3), trials: int = TRIALS, **options: Any
) -> RunDir:
    """Write a run directory as `write_run` does, and for each finished trial a curve that rises to its top-1."""
    run = write_run(path, trials=trials, recipe={"epochs": EPOCHS}, **options)
    for place, trial in enumerate(planned(run)):
        record = run.record(trial.id)
        if record is not None and record.result is not None:
            write_curve(run.trial(trial.id), rows(record.result.top1, gain(place)))
    return run


def planned(run: RunDir) -> list[Trial]:
    """Return the trials of its plan, in order."""
    return plan_trials(SweepConfig.load(run.sweep_file), CLASSES, "synthetic")


def rows(final: float, gain: float, epochs: int = EPOCHS) -> list[CurveRow]:
    """Return a curve that rises, ever more slowly, by `gain` from its first epoch to its end at `final`."""
    left = np.linspace(1, 0, EPOCHS)[:epochs] ** 2
    return [
        CurveRow(epoch, 1000 * epoch, 1.5, 1.5, float(top1), 1.0, 1.5, float(top1), 1.0)
        for epoch, top1 in enumerate(np.maximum(0.0, final - gain * left), start=1)
    ]
