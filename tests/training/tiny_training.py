"""A training of seconds, in this process or as a program of its own.

python -m tests.training.tiny_training STORE DIRECTORY
"""

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import nn

from gpscale.training.data.store import ImageStore
from gpscale.training.recipe import Recipe
from gpscale.training.trainer import Outcome, initialised, train

RECIPE = Recipe(epochs=3, batch_size=32, learning_rate=5e-3)
STEPS_PER_EPOCH = 10

REPOSITORY = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-m", "tests.training.tiny_training")
PROCESS = {
    "cwd": REPOSITORY,
    "env": {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)},
    "stdout": subprocess.PIPE,
    "text": True,
}
"""Keywords for `subprocess` that go with `PROGRAM`."""


def tiny_model(num_classes: int = 10) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.SiLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.SiLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(16, num_classes),
    )


def run(store: ImageStore, directory: Path, recipe: Recipe = RECIPE, **options: object) -> Outcome:
    settings = {"trial_id": "tiny", "pixels": 16, "seed": 3, "report": lambda _: None, **options}
    model = initialised(lambda: tiny_model(store.num_classes), settings["seed"])
    return train(model, recipe, store, directory=directory, **settings)


def main(store: str, directory: str) -> None:
    torch.set_num_threads(1)

    def slowly(progress: object) -> None:
        print(json.dumps(dataclasses.asdict(progress)), flush=True)
        time.sleep(0.02)

    outcome = run(
        ImageStore.open(Path(store)), Path(directory), report=slowly, report_seconds=0.0, checkpoint_seconds=0.0
    )
    print(json.dumps(dataclasses.asdict(outcome.result)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
