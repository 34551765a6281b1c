"""Train one model with one recipe and one seed; it can be killed at any moment and taken up again.

Data order and augmentation are functions of (seed, epoch, step), and a checkpoint holds all that a step changes, so an
interrupted training ends with the result of an undisturbed one, bit for bit on one thread of a CPU.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gpscale.training.checkpoint import load_checkpoint, save_checkpoint
from gpscale.training.curve import CurveRow, write_curve
from gpscale.training.data.store import ImageStore
from gpscale.training.evaluate import Scores
from gpscale.training.loop import Training
from gpscale.training.recipe import Recipe
from gpscale.training.test_hits import write_test_hits
from gpscale.trial import Progress, TrainingResult


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A finished training.

    Attributes:
        result: Equal bit for bit when repeated on the same build, device, precision and micro-batch.
        measured: Times, memory, versions, and the micro-batch, which follows from the room on the graphics card: what
            may differ between repetitions; JSON values.
        model: What the result is of, on the training's device.
    """

    result: TrainingResult
    measured: dict[str, Any]
    model: nn.Module


def initialised(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Build a model whose weights depend on `seed` alone; the global generator is left as it was.

    Args:
        build: Makes the model, on the CPU.
        seed: Decides the weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def train(
    model: nn.Module,
    recipe: Recipe,
    store: ImageStore,
    *,
    trial_id: str,
    pixels: int,
    seed: int,
    directory: Path,
    report: Callable[[Progress], None],
    device: str | torch.device = "cpu",
    checkpoint_seconds: float = 60.0,
    report_seconds: float = 0.5,
) -> Outcome:
    """Train a model, from its checkpoint in `directory` if there is one.

    Writes `curve.csv` and `checkpoint.pt` into `directory`; the caller removes the checkpoint when it has kept the
    result. Where the store has test images, the final model is scored on them, once, when all epochs are over; which
    of them it gets right is written into `test_hits.txt`.

    Args:
        model: Initialised; trained in place.
        recipe: How to train.
        store: The images.
        trial_id: The trial that the checkpoint belongs to.
        pixels: Side of the images that the model sees.
        seed: Decides data order and augmentation.
        directory: The trial's directory; made if absent.
        report: Called about every `report_seconds`; an exception from it ends the training.
        device: Where to train.
        checkpoint_seconds: Time between checkpoints; there is one at the end of each epoch, too, and one before its
            validation unless the last is younger than half that time.
        report_seconds: Time between reports.

    Raises:
        TrainingError: The loss is no longer finite.
        RunDirError: The checkpoint in `directory` is another trial's.
    """
    directory.mkdir(parents=True, exist_ok=True)
    training = Training(model, recipe, store, pixels, seed, torch.device(device))
    saved = load_checkpoint(directory, trial_id, training.device)
    if saved is not None:
        training.restore(*saved)
        write_curve(directory, training.position.curve)
    reporter = _Reporter(training, trial_id, report)
    last_save = last_report = time.monotonic()
    # the global generator, from which dropout draws, belongs to the caller
    with torch.random.fork_rng(devices=[training.device] if training.device.type == "cuda" else []):
        while training.position.epoch < recipe.epochs:
            for _ in training.steps():
                now = time.monotonic()
                if now - last_save >= checkpoint_seconds:
                    _save(training, trial_id, directory)
                    last_save = time.monotonic()
                if now - last_report >= report_seconds:
                    reporter.tell()
                    last_report = now
            # a validation takes its time, too, in which nothing is saved
            if time.monotonic() - last_save >= checkpoint_seconds / 2:
                _save(training, trial_id, directory)
            training.finish_epoch()
            write_curve(directory, training.position.curve)
            _save(training, trial_id, directory)
            last_save = time.monotonic()
            reporter.tell()
        scores = training.test()
        if scores is not None:
            write_test_hits(directory, scores.hits, scores.top5_hits)
    return Outcome(_result(training.position.curve[-1], scores), training.measured(), training.final_model)


class _Reporter:
    def __init__(self, training: Training, trial_id: str, report: Callable[[Progress], None]) -> None:
        self._training, self._trial_id, self._report = training, trial_id, report
        self._images, self._seconds = training.images_seen, training.position.train_seconds
        self._speed = 0.0

    def tell(self) -> None:
        training = self._training
        training.glimpse_loss()
        images, seconds = training.images_seen, training.position.train_seconds
        # the report at the end of an epoch may follow another one with no step between them
        if images > self._images and seconds > self._seconds:
            self._speed = (images - self._images) / (seconds - self._seconds)
        self._images, self._seconds = images, seconds
        self._report(
            Progress(
                trial_id=self._trial_id,
                epoch=training.position.epoch,
                epochs=training.recipe.epochs,
                images=images,
                images_total=training.total_steps * training.batch_size,
                images_per_second=self._speed,
                loss=training.loss,
            )
        )


def _save(training: Training, trial_id: str, directory: Path) -> None:
    # a state with a loss that is not finite is not worth keeping
    training.read_losses()
    save_checkpoint(directory, trial_id, training.position, training.states())


def _result(row: CurveRow, test: Scores | None) -> TrainingResult:
    return TrainingResult(
        top1=row.ema_top1,
        top5=row.ema_top5,
        top1_raw=row.top1,
        top5_raw=row.top5,
        validation_loss=row.ema_validation_loss,
        validation_loss_raw=row.validation_loss,
        train_loss=row.train_loss,
        epochs=row.epoch,
        test_top1=test.top1 if test else None,
        test_top5=test.top5 if test else None,
        test_loss=test.loss if test else None,
    )
