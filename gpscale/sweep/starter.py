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
from gpscale.units import format_macs

_WIDTH = 116
_NAMED = 3
_FEW_STEPS = 16
"""Steps that an epoch should have at least, by a smaller batch."""
_FEWEST_IMAGES = 8
"""Of a batch."""
_BASES = ((24, "mobilevitv2_050@32"), (96, "mobilevitv2_050@96"))
"""Images whose shorter side is below so many pixels, and the base for them."""
_BASE_FOR_PHOTOS = "mobilevitv2_100@128"
_MOST_WORK = 1e14
"""Of a suggested sweep, in `_work`'s unit; more is cut down to it."""
_FEWEST_EPOCHS = 4
_FEWEST_OF_CLASS = 10
"""Images; neither goes below, however dear the sweep."""
_LENGTHS = ((1e13, "minutes"), (2e14, "hours"), (1e16, "days"))
"""Work below so much, and what it takes on two cores: some 10^13 an hour."""


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
        f"fractions. {_cost(config, images)}"
    )
    lines = [*head, "", *_comment(about, 0), "", *_section(config, config.resolved(), _remarks(config, images))]
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
    epochs, caps = _affordable(config, images)
    train_images = caps.get("train_images", images.train_images)
    # the largest power of two that leaves an epoch its steps; a batch norm needs a few images
    batch = max(_FEWEST_IMAGES, 2 ** ((train_images // _FEW_STEPS).bit_length() - 1))
    # an object that fills a photo survives being cut; of a small image, little can be spared
    crop = config.recipe.crop if side < _BASES[-1][0] else "resized"
    return {
        **values,
        "data": {**data.model_dump(exclude_unset=True), **caps, "stored_pixels": max(4, min(side, largest))},
        "recipe": {
            "epochs": epochs,
            "batch_size": min(config.recipe.batch_size, batch, train_images),
            "crop": crop,
        },
    }


def _affordable(config: SweepConfig, images: Survey) -> tuple[int, dict[str, int]]:
    """Return the epochs, and where those alone do not do it the caps on images, that keep a sweep in `_MOST_WORK`."""
    # passes over an image that all epochs of a trial may have
    passes = int(_MOST_WORK / _work(config.trials, 1, 1, _base_macs(config, len(images.classes))))
    epochs = min(config.recipe.epochs, max(_FEWEST_EPOCHS, passes // images.train_images))
    fewest = _FEWEST_OF_CLASS * len(images.classes)
    train_images = max(fewest, _rounded_down(passes // epochs))
    if train_images >= images.train_images:
        return epochs, {}
    # without a cap of their own, evaluations would take longer than the trainings
    caps = {"train_images": train_images, "validation_images": max(fewest, train_images // 2)}
    return epochs, {name: cap for name, cap in caps.items() if cap < getattr(images, name)}


def _work(trials: int, images: int, epochs: int, macs: int) -> float:
    """Return the multiply-accumulates forwards of all trainings, as if all trials were as large as the base."""
    return 1.0 * trials * images * epochs * macs


def _base_macs(config: SweepConfig, num_classes: int) -> int:
    base = families.parse_base(config.base)
    family = families.get(base.family)
    return int(family.count(family.row(base.architecture)[None], num_classes)[0][0])


def _rounded_down(count: int) -> int:
    """Round to two digits, so that a person takes it for the choice that it is."""
    unit: int = 10 ** max(0, len(str(count)) - 2)
    return count // unit * unit


def _cost(config: SweepConfig, images: Survey) -> str:
    """Say of which order a sweep is; how fast this machine is, only a dry run knows."""
    train_images = config.data.train_images or images.train_images
    macs = _base_macs(config, len(images.classes))
    work = _work(config.trials, train_images, config.recipe.epochs, macs)
    length = next((length for below, length in _LENGTHS if work < below), "months")
    return (
        f"What it costs: {config.trials} trials x {train_images:,} images x {config.recipe.epochs} epochs x "
        f"{format_macs(macs)} multiply-accumulates of the base are of the order of {length} on two cores of a CPU; "
        "`gpscale sweep FILE --dry-run` measures it."
    )


def _remarks(config: SweepConfig, images: Survey) -> dict[str, str]:
    """Return what was seen, by the setting that follows from it."""
    capped = "Fewer than there are, so that the sweep does not take days; raise it where there is time."
    low, middle, high = images.short_sides
    sides = f"of {low}" if low == high else f"of {low} to {high}, median {middle},"
    more = len(images.classes) - _NAMED
    named = ", ".join(images.classes[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return {
        "base": "Halve or double its pixels or its width multiplier to make all trials cheaper or dearer.",
        "num_classes": f"Found: {named}.",
        "source": f"Found: {images.train_images:,} images to train and {images.validation_images:,} to validate.",
        **{name: capped for name in ("train_images", "validation_images") if getattr(config.data, name)},
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
