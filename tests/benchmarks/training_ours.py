"""gpscale's side of the training benchmark: what a worker of a sweep does, in a process from its fork server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import torch

from gpscale.training.data.store import ImageStore
from gpscale.training.loop import Training
from tests.benchmarks.training_workload import Workload, answer_requests


def serve(workload: Workload, requests: int, answers: int) -> None:
    """Answer requests that arrive at one file descriptor at the other."""
    torch.set_num_threads(1)
    with os.fdopen(requests) as lines, os.fdopen(answers, "w") as out:
        answer_requests(lines, out, _steps(workload))


def _steps(workload: Workload) -> Iterator[None]:
    store = ImageStore.open(Path(workload.store))
    training = Training(workload.model(), workload.recipe, store, workload.pixels, 0, torch.device("cpu"))
    while True:
        yield from training.steps()
        # the next epoch, without the validation at the end of this one
        training.position.epoch += 1
        training.position.step = 0
