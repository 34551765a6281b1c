"""One trial from its identity to its record, in the present process."""

from __future__ import annotations

import contextlib
import datetime
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gpscale import families
from gpscale.errors import DataError, StorageError, TrainingError
from gpscale.execution.base import Job, detail_of
from gpscale.execution.machine import cpu_model, training_device
from gpscale.run_dir import RunDir
from gpscale.trial import FailureReason, Progress, Result, Trial, TrialRecord

if TYPE_CHECKING:
    from torch import nn

    from gpscale.training.data.store import ImageStore
    from gpscale.training.loop import Training
    from gpscale.training.recipe import Recipe
    from gpscale.training.trainer import Outcome

PRELOAD = (
    "torch",
    "timm",
    "gpscale.families",
    "gpscale.training.data.store",
    "gpscale.training.trainer",
    "gpscale.execution.worker",
)
"""Modules that a trial needs; importing them starts no thread, so that a process may be forked afterwards."""


OUT_OF_MEMORY_WORDS = (
    "allocate memory",
    "not enough memory",
    "bad_alloc",
    "could not create a primitive",
    "could not execute a primitive",
)
"""In the messages of torch's allocator for the CPU, of the operating system, of C++ and of oneDNN."""


def run_trial(job: Job, report: Callable[[Progress], None]) -> TrialRecord:
    """Train a trial and write its record; a trial that has one already is left as it is.

    The record is written here and not by the driver, so that a driver that dies loses no finished trial. What goes
    wrong in the trial becomes a record with a reason; its traceback goes to the standard error.

    Args:
        job: The trial, its run directory and its images.
        report: Called now and then while the training runs.

    Returns:
        The record, as it lies on disk.

    Raises:
        RunDirError: The record that is there is damaged.
        StorageError: The trial's directory cannot be written; the trial has no record then.
    """
    from gpscale.training.checkpoint import remove_checkpoint

    run = RunDir(job.directory)
    trial_id = job.trial.id
    record = run.record(trial_id)
    if record is None:
        started = _now()
        result, failure, detail = None, None, ""
        measured: Mapping[str, Any] = {}
        try:
            result, measured = _train(job, report)
        except StorageError:
            # not the trial's fault: it goes on from its checkpoint when there is room
            raise
        except Exception as error:
            failure, detail = _reason(error), detail_of(error)
            # its frames may hold all the memory that there is
            with contextlib.suppress(MemoryError):
                traceback.print_exc()
        record = TrialRecord(
            id=trial_id,
            trial=job.trial,
            result=result,
            failure=failure,
            detail=detail,
            measured={"started": started, "ended": _now(), "cpu": cpu_model(), **measured},
        )
        run.write_record(record)
    # one that crashed or ran out of memory may be retried: it goes on from there
    if record.failure in (None, FailureReason.DIVERGED):
        remove_checkpoint(run.trial(trial_id))
    return record


def _train(job: Job, report: Callable[[Progress], None]) -> tuple[Result, Mapping[str, Any]]:
    import torch

    torch.set_num_threads(1)
    result, outcome = train_trial(job, report, training_device())
    return result, outcome.measured


def train_trial(job: Job, report: Callable[[Progress], None], device: str) -> tuple[Result, Outcome]:
    """Train a trial, from its checkpoint if there is one; no record is written.

    Args:
        job: The trial, its run directory and its images.
        report: Called now and then while the training runs.
        device: torch's name of the device to train on.

    Returns:
        What the trial gives, and what its training does.

    Raises:
        DataError: The images are not those of the trial.
        TrainingError: The loss is no longer finite.
    """
    import dataclasses

    from gpscale.training.trainer import train

    trial = job.trial
    model, recipe, store, pixels = _ingredients(job)
    outcome = train(
        model,
        recipe,
        store,
        trial_id=trial.id,
        pixels=pixels,
        seed=trial.seed,
        directory=RunDir(job.directory).trial(trial.id),
        report=report,
        device=device,
    )
    macs, params = count_trial(trial)
    return Result(**dataclasses.asdict(outcome.result), macs=macs, params=params), outcome


def new_training(job: Job) -> Training:
    """Return the training of a trial at its first step, on the device that trials train on.

    Raises:
        DataError: The images are not those of the trial.
    """
    import torch

    from gpscale.training.loop import Training

    return Training(*_ingredients(job), job.trial.seed, torch.device(training_device()))


def count_trial(trial: Trial) -> tuple[int, int]:
    """Return multiply-accumulates of an image, and parameters, of a trial's architecture."""
    family = families.get(trial.family)
    row = family.row(family.architecture_from_dict(trial.architecture))
    macs, params = family.count(row[None], trial.num_classes)
    return int(macs[0]), int(params[0])


def _ingredients(job: Job) -> tuple[nn.Module, Recipe, ImageStore, int]:
    """Return what a trial is trained from: model, recipe, images, and their side as the model sees them."""
    from gpscale.training.data.store import ImageStore
    from gpscale.training.recipe import Recipe
    from gpscale.training.trainer import initialised

    trial = job.trial
    store = ImageStore.open(job.images)
    if store.fingerprint != trial.data:
        raise DataError(
            f"The images must be those of the trial ({trial.data}). Got {store.fingerprint}. "
            "Run the sweep again from its sweep file, so that they are decoded anew."
        )
    family = families.get(trial.family)
    architecture = family.architecture_from_dict(trial.architecture)
    model = initialised(lambda: family.build(architecture, trial.num_classes), trial.seed)
    return model, Recipe.model_validate(trial.recipe), store, architecture.pixels


def _reason(error: Exception) -> FailureReason:
    if isinstance(error, TrainingError):
        return FailureReason.DIVERGED
    return FailureReason.OUT_OF_MEMORY if is_out_of_memory(error) else FailureReason.CRASHED


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether memory was used up, as far as an error's class and words say it."""
    # torch has a class for a full graphics card only; on a CPU it raises a plain RuntimeError
    names = {kind.__name__ for kind in type(error).__mro__}
    said = any(words in str(error) for words in OUT_OF_MEMORY_WORDS)
    return said or bool(names & {"MemoryError", "OutOfMemoryError"})


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
