"""Train one architecture in full, score it on the test split, and keep its weights.

Everything but the weights lies beside them in a run directory that is named after them, so that a training that was
killed goes on when the same command runs again.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from gpscale import runtimes
from gpscale.benchmark.allocator import freed_memory_kept
from gpscale.errors import ModelFileError, OutOfMemoryError, StorageError, SweepFileError
from gpscale.execution import Ended, Event, Job, Progressed, Started
from gpscale.execution.machine import cpu_model, training_device, usable_cores
from gpscale.execution.worker import is_out_of_memory, train_trial
from gpscale.families.chosen import Chosen
from gpscale.run_dir import RunDir, find_study
from gpscale.sweep import Plan
from gpscale.sweep.config import FREE_TO_CHANGE
from gpscale.sweep.driver import describe, image_facts
from gpscale.sweep.file import SettingsFile, apply_overrides
from gpscale.sweep.place import check_apart, is_unused, remove_images
from gpscale.sweep.yaml_text import read_yaml
from gpscale.threads import torch_threads
from gpscale.training.checkpoint import remove_checkpoint
from gpscale.training.data.config import DataConfig
from gpscale.training.data.sources import names, open_source
from gpscale.training.data.store import ImageStore
from gpscale.training.data.survey import find_source
from gpscale.training.recipe import Recipe
from gpscale.training.weights import WeightsFacts, read_facts, save_weights
from gpscale.trial import Trial, TrialRecord

SUFFIX = ".safetensors"
SETTINGS_FILE = "training.yaml"
_YAML = (".yaml", ".yml")


class TrainingSettings(SettingsFile):
    """How to train, and on what."""

    kind = "file of a recipe"
    free_to_change = tuple(name for name in FREE_TO_CHANGE if name.startswith("data."))

    recipe: Recipe = Recipe()
    data: DataConfig = DataConfig()


def read_settings(recipe: str | None, data: str | None, overrides: Iterable[str] = ()) -> TrainingSettings:
    """Find recipe and images.

    Args:
        recipe: A YAML file with a recipe's settings, or with a section `recipe` (a sweep file); or a study, whose
            recipe it is. None for the default recipe.
        data: A folder of images, or of Parquet files; a YAML file with a section `data`; or the name of a source.
            None for scikit-learn's digits.
        overrides: `"recipe.epochs=30"`, `"data.root=..."`; applied in order.

    Raises:
        DataError: The folder holds no images.
        SweepFileError: A file is absent or not legal.
        UnknownNameError: There is no such study, or no such source.

    Example:
        >>> settings = read_settings("quickstart", None, ["recipe.epochs=30"])
        >>> settings.recipe.epochs, settings.recipe.batch_size, settings.data.source
        (30, 32, 'digits')
    """
    values: dict[str, Any] = {}
    if recipe is not None:
        file = Path(recipe) if recipe.endswith(_YAML) else find_study(recipe).sweep_file
        read = _yaml(file)
        values["recipe"] = read.get("recipe") or {} if {"recipe", "base", "data"} & read.keys() else read
    if data is not None:
        values["data"] = _data(data)
    apply_overrides(values, overrides)
    return TrainingSettings.from_values(values)


def train_model(
    chosen: Chosen,
    settings: TrainingSettings,
    output: Path,
    *,
    seed: int = 0,
    device: str | None = None,
    threads: int | None = None,
    on_plan: Callable[[Plan], None] = lambda plan: None,
    on_event: Callable[[Event], None] = lambda event: None,
) -> TrialRecord:
    """Train an architecture, score it on the test split and write its weights; or go on with that.

    Args:
        chosen: The architecture.
        settings: How to train it, and on what.
        output: File of the weights, `*.safetensors`; the records lie beside it, in a directory of the same name
            without the suffix.
        seed: Decides weights, data order and augmentation.
        device: `"cpu"` or `"cuda"`; None for a graphics card where there is one.
        threads: Of torch on the CPU; None for all usable cores. Another number may round differently.
        on_plan: Called once with the training, before it starts.
        on_event: Called with what an executor would tell of the training.

    Returns:
        The record, with its `test_top1`.

    Raises:
        DataError: There are no images, or no test split.
        DeviceError: The device is not there.
        ModelFileError: The architecture was recommended for another number of classes; or `output` holds other weights
            already.
        OutOfMemoryError: The model does not fit into the memory of the device in training.
        TrainingError: The loss is no longer finite.
        StorageError: `output` cannot be written.
    """
    run = check_training(chosen, settings, output)
    if device is not None:
        runtimes.get("torch").check(device)
    with run.locked():
        run.remove_leftovers()
        store = ImageStore.prepare(settings.data, run.images, chosen.architecture.pixels, test=True)
        if output.exists():
            record = _finished(chosen, settings, output, seed, store, run)
            _clean_up(run, record.id)
            return record
        trial = Trial(
            chosen.family,
            chosen.architecture.to_dict(),
            store.num_classes,
            settings.recipe.model_dump(mode="json"),
            store.fingerprint,
            seed,
        )
        _check_alone(trial, run)
        describe(settings, run.path / SETTINGS_FILE, image_facts(settings.data, store), run)
        on_plan(Plan([trial], {}, "model"))
        on_event(Started(trial.id))
        with torch_threads(threads or usable_cores()), freed_memory_kept():
            record = _train(Job(trial, run.path, run.images), store, output, device or training_device(), on_event)
        on_event(Ended(record))
        _clean_up(run, trial.id)
    return record


def _clean_up(run: RunDir, trial_id: str) -> None:
    remove_checkpoint(run.trial(trial_id))
    remove_images(run)


def _check_alone(trial: Trial, run: RunDir) -> None:
    """Refuse a directory in which another training was begun, which would be left behind unfinished."""
    others = [one for one in run.trial_ids() if one != trial.id]
    if others:
        remove_images(run)
        raise ModelFileError(
            f"A directory holds one training. {run.path} holds another, begun with another model, seed, recipe or "
            "other images. Repeat the command that began it, move the directory away, or choose another --output."
        )


def check_training(chosen: Chosen, settings: TrainingSettings, output: Path) -> RunDir:
    """Check all that can be checked before any work, and return where the training lies.

    Raises:
        GpscaleError: As `train_model` does.
    """
    if output.suffix != SUFFIX:
        raise ModelFileError(f"Weights must be a file *{SUFFIX}. Got {str(output)!r}. Rename it.")
    if not output.parent.is_dir():
        raise StorageError(f"The directory of the weights must exist. Got {str(output.parent)!r}. Make it.")
    classes = len(open_source(settings.data.request()).class_names)
    open_source(settings.data.request("test"))
    if chosen.num_classes not in (None, classes):
        raise ModelFileError(
            f"A recommendation must be for as many classes as the images have. Got {chosen.name} for "
            f"{chosen.num_classes}, and images of {classes}. Recommend again with --num-classes {classes}."
        )
    run = RunDir(output.with_suffix(""))
    if not (run.path / SETTINGS_FILE).exists() and not is_unused(run, SETTINGS_FILE):
        raise ModelFileError(
            f"What a training keeps beside its weights lies in a directory of their name. {run.path} holds something "
            "else. Choose another --output."
        )
    check_apart(run, settings.data)
    return run


def _finished(
    chosen: Chosen, settings: TrainingSettings, output: Path, seed: int, store: ImageStore, run: RunDir
) -> TrialRecord:
    """Return the record of weights that this very training has made."""
    record = run.record(read_facts(output).trial_id)
    if record is not None:
        begun = TrainingSettings.load(run.path / SETTINGS_FILE)
        own = (chosen.family, chosen.architecture.to_dict(), seed, store.fingerprint)
        its = (record.trial.family, dict(record.trial.architecture), record.trial.seed, record.trial.data)
        if own == its and not begun.differences(settings):
            return record
    remove_images(run)
    raise ModelFileError(
        f"{output} must be absent, or hold what this very training has made. It holds other weights. Move it and "
        f"{run.path} away, or choose another --output."
    )


def _train(job: Job, store: ImageStore, output: Path, device: str, on_event: Callable[[Event], None]) -> TrialRecord:
    """Train, write the record and then the weights: where there are weights, all is done."""
    trial, started = job.trial, _now()
    try:
        result, outcome = train_trial(job, lambda progress: on_event(Progressed(progress)), device)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        pixels, batch = trial.architecture["pixels"], trial.recipe["batch_size"]
        raise OutOfMemoryError(
            f"The training must fit into the memory of the {device}, with {batch} images of {pixels} x {pixels} px a "
            f"step. Got: {' '.join(str(error).split())[:200] or type(error).__name__}. Take fewer with --set "
            "recipe.batch_size=..., which is another training, or another --device."
        ) from error
    assert result.test_top1 is not None
    assert result.test_top5 is not None
    facts = WeightsFacts(
        trial_id=trial.id,
        family=trial.family,
        architecture=trial.architecture,
        class_names=store.class_names,
        mean=store.mean,
        std=store.std,
        test_top1=result.test_top1,
        test_top5=result.test_top5,
    )
    measured = {"started": started, "ended": _now(), "cpu": cpu_model(), **outcome.measured}
    record = TrialRecord(id=trial.id, trial=trial, result=result, measured=measured)
    RunDir(job.directory).write_record(record)
    save_weights(output, outcome.model, facts)
    return record


def _yaml(path: Path) -> dict[str, Any]:
    try:
        values = read_yaml(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SweepFileError(f"A recipe must be a readable YAML file. Got {path}: {error}. Correct it.") from None
    if not isinstance(values, dict):
        raise SweepFileError(f"A recipe must hold keys and values. Got {path} with {values!r}. Add `epochs: 10`.")
    return values


def _data(text: str) -> dict[str, Any]:
    if text.endswith(_YAML):
        section = _yaml(Path(text)).get("data")
        if not isinstance(section, dict):
            raise SweepFileError(f"{text} must have a section `data`. Got none. Name the images otherwise.")
        return section
    if text in names():
        return {"source": text}
    return {"source": find_source(Path(text)), "root": text}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
