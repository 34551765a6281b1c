"""A starter sweep file: every setting with what it means, filled in for the images that are at hand.

The comments are the settings' own descriptions and the values are the settings' own defaults, so that the file cannot
differ from what `SweepConfig` reads.
"""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ByteSize
from pydantic.fields import FieldInfo

from gpscale import families, sampling
from gpscale.errors import SweepFileError
from gpscale.sweep.config import SamplerConfig, SweepConfig
from gpscale.sweep.faults import subsection
from gpscale.sweep.schema import MODELINE, SCHEMA_FILE, sampler_options, sampler_summary, schema_text
from gpscale.training.data.config import DataConfig
from gpscale.training.data.survey import Survey, find_source, survey

_WIDTH = 116
_NAMED = 3
_FEW_STEPS = 16
"""Steps that an epoch should have at least, by a smaller batch."""
_FEWEST_IMAGES = 8
"""Of a batch."""
_BASES = ((24, "mobilevitv2_050@32"), (96, "mobilevitv2_050@96"))
"""Images whose shorter side is below so many pixels, and the base for them."""
_BASE_FOR_PHOTOS = "mobilevitv2_100@128"


@dataclasses.dataclass(frozen=True)
class Starter:
    """A starter sweep file.

    Attributes:
        config: The sweep that it describes.
        images: What was found of its images.
        text: The file.
    """

    config: SweepConfig
    images: Survey
    text: str


def starter(root: Path | None = None, base: str | None = None) -> Starter:
    """Write a sweep file with every setting, for the images in a folder.

    Args:
        root: Folder of images, one folder for each class or Parquet; None for scikit-learn's digits.
        base: Base model; None for one that suits the size of the images.

    Raises:
        DataError: There are no images, or they cannot be trained on.
        SweepFileError: The base is not known.

    Example:
        >>> print(starter().config.base)
        mobilevitv2_050@32
    """
    data = DataConfig() if root is None else DataConfig(source=find_source(root), root=root)
    images = survey(data)
    config = SweepConfig.from_values(_suggested(data, images, base))
    of = "scikit-learn's digits" if root is None else f"the images in {root}"
    head = [MODELINE, f"# How should {config.base} shrink on {of}?"]
    about = (
        "Every setting with its default, or with what suits these images; a line whose default is meant may be left "
        "out. A setting behind a # follows from others: take the # away to fix it. Shares and accuracies are "
        "fractions. What it costs: `gpscale sweep FILE --dry-run`."
    )
    lines = [*head, "", *_comment(about, 0), "", *_section(config, config.resolved(), _remarks(images))]
    # sections end and begin with an empty line; one is enough
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"
    return Starter(config, images, text)


