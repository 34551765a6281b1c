"""From a sweep and its images to the list of its trials."""

from __future__ import annotations

from gpscale import families, sampling
from gpscale.errors import DataError, SweepFileError
from gpscale.sweep.config import SweepConfig
from gpscale.training.data.config import DataConfig
from gpscale.training.data.sources import open_source
from gpscale.training.data.sources.torchvision_sets import SETS
from gpscale.trial import Trial


def count_classes(config: SweepConfig) -> int:
    """Return the number of classes of the sweep's images, without decoding any.

    Raises:
        DataError: The images are missing, empty, corrupt, or of one class.
        SweepFileError: `num_classes` is set and says otherwise.

    Example:
        >>> count_classes(SweepConfig(base="mobilevitv2_050@32"))
        10
    """
    return check_classes(config, len(open_source(config.data.request()).class_names))


def known_classes(config: SweepConfig) -> int:
    """Return the number of classes of the sweep's images; they are not fetched if the sweep has yet to fetch them.

    Raises:
        DataError: As `count_classes` and `classes_of_absent`.
        SweepFileError: `num_classes` is set and says otherwise.

    Example:
        >>> known_classes(SweepConfig(base="mobilevitv2_050@32"))
        10
    """
    try:
        return count_classes(config.model_copy(update={"data": config.data.model_copy(update={"download": False})}))
    except DataError:
        if not is_to_fetch(config.data):
            raise
        return classes_of_absent(config)


def classes_of_absent(config: SweepConfig) -> int:
    """Return the number of classes that the sweep file says, for images that are not there yet.

    Raises:
        DataError: It says none.
    """
    if config.num_classes is None:
        raise DataError(
            f"Only a sweep fetches images; before, the sweep file must say how many classes they have. Got no "
            f"`num_classes`, and {config.data.source!r} is not in {str(config.data.root)!r} yet. Set it, or start the "
            "sweep."
        )
    return config.num_classes


def is_to_fetch(data: DataConfig) -> bool:
    """Tell whether a sweep fetches its images if they are not there."""
    return data.download and data.source in SETS and data.root is not None and not data.root.is_file()


def check_classes(config: SweepConfig, found: int) -> int:
    """Return the number of classes that was found, unless the sweep file says otherwise.

    Raises:
        SweepFileError: `num_classes` is set to another number.
    """
    if config.num_classes is not None and config.num_classes != found:
        raise SweepFileError(
            f"`num_classes` must be that of the images. Got {config.num_classes}, but source "
            f"{config.data.source!r} has {found}. Correct it, or leave it out."
        )
    return found


def plan_architectures(config: SweepConfig, num_classes: int, count: int | None = None) -> list[families.Architecture]:
    """Return the architectures that a sweep trains, in order; a longer plan begins with a shorter one.

    Args:
        config: The sweep.
        num_classes: Classes to count with.
        count: How many; None for the sweep's `trials`.

    Raises:
        SpaceError: There are not so many, or none.

    Example:
        >>> config = SweepConfig(base="mobilevitv2_050@32")
        >>> len(plan_architectures(config, num_classes=10, count=3))
        3
    """
    return sampling.plan(
        config.search_space(num_classes),
        config.sampler.make(),
        config.trials if count is None else count,
        band=config.sampling_band,
        seed=config.seed,
    )


def plan_trials(config: SweepConfig, num_classes: int, fingerprint: str) -> list[Trial]:
    """Return the trials of a sweep in order.

    Args:
        config: The sweep.
        num_classes: Classes of its images.
        fingerprint: Fingerprint of its images.

    Example:
        >>> config = SweepConfig(base="mobilevitv2_050@32", trials=3)
        >>> [trial.seed for trial in plan_trials(config, num_classes=10, fingerprint="")]
        [0, 0, 0]
    """
    family = families.parse_base(config.base).family
    recipe = config.recipe.model_dump(mode="json")
    return [
        Trial(family, architecture.to_dict(), num_classes, recipe, fingerprint, config.seed)
        for architecture in plan_architectures(config, num_classes)
    ]
