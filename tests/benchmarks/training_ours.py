"""gpscale's side of the training benchmarks: what a worker of a sweep does, in a process from its fork server."""

from __future__ import annotations

import enum
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from gpscale.runtimes.folding import fold_batch_norms
from gpscale.training import loop
from gpscale.training.augment import Augmentation
from gpscale.training.data.store import ImageStore
from gpscale.training.evaluate import EVALUATION_BATCH, evaluate
from gpscale.training.loop import Training
from gpscale.training.recipe import Recipe
from tests.benchmarks.training_workload import Workload, answer_requests

PARTS = {
    "convolution": re.compile("conv"),
    "optimizer, clipping and average": re.compile("adam|foreach|lerp|clip|vector_norm"),
    "normalisation": re.compile("norm"),
    "activation": re.compile("silu|sigmoid|relu|softmax"),
    "copies": re.compile("copy|clone|contiguous|fill|zero"),
    "other": re.compile(""),
}
"""Kinds of operators by their names, the first that fits."""


class Variant(enum.Enum):
    """A training with one choice undone; or, for its images a second, a validation."""

    OURS = enum.auto()
    CHANNELS_FIRST = enum.auto()
    FOREACH_OPTIMIZER = enum.auto()
    NO_AVERAGE = enum.auto()
    NEW_TENSOR_SILU = enum.auto()
    COMPILED = enum.auto()
    VALIDATION = enum.auto()
    FOLDED_VALIDATION = enum.auto()


def serve(workload: Workload, variant: Variant, requests: int, answers: int) -> None:
    """Answer requests that arrive at one file descriptor at the other."""
    torch.set_num_threads(1)
    with os.fdopen(requests) as lines, os.fdopen(answers, "w") as out:
        answer_requests(lines, out, steps(workload, variant))


def steps(workload: Workload, variant: Variant = Variant.OURS) -> Iterator[None]:
    """Train, or validate as many images, one step at a time, without end."""
    training = _training(workload, variant)
    if variant in (Variant.VALIDATION, Variant.FOLDED_VALIDATION):
        yield from _validate(training, workload, folded=variant is Variant.FOLDED_VALIDATION)
    while True:
        yield from training.steps()
        # the next epoch, without the validation at the end of this one
        training.position.epoch += 1
        training.position.step = 0


def profile(workload: Workload, count: int, answers: int) -> None:
    """Write the processor time of a step by kind of operator, seconds, from torch's profiler, as JSON."""
    torch.set_num_threads(1)
    taken = steps(workload)
    for _ in range(3):
        next(taken)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiled:
        for _ in range(count):
            next(taken)
    found = dict.fromkeys(PARTS, 0.0)
    for event in profiled.key_averages():
        part = next(part for part, names in PARTS.items() if names.search(event.key.lower()))
        found[part] += event.self_cpu_time_total / 1e6 / count
    with os.fdopen(answers, "w") as out:
        json.dump(found, out)


def _training(workload: Workload, variant: Variant) -> Training:
    changed: dict[Variant, dict[str, Any]] = {
        Variant.CHANNELS_FIRST: {"channels_last": False},
        Variant.NO_AVERAGE: {"ema": False},
    }
    recipe = workload.recipe.model_copy(update=changed.get(variant, {}))
    if variant is Variant.FOREACH_OPTIMIZER:
        # this process is forked for this variant alone
        loop.adamw = _foreach_adamw
    model = workload.model()
    if variant is Variant.NEW_TENSOR_SILU:
        for module in model.modules():
            if isinstance(module, torch.nn.SiLU):
                module.inplace = False
    if variant is Variant.COMPILED:
        model.compile()
    store = ImageStore.open(Path(workload.store))
    return Training(model, recipe, store, workload.pixels, 0, torch.device("cpu"))


def _foreach_adamw(model: torch.nn.Module, recipe: Recipe, learning_rate: float) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        model.parameters(),
        lr=learning_rate,
        betas=(recipe.beta1, recipe.beta2),
        weight_decay=recipe.weight_decay,
        foreach=True,
    )


def _validate(training: Training, workload: Workload, *, folded: bool) -> Iterator[None]:
    """Validate, a batch as large as validations take a step, without end."""
    store = ImageStore.open(Path(workload.store))
    augmentation = Augmentation(workload.recipe, workload.pixels, store.mean, store.std, store.num_classes)
    indices = store.train_indices[:EVALUATION_BATCH]
    model = training.model
    if folded:
        model = fold_batch_norms(model, torch.zeros(1, 3, workload.pixels, workload.pixels)).model
    while True:
        evaluate([model], augmentation, store, indices, training.device)
        yield