def write_starter(made: Starter, path: Path) -> list[Path]:
    """Write a starter sweep file, and the schema that it names beside it where there is none.

    Args:
        made: What to write.
        path: A file that does not exist; its directory is made if absent.

    Returns:
        The files written.

    Raises:
        SweepFileError: The file exists.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [path.name for path in write_starter(starter(), Path(folder) / "digits.yaml")]
        ['digits.yaml', 'sweep.schema.json']
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x") as file:
            file.write(made.text)
    except FileExistsError:
        raise SweepFileError(
            f"A starter sweep file must be a new file. {path} exists. Choose another with --output, or remove it."
        ) from None
    schema = path.with_name(SCHEMA_FILE)
    if schema.exists():
        return [path]
    schema.write_text(schema_text())
    return [path, schema]


def _suggested(data: DataConfig, images: Survey, base: str | None) -> dict[str, Any]:
    """Return the settings that follow from the images."""
    side = images.short_sides[1]
    base = base or next((name for below, name in _BASES if side < below), _BASE_FOR_PHOTOS)
    values: dict[str, Any] = {"base": base, "num_classes": len(images.classes)}
    config = SweepConfig.from_values(values)
    largest = int(config.space.bounds.resolution[1] * families.parse_base(base).architecture.pixels)
    # the largest power of two that leaves an epoch its steps; a batch norm needs a few images
    batch = max(_FEWEST_IMAGES, 2 ** ((images.train_images // _FEW_STEPS).bit_length() - 1))
    # an object that fills a photo survives being cut; of a small image, little can be spared
    crop = config.recipe.crop if side < _BASES[-1][0] else "resized"
    return {
        **values,
        "data": {**data.model_dump(exclude_unset=True), "stored_pixels": max(4, min(side, largest))},
        "recipe": {"batch_size": min(config.recipe.batch_size, batch, images.train_images), "crop": crop},
    }


def _remarks(images: Survey) -> dict[str, str]:
    """Return what was seen, by the setting that follows from it."""
    low, middle, high = images.short_sides
    sides = f"of {low}" if low == high else f"of {low} to {high}, median {middle},"
    more = len(images.classes) - _NAMED
    named = ", ".join(images.classes[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return {
        "base": "Halve or double its pixels or its width multiplier to make all trials cheaper or dearer.",
        "num_classes": f"Found: {named}.",
        "source": f"Found: {images.train_images:,} images to train and {images.validation_images:,} to validate.",
        "stored_pixels": f"Found: shorter sides {sides} pixels in the {images.looked_at} images looked at.",
    }


def _section(own: BaseModel, resolved: BaseModel, remarks: Mapping[str, str], indent: int = 0) -> Iterator[str]:
    """Yield the lines of a section: each setting below its comment, sections set apart by empty lines.

    Args:
        own: The section.
        resolved: The same with what follows from other settings.
        remarks: More to say of a setting.
        indent: Of the lines.
    """
    for name, field in type(own).model_fields.items():
        value, found = getattr(own, name), getattr(resolved, name)
        if isinstance(value, BaseModel):
            yield from ("", *_comment((type(value).__doc__ or "").partition("\n")[0], indent), f"{name}:")
            if isinstance(value, SamplerConfig):
                yield from _sampler(value)
            else:
                yield from _section(value, found, remarks, indent + 2)
            yield ""
            continue
        follows = value is None and found is not None
        optional = subsection(type(own), name)
        example = f"For example {_yaml(optional())}." if optional and found is None else ""
        meaning = (field.description or "", _choices(field), remarks.get(name, ""), example)
        yield from _comment(" ".join(filter(None, meaning)), indent)
        yield f"{' ' * indent}{'# ' if follows else ''}{name}: {_yaml(found)}"


def _sampler(config: SamplerConfig) -> Iterator[str]:
    """Yield the sampler's lines, then those of the others as comments that can be taken instead."""
    for name in sorted(sampling.names(), key=lambda name: name != config.name):
        chosen = name == config.name
        mark = "  " if chosen else "  # "
        yield from () if chosen else ("",)
        yield from _comment(f"{'' if chosen else 'Or: '}{sampler_summary(name)}", 2)
        yield f"{mark}name: {name}"
        for option, (meaning, default) in sampler_options(name).items():
            yield f"{mark}{option}: {_yaml(default)}  # {meaning}"


def _choices(field: FieldInfo) -> str:
    """Name the values that a setting can have, unless its description does."""
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    told = all(re.search(rf"\b{choice}\b", field.description or "") for choice in choices)
    return "" if told else f"One of {', '.join(choices)}."


def _comment(text: str, indent: int) -> list[str]:
    mark = f"{' ' * indent}# "
    return textwrap.wrap(text, _WIDTH, initial_indent=mark, subsequent_indent=mark)


def _yaml(value: Any) -> str:
    """Write a value on one line, as it stands after a key."""
    if isinstance(value, ByteSize):
        value = value.human_readable()
    elif isinstance(value, BaseModel):
        value = value.model_dump()
    elif isinstance(value, tuple):
        value = list(value)
    elif isinstance(value, Path):
        value = str(value)
    return yaml.safe_dump([value], default_flow_style=True, sort_keys=False, width=10**6).strip()[1:-1]
