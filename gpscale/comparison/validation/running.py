"""Train what a validation compares, and keep its tables."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from gpscale.comparison.fidelity import check_overrides
from gpscale.comparison.validation.figure import plot_validation
from gpscale.comparison.validation.validation import Validation
from gpscale.comparison.validation.version import Version, family_of, plan_version
from gpscale.errors import DataError, RunDirError
from gpscale.execution import Event, Executor
from gpscale.plotting.files import write_figure
from gpscale.run_dir import RunDir
from gpscale.stored import write_atomically, write_json
from gpscale.study import Study
from gpscale.sweep import Plan, SweepConfig
from gpscale.sweep.driver import check_same_images, describe, image_facts, largest_pixels, run_plan
from gpscale.sweep.place import leave_nothing, remove_images
from gpscale.training.data.config import DataConfig
from gpscale.training.data.sources import open_source
from gpscale.training.data.store import ImageStore
from gpscale.trial import FailureReason, Trial


def run_validation(
    run: RunDir,
    executor: Executor,
    *,
    shares: Iterable[float] | None = None,
    names: Sequence[str] | None = None,
    seeds: int | None = None,
    new: bool = False,
    transfer: RunDir | None = None,
    overrides: Iterable[str] = (),
    retry: Collection[FailureReason] = (),
    on_plan: Callable[[Plan], None] = lambda plan: None,
    on_event: Callable[[Event], None] = lambda event: None,
) -> Validation:
    """Train the picks of several rules with the study's recipe, score them on the test images, and compare.

    Args:
        run: The study's run directory.
        executor: Where trainings run.
        shares: As in `plan_version`.
        names: As in `plan_version`.
        seeds: As in `plan_version`.
        new: As in `plan_version`.
        transfer: As in `plan_version`.
        overrides: `"data.root=..."` and the like, where the images lie elsewhere than the sweep says.
        retry: Failed trainings with one of these reasons are run again.
        on_plan: Called once with the plan, before the first training starts.
        on_event: Called with every event of the executor.

    Raises:
        GpscaleError: Bad input, before any work starts.

    Example:
        >>> from gpscale.execution import LocalExecutor
        >>> from gpscale.run_dir import find_study
        >>> run_validation(find_study("quickstart"), LocalExecutor(), seeds=0)
        Traceback (most recent call last):
        gpscale.errors.UnitError: --seeds must be at least 1. Got 0. Take 5.
    """
    config = SweepConfig.load(run.sweep_file, overrides)
    check_overrides(config, run)
    config = config.model_copy(update={"data": _as_stored(config.data, run)})
    open_source(config.data.request("test"))
    plan_version(run, shares, names, seeds, new=new, transfer=transfer)
    with run.locked():
        directory, version = plan_version(run, shares, names, seeds, new=new, transfer=transfer)
        with directory.locked():
            directory.remove_leftovers()
            store = _images(run, config, directory)
            # the picks are on disk before the first training starts, so that neither a kill nor a new fit changes them
            version.write(directory)
            describe(config, directory.sweep_file, image_facts(config.data, store), directory)
            plan = Plan.of(trials_of(Study(run), version, config, store), directory, "trainings")
            run_plan(
                plan, directory, executor, images=directory.images, retry=retry, on_plan=on_plan, on_event=on_event
            )
            return write_results(directory)


def _images(run: RunDir, config: SweepConfig, directory: RunDir) -> ImageStore:
    """Decode the study's own images and the test images, and leave nothing behind where they are others.

    Raises:
        DataError: They are unusable.
        RunDirError: They are not those of the study, or not those that the version was begun with.
    """
    described = run.described_images()
    pixels = largest_pixels(config, len(described["classes"]))
    try:
        store = ImageStore.prepare(config.data, directory.images, pixels, test=True)
        if store.search_fingerprint != described["fingerprint"]:
            raise RunDirError(
                f"A validation trains on the images of its study. {run.path} was trained on others (fingerprint "
                f"{described['fingerprint'][:12]}, here {store.search_fingerprint[:12]}). Say where its own lie, with "
                "--set data.source=... and --set data.root=..."
            )
        check_same_images(directory, store.fingerprint)
    except (DataError, RunDirError):
        remove_images(directory)
        leave_nothing(directory)
        raise
    return store


def _as_stored(data: DataConfig, run: RunDir) -> DataConfig:
    """Return the settings of images that are stored at the size that the study has them in, whatever is picked."""
    # studies of earlier versions do not say; theirs was the size that these settings give
    pixels = run.described_images().get("stored_pixels", data.stored_pixels)
    return data.model_copy(update={"stored_pixels": pixels})


def trials_of(study: Study, version: Version, config: SweepConfig, store: ImageStore) -> list[Trial]:
    """Return all trainings of a version, seed by seed; picks that coincide are trained once."""
    family, recipe = family_of(study), config.recipe.model_dump(mode="json")
    trials: dict[str, Trial] = {}
    for seed in version.seed_range:
        for share in version.shares:
            for rule in version.rules:
                choice = version.of(rule, share, seed)
                if not choice.missing:
                    trial = Trial(family, dict(choice.architecture), store.num_classes, recipe, store.fingerprint, seed)
                    trials.setdefault(trial.id, trial)
    return list(trials.values())


def write_results(directory: RunDir) -> Validation:
    """Write tables, summary and figure of what there is, and return the validation."""
    validation = Validation(directory)
    write_atomically(directory.path / "trainings.csv", validation.trainings.to_csv(index=False))
    write_atomically(directory.path / "validation.csv", validation.table.to_csv(index=False))
    write_atomically(directory.path / "differences.csv", validation.differences.to_csv(index=False))
    write_json(directory.path / "summary.json", validation.summary())
    if validation.table["test_top1"].notna().any():
        write_figure(plot_validation(validation), directory.figures / "validation")
    return validation
