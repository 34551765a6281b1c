"""The model that is exported: an architecture with trained weights, or with random ones."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpscale import __version__, families
from gpscale.errors import ExportError
from gpscale.families.chosen import Chosen, find_architecture
from gpscale.training.weights import WeightsFacts, load_model, read_facts
from gpscale.units import format_macs

if TYPE_CHECKING:
    from torch import nn

SEED = 0
"""Of random weights."""
CLASSES = 1000
"""Of a model by name with random weights, unless another number is asked for."""


@dataclasses.dataclass(frozen=True)
class Deployable:
    """An architecture with its weights, not built yet.

    Attributes:
        chosen: The architecture.
        num_classes: Outputs of the classifier.
        weights: Its weights file; None for random weights.
        trained: What the weights file says of itself; None for random weights.

    Example:
        >>> find_deployable("mobilevitv2_050@32", None, 10).weights_in_words
        'random (seed 0)'
    """

    chosen: Chosen
    num_classes: int
    weights: Path | None = None
    trained: WeightsFacts | None = None

    @property
    def pixels(self) -> int:
        """Side of the images, pixels."""
        return self.chosen.architecture.pixels

    @property
    def weights_in_words(self) -> str:
        """Where the weights are from."""
        return str(self.weights) if self.weights is not None else f"random (seed {SEED})"

    def build(self) -> nn.Module:
        """Build the model in the form that is deployed, in evaluation mode.

        Raises:
            ModelFileError: The weights are not those of the architecture.
        """
        import torch

        from gpscale.export.random_weights import enliven

        family = families.get(self.chosen.family)
        if self.weights is not None:
            return family.inference_form(load_model(self.weights)[0]).eval()
        with torch.random.fork_rng():  # the global generator belongs to the caller
            torch.manual_seed(SEED)
            built = family.build(self.chosen.architecture, self.num_classes)
            enliven(built, self.pixels)
        return family.inference_form(built).eval()

    def facts(self) -> dict[str, str]:
        """Return what a deployer needs to know, as texts; what is no text by itself is JSON.

        Mean and standard deviation, by which images are normalised, belong to weights: random ones have none.
        """
        # a recommendation is called by its file, which says nothing elsewhere
        named = self.chosen.num_classes is None
        own: dict[str, Any] = {
            "model": self.chosen.name if named else f"{self.chosen.family}@{self.pixels}",
            "family": self.chosen.family,
            "architecture": self.chosen.architecture.to_dict(),
            "input": f"float32 1 x 3 x {self.pixels} x {self.pixels}, RGB, (value from 0 to 255 - mean) / std",
            "num_classes": self.num_classes,
            "weights": "random",
            "gpscale": __version__,
        }
        if self.trained is not None:
            own |= {
                "class_names": self.trained.class_names,
                "mean": self.trained.mean,
                "std": self.trained.std,
                "weights": self.trained.trial_id,
                "test_top1": self.trained.test_top1,
                "test_top5": self.trained.test_top5,
            }
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in own.items()}


def find_deployable(model: str, weights: Path | None, num_classes: int | None) -> Deployable:
    """Find what is to be exported; no tensor is read yet.

    Args:
        model: A model's name, or the path of a recommendation (`.json`).
        weights: Weights file of that very architecture; None for random weights.
        num_classes: Outputs of the classifier; None for those of the weights, else of the recommendation, else
            `CLASSES`.

    Raises:
        ExportError: The weights are another architecture's, or have another number of classes.
        ImageSizeError: The family cannot take images of that size.
        ModelFileError: A file is absent, or not what it must be.
        UnknownNameError: No family of ours has the model.
    """
    chosen = find_architecture(model)
    if weights is None:
        return Deployable(chosen, num_classes or chosen.num_classes or CLASSES)
    trained = read_facts(weights)
    # what was read is JSON, which knows no tuples
    asked = chosen.family, json.loads(json.dumps(chosen.architecture.to_dict()))
    if (trained.family, trained.architecture) != asked:
        raise ExportError(
            f"Weights must be those of the model. Got {model}, {_described(chosen, trained.num_classes)}, and "
            f"{weights}, which holds {_described_facts(trained)}. Name the model that was trained, or its weights."
        )
    if num_classes not in (None, trained.num_classes):
        raise ExportError(
            f"--num-classes must be that of the weights. Got {num_classes}, and {weights} with {trained.num_classes}. "
            "Leave it out."
        )
    return Deployable(chosen, trained.num_classes, weights, trained)


def _described(chosen: Chosen, num_classes: int) -> str:
    macs, params = chosen.count(num_classes)
    return f"a {chosen.family} of {chosen.architecture.pixels} px, {format_macs(macs)} MACs and {params:,} parameters"


def _described_facts(trained: WeightsFacts) -> str:
    family = families.get(trained.family)
    architecture = family.architecture_from_dict(trained.architecture)
    return _described(Chosen("", family.name, architecture), trained.num_classes)
