"""One architecture of our families, to be trained or exported: by its name, or as a recommendation in a file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from gpscale.errors import ModelFileError, UnknownNameError
from gpscale.families.base import Architecture, get
from gpscale.families.named import TIMM, FamilyModel, find_model

SUFFIX = ".json"


@dataclasses.dataclass(frozen=True)
class Chosen:
    """An architecture with a name.

    Attributes:
        name: What to call it.
        family: Name of its family.
        architecture: The integers that get built.
        num_classes: Outputs of the classifier that it was recommended with; None for a model by name.

    Example:
        >>> find_architecture("mobilevitv2_050@64").count(10)[1]
        1116163
    """

    name: str
    family: str
    architecture: Architecture
    num_classes: int | None = None

    def count(self, num_classes: int) -> tuple[int, int]:
        """Return MACs of one image and number of parameters."""
        family = get(self.family)
        macs, params = family.count(family.row(self.architecture)[None], num_classes)
        return int(macs[0]), int(params[0])


def find_architecture(text: str) -> Chosen:
    """Find an architecture.

    Args:
        text: A model's name (`mobilevitv2_050@64`, `edgevit_xxs`), or the path of a recommendation (`.json`).

    Raises:
        ImageSizeError: The family cannot take images of that size.
        ModelFileError: The file is absent, or holds no recommendation.
        UnknownNameError: No family of ours has the model, or its image is not square.

    Example:
        >>> find_architecture("edgevit_xxs").name
        'edgevit_xxs@224'
    """
    if text.endswith(SUFFIX):
        return _read(Path(text))
    found = find_model(text)
    if not isinstance(found, FamilyModel):
        raise UnknownNameError(
            f"A model must be of one of our families. Got {text!r}. `gpscale families` lists their models; {TIMM}NAME "
            "is for `gpscale count` and `gpscale bench`."
        )
    height, width = found.image_size
    if height != width:
        raise UnknownNameError(f"A model must have square images here. Got {text!r}. Write {found.base.name!r}.")
    return Chosen(found.base.name, found.base.family, found.base.architecture)


def _read(path: Path) -> Chosen:
    try:
        values: Any = json.loads(path.read_text())
        family = get(values["family"])
        architecture = family.architecture_from_dict(values["architecture"])
        num_classes = int(values["num_classes"])
        # integers that cannot be built are found before any work
        family.count(family.row(architecture)[None], num_classes)
    except OSError as error:
        raise ModelFileError(
            f"A recommendation must be a readable file. Got {path}: {error.strerror}. Correct the path."
        ) from None
    except (ValueError, TypeError, KeyError, IndexError, UnknownNameError) as error:
        raise ModelFileError(
            f"A recommendation must be what `gpscale recommend --json` prints. Got {path}: "
            f"{type(error).__name__}: {error}. Write it again with `gpscale recommend --macs ... --json > {path.name}`."
        ) from None
    return Chosen(path.name, family.name, architecture, num_classes)
