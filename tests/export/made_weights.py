"""A weights file as a training would have written it, without the training."""

from __future__ import annotations

from pathlib import Path

import torch

from gpscale import families
from gpscale.families.chosen import find_architecture
from gpscale.training.weights import WeightsFacts, save_weights

MODEL = "mobilevitv2_050@32"
CLASS_NAMES = ("zero", "one", "zwölf")
MEAN, STD = (10.0, 20.0, 30.0), (40.0, 50.0, 60.0)


def write_weights(file: Path, model: str = MODEL) -> Path:
    chosen = find_architecture(model)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        built = families.get(chosen.family).build(chosen.architecture, len(CLASS_NAMES))
    facts = WeightsFacts("t0", chosen.family, chosen.architecture.to_dict(), CLASS_NAMES, MEAN, STD, 0.75, 1.0)
    save_weights(file, built, facts)
    return file
