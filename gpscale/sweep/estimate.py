"""About how long a sweep will take on this machine, from a short calibration."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpscale import families
from gpscale.errors import DataError
from gpscale.execution.machine import training_device
from gpscale.families import Architecture
from gpscale.run_dir import RunDir
from gpscale.sweep.config import SweepConfig
from gpscale.sweep.driver import check
from gpscale.sweep.plan import classes_of_absent, is_to_fetch, plan_architectures
from gpscale.threads import torch_threads
from gpscale.training.data.sources import open_source
from gpscale.training.data.split import split_labels
from gpscale.training.recipe import Recipe

_STEPS = 3


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What a sweep will do and about how long it takes.

    Attributes:
        trials, done, pending: Planned, ended before, still to train.
        macs_low, macs_high: Smallest and largest multiply-accumulates of the plan.
        present: Whether the images are there; else the sweep will fetch them, and only what the sweep file says of
            their number is known.
        train_images, validation_images: Of the split, or the most that it may have; None where that is not known.
        images: Training images over all epochs of the pending trials; None where it is not known.
        workers: Trials at a time.
        seconds: Estimated wall time, that of evaluations left out where `validation_images` is None; None where
            `train_images` is.
        device: What the models were timed on.
        calibration: For each timed model its MACs, training seconds and evaluation seconds per image, one thread.
    """

    trials: int
    done: int
    pending: int
    macs_low: int
    macs_high: int
    present: bool
    train_images: int | None
    validation_images: int | None
    images: int | None
    workers: int
    seconds: float | None
    device: str
    calibration: Sequence[tuple[int, float, float]]

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate as JSON values."""
        return {**dataclasses.asdict(self), "calibration": [list(row) for row in self.calibration]}


@dataclasses.dataclass(frozen=True)
class _Images:
    """What is known of a sweep's images; the numbers as in `Estimate`."""

    present: bool
    num_classes: int
    train: int | None
    validation: int | None


def estimate(
    config: SweepConfig, run: RunDir, workers: int, on_timing: Callable[[int], None] = lambda models: None
) -> Estimate:
    """Time a few steps of three of the sweep's models and carry that over to all pending ones.

    Seconds per image are taken as linear in MACs between the smallest, the middle and the largest model. Nothing is
    written: images that the sweep would fetch are not fetched.

    Args:
        config: The sweep.
        run: Its run directory; what is done there need not be trained.
        workers: Trials at a time.
        on_timing: Called with the number of models before they are timed.

    Raises:
        GpscaleError: Bad input, as in `run_sweep`.
        DataError: The images are not there yet, and the sweep file does not say how many classes they have.
    """
    found = _images(config, run)
    num_classes = found.num_classes
    architectures = plan_architectures(config, num_classes)
    family = families.get(families.parse_base(config.base).family)
    macs = family.count(np.stack([family.row(architecture) for architecture in architectures]), num_classes)[0]
    done = {str(record.trial.architecture) for record in run.records()}
    pending = np.array([str(architecture.to_dict()) not in done for architecture in architectures])
    order = np.argsort(macs, kind="stable")
    picked = sorted({int(order[0]), int(order[len(order) // 2]), int(order[-1])}, key=lambda index: int(macs[index]))
    on_timing(len(picked))
    device = training_device()
    timed = [
        (int(macs[index]), *_time(family, architectures[index], num_classes, config.recipe, device)) for index in picked
    ]
    per_image = np.array(timed, dtype=np.float64)
    # raw and averaged weights are both evaluated
    evaluations = (found.validation or 0) * (2 if config.recipe.ema else 1)
    seconds = config.recipe.epochs * (
        (found.train or 0) * _interpolate(macs, per_image[:, 0], per_image[:, 1])
        + evaluations * _interpolate(macs, per_image[:, 0], per_image[:, 2])
    )
    longest = float(seconds[pending].max()) if pending.any() else 0.0
    return Estimate(
        trials=len(architectures),
        done=int((~pending).sum()),
        pending=int(pending.sum()),
        macs_low=int(macs.min()),
        macs_high=int(macs.max()),
        present=found.present,
        train_images=found.train,
        validation_images=found.validation,
        images=None if found.train is None else int(pending.sum()) * config.recipe.epochs * found.train,
        workers=workers,
        seconds=None if found.train is None else max(longest, float(seconds[pending].sum()) / workers),
        device=device,
        calibration=timed,
    )


def _images(config: SweepConfig, run: RunDir) -> _Images:
    """Check the sweep as `check` does, and count its images; what it would fetch is not fetched."""
    data = config.data.model_copy(update={"download": False})
    try:
        num_classes = check(config.model_copy(update={"data": data}), run)
    except DataError:
        if not is_to_fetch(config.data):
            raise
        return _Images(False, classes_of_absent(config), data.train_images, data.validation_images)
    source = open_source(data.request())
    train, validation = split_labels(source.labels, source.class_names, data)
    return _Images(True, num_classes, len(train), len(validation))


def _interpolate(macs: NDArray[np.int64], at: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.interp(macs.astype(np.float64), at, values)


def _time(
    family: families.Family, architecture: Architecture, num_classes: int, recipe: Recipe, device: str
) -> tuple[float, float]:
    """Return seconds per image of a training step and of an evaluation, one thread, median of a few."""
    import torch

    from gpscale.training.evaluate import autocast

    def now() -> float:
        # a graphics card works on after it has been told what to do
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    # the global generators belong to the caller
    with (
        torch.random.fork_rng(devices=[torch.cuda.current_device()] if device == "cuda" else []),
        torch_threads(1),
    ):
        model = family.build(architecture, num_classes).to(device).to(memory_format=torch.channels_last)
        images = torch.randn(recipe.batch_size, 3, architecture.pixels, architecture.pixels)
        images = images.to(device, memory_format=torch.channels_last)
        labels = torch.arange(recipe.batch_size, device=device) % num_classes
        optimizer = torch.optim.AdamW(model.parameters(), fused=True)
        steps, evaluations = [], []
        for _ in range(_STEPS + 1):
            begin = now()
            with autocast(recipe.precision, torch.device(device)):
                logits = model.train()(images)
            torch.nn.functional.cross_entropy(logits.float(), labels).backward()
            optimizer.step()
            optimizer.zero_grad()
            middle = now()
            with torch.inference_mode(), autocast(recipe.precision, torch.device(device)):
                model.eval()(images)
            steps.append(middle - begin)
            evaluations.append(now() - middle)
    # the first step pays for the allocator and the kernels' choice
    return statistics.median(steps[1:]) / recipe.batch_size, statistics.median(evaluations[1:]) / recipe.batch_size
