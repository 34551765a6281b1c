"""About how long a sweep will take on this machine, from a short calibration."""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpscale import families
from gpscale.families import Architecture
from gpscale.run_dir import RunDir
from gpscale.sweep.config import SweepConfig
from gpscale.sweep.driver import check
from gpscale.sweep.plan import plan_architectures
from gpscale.training.data.sources import open_source
from gpscale.training.data.split import split_by_class
from gpscale.training.recipe import Recipe

_STEPS = 3


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What a sweep will do and about how long it takes.

    Attributes:
        trials, done, pending: Planned, ended before, still to train.
        macs_low, macs_high: Smallest and largest multiply-accumulates of the plan.
        train_images, validation_images: Of the split.
        images: Training images over all epochs of the pending trials.
        workers: Trials at a time.
        seconds: Estimated wall time.
        calibration: For each timed model its MACs, training seconds and evaluation seconds per image, one thread.
    """

    trials: int
    done: int
    pending: int
    macs_low: int
    macs_high: int
    train_images: int
    validation_images: int
    images: int
    workers: int
    seconds: float
    calibration: Sequence[tuple[int, float, float]]

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate as JSON values."""
        return {**dataclasses.asdict(self), "calibration": [list(row) for row in self.calibration]}


def estimate(config: SweepConfig, run: RunDir, workers: int) -> Estimate:
    """Time a few steps of three of the sweep's models and carry that over to all pending ones; writes nothing.

    Seconds per image are taken as linear in MACs between the smallest, the middle and the largest model.

    Args:
        config: The sweep.
        run: Its run directory; what is done there need not be trained.
        workers: Trials at a time.

    Raises:
        GpscaleError: Bad input, as in `run_sweep`.
    """
    num_classes = check(config, run)
    source = open_source(config.data.request())
    train, validation = split_by_class(
        source.labels,
        source.class_names,
        validation=config.data.validation,
        seed=config.data.split_seed,
        train_images=config.data.train_images,
        validation_images=config.data.validation_images,
    )
    architectures = plan_architectures(config, num_classes)
    family = families.get(families.parse_base(config.base).family)
    macs = family.count(np.stack([family.row(architecture) for architecture in architectures]), num_classes)[0]
    done = {str(record.trial.architecture) for record in run.records()}
    pending = np.array([str(architecture.to_dict()) not in done for architecture in architectures])
    order = np.argsort(macs, kind="stable")
    picked = sorted({int(order[0]), int(order[len(order) // 2]), int(order[-1])}, key=lambda index: int(macs[index]))
    timed = [(int(macs[index]), *_time(family, architectures[index], num_classes, config.recipe)) for index in picked]
    per_image = np.array(timed, dtype=np.float64)
    # raw and averaged weights are both evaluated
    evaluations = len(validation) * (2 if config.recipe.ema else 1)
    seconds = config.recipe.epochs * (
        len(train) * _interpolate(macs, per_image[:, 0], per_image[:, 1])
        + evaluations * _interpolate(macs, per_image[:, 0], per_image[:, 2])
    )
    longest = float(seconds[pending].max()) if pending.any() else 0.0
    return Estimate(
        trials=len(architectures),
        done=int((~pending).sum()),
        pending=int(pending.sum()),
        macs_low=int(macs.min()),
        macs_high=int(macs.max()),
        train_images=len(train),
        validation_images=len(validation),
        images=int(pending.sum()) * config.recipe.epochs * len(train),
        workers=workers,
        seconds=max(longest, float(seconds[pending].sum()) / workers),
        calibration=timed,
    )


def _interpolate(macs: NDArray[np.int64], at: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.interp(macs.astype(np.float64), at, values)


def _time(family: families.Family, architecture: Architecture, num_classes: int, recipe: Recipe) -> tuple[float, float]:
    """Return seconds per image of a training step and of an evaluation, one thread, median of a few."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    # the global generator belongs to the caller
    with torch.random.fork_rng(devices=[]), contextlib.ExitStack() as stack:
        stack.callback(torch.set_num_threads, threads)
        model = family.build(architecture, num_classes).to(memory_format=torch.channels_last)
        images = torch.randn(recipe.batch_size, 3, architecture.pixels, architecture.pixels)
        images = images.to(memory_format=torch.channels_last)
        labels = torch.arange(recipe.batch_size) % num_classes
        optimizer = torch.optim.AdamW(model.parameters(), fused=True)
        steps, evaluations = [], []
        for _ in range(_STEPS + 1):
            begin = time.perf_counter()
            torch.nn.functional.cross_entropy(model.train()(images), labels).backward()
            optimizer.step()
            optimizer.zero_grad()
            middle = time.perf_counter()
            with torch.inference_mode():
                model.eval()(images)
            steps.append(middle - begin)
            evaluations.append(time.perf_counter() - middle)
    # the first step pays for the allocator and the kernels' choice
    return statistics.median(steps[1:]) / recipe.batch_size, statistics.median(evaluations[1:]) / recipe.batch_size
