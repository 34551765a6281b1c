"""Weights files: what a training has made of a model, and all that is needed to use it, in one safetensors file.

The tensors are the model's `state_dict` in the form that is trained; what they are stands as JSON in the file's
metadata, so that it can be read without torch's pickles and without gpscale.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from gpscale import families
from gpscale.atomic import atomic_file
from gpscale.errors import GpscaleError, ModelFileError

SCHEMA = 1
KEY = "gpscale"


@dataclasses.dataclass(frozen=True)
class WeightsFacts:
    """What a weights file says of itself.

    Attributes:
        trial_id: The training that made it.
        family: Name of the family.
        architecture: The integers that get built, as JSON values.
        class_names: One for each output, in order.
        mean, std: Three floats each: what the model's inputs are normalised with, on the scale 0 to 255.
        test_top1, test_top5: Fractions in [0, 1] of the test images.
    """

    trial_id: str
    family: str
    architecture: Mapping[str, Any]
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    test_top1: float
    test_top5: float

    @property
    def num_classes(self) -> int:
        """Outputs of the classifier."""
        return len(self.class_names)

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as JSON values."""
        return {"schema": SCHEMA, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> WeightsFacts:
        """Read what `to_dict` returns.

        Raises:
            KeyError, TypeError, ValueError: It is something else.
        """
        if values["schema"] != SCHEMA:
            raise ValueError(f"schema {values['schema']}, where {SCHEMA} is known")
        read = {field.name: values[field.name] for field in dataclasses.fields(cls)}
        for name in ("class_names", "mean", "std"):
            read[name] = tuple(read[name])
        return cls(**read)


def save_weights(path: Path, model: nn.Module, facts: WeightsFacts) -> None:
    """Write the weights of a model, atomically.

    Raises:
        StorageError: The file cannot be written.
    """
    # tensors that share memory, or are strided for channels last, are refused by the format
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
    with atomic_file(path) as file:
        file.write(save(tensors, metadata={"format": "pt", KEY: json.dumps(facts.to_dict())}))


def read_facts(path: Path) -> WeightsFacts:
    """Read what a weights file says of itself.

    Raises:
        ModelFileError: It is absent, no safetensors file, or not written by `save_weights`.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        return WeightsFacts.from_dict(json.loads(metadata[KEY]))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"Weights must be a file that `gpscale train` wrote. Got {path}: {type(error).__name__}: {error}. "
            "Correct the path."
        ) from error


def load_model(path: Path) -> tuple[nn.Module, WeightsFacts]:
    """Build a model and give it its weights.

    Returns:
        The model in the form that is trained, in evaluation mode, on the CPU; and what the file says of it.

    Raises:
        ModelFileError: As `read_facts` does; or the tensors are not those of the model.
    """
    facts = read_facts(path)
    try:
        family = families.get(facts.family)
        model = family.build(family.architecture_from_dict(facts.architecture), facts.num_classes)
        with safe_open(path, framework="pt") as file:
            model.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except (GpscaleError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelFileError(
            f"Weights must hold the tensors of the model that the file names. Got {path}: "
            f"{' '.join(str(error).split())[:300]}. Train the model again."
        ) from error
    return model.eval(), facts
