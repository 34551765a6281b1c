"""Run directories with finished trials whose accuracies follow a known law; nothing is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gpscale import families
from gpscale.factors import FACTOR_NAMES, Factors
from gpscale.run_dir import RunDir
from gpscale.stored import write_atomically, write_json
from gpscale.sweep import SweepConfig, plan_trials
from gpscale.trial import FailureReason, Result, Trial, TrialRecord

BASE = "mobilevitv2_050@64"
CLASSES = 10
SLOPES = {"resolution": 0.3, "ir_depth": 0.1, "vit_depth": 0.2, "width": 0.3}
"""The rule that the law rewards: factor = c ** slope."""

Law = Callable[[float, Factors], float]


def best_on_the_rule(c: float, factors: Factors) -> float:
    """Grow with log c, and fall off with the distance from c ** slope."""
    distance = sum((np.log(value) - SLOPES[name] * np.log(c)) ** 2 for name, value in factors.to_dict().items())
    return float(np.clip(0.75 + 0.1 * np.log(c) - 0.15 * distance, 0.0, 1.0))


def write_run(
    path: Path,
    *,
    law: Law = best_on_the_rule,
    finished: int | None = None,
    failed: Iterable[int] = (),
    fingerprint: str = "synthetic",
    **settings: Any,
) -> RunDir:
    """Write a run directory as a sweep leaves it before it is fitted.

    Args:
        path: Where.
        law: Top-1 of a trial, from c and its realised factors.
        finished: How many of the planned trials have ended; None for all.
        failed: Places in the plan of those that have failed.
        fingerprint: Of the images that the trials are said to have seen.
        settings: Of the sweep, on top of a small base and few bootstraps.
    """
    config = SweepConfig.from_values(
        {"base": BASE, "trials": 40, **settings, "fit": {"bootstrap": 5, **settings.get("fit", {})}}
    )
    run = RunDir(path)
    write_atomically(run.sweep_file, config.to_yaml())
    classes = [str(label) for label in range(CLASSES)]
    images = {"classes": classes, "fingerprint": fingerprint, "train_images": 1000, "validation_images": 200}
    write_json(run.provenance_file, {"data": images})
    failures = set(failed)
    for place, trial in enumerate(plan_trials(config, CLASSES, fingerprint)[:finished]):
        run.write_record(_failed(trial) if place in failures else _finished(trial, config, law))
    return run


def snapshot(directory: Path) -> Mapping[str, bytes]:
    """Return every file below a directory with its content, locks left out; empty where there is none."""
    files = sorted(path for path in directory.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def _finished(trial: Trial, config: SweepConfig, law: Law) -> TrialRecord:
    base = families.parse_base(config.base)
    family = families.get(trial.family)
    row = family.row(family.architecture_from_dict(trial.architecture))[None]
    own = family.row(base.architecture)[None]
    macs, params = (int(count[0]) for count in family.count(row, trial.num_classes))
    base_macs = int(family.count(own, trial.num_classes)[0][0])
    factors = Factors(**dict(zip(FACTOR_NAMES, family.realised(base, row)[0].tolist(), strict=True)))
    top1 = law(macs / base_macs, factors)
    result = Result(
        top1=top1,
        top5=(1 + top1) / 2,
        top1_raw=top1,
        top5_raw=(1 + top1) / 2,
        validation_loss=1.5,
        validation_loss_raw=1.5,
        train_loss=1.5,
        epochs=int(config.recipe.epochs),
        macs=macs,
        params=params,
    )
    measured = {"train_seconds": 10.0, "evaluate_seconds": 1.0, "images_per_second": 100.0}
    return TrialRecord(trial.id, trial, result, measured=measured)


def _failed(trial: Trial) -> TrialRecord:
    return TrialRecord(trial.id, trial, None, FailureReason.DIVERGED, "TrainingError: the loss is nan")
