"""Full trainings of seconds on scikit-learn's digits."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from gpscale import recommend
from gpscale.comparison import full_training
from gpscale.comparison.full_training import TrainingSettings, read_settings, train_model
from gpscale.errors import (
    DataError,
    DeviceError,
    ModelFileError,
    OutOfMemoryError,
    StorageError,
    SweepFileError,
    UnknownNameError,
)
from gpscale.execution.base import Job
from gpscale.families.chosen import find_architecture
from gpscale.run_dir import RunDir
from gpscale.training.augment import Augmentation
from gpscale.training.data.store import ImageStore
from gpscale.training.weights import load_model
from gpscale.trial import TrialRecord
from tests.synthetic_runs import snapshot
from tests.training.data.made_images import write_folder

MODEL = "mobilevitv2_050@32"
SETTINGS = TrainingSettings.from_values(
    {"recipe": {"epochs": 2, "batch_size": 50}, "data": {"train_images": 100, "validation_images": 50}}
)


def trained(output: Path, settings: TrainingSettings = SETTINGS, seed: int = 0) -> TrialRecord:
    return train_model(find_architecture(MODEL), settings, output, seed=seed, threads=1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("full") / "model.safetensors"
    trained(output)
    return output


def test_the_weights_that_are_written_score_what_the_record_says(weights: Path, tmp_path: Path) -> None:
    model, facts = load_model(weights)
    (record,) = RunDir(weights.with_suffix("")).records()
    assert record.result is not None
    assert (facts.trial_id, facts.test_top1) == (record.id, record.result.test_top1)
    store = ImageStore.prepare(SETTINGS.data, tmp_path, 32, test=True)
    assert (facts.class_names, facts.mean, facts.std) == (store.class_names, store.mean, store.std)
    augmentation = Augmentation(SETTINGS.recipe, 32, facts.mean, facts.std, facts.num_classes)
    with torch.inference_mode():
        logits = model(augmentation.evaluation(store.batch(store.test_indices)))
    hits = logits.argmax(1).numpy() == store.labels[store.test_indices]
    # batches of another size may round one image the other way
    assert abs(np.mean(hits) - facts.test_top1) <= 1.5 / len(hits)


def test_what_is_done_is_not_done_again(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_training, "train_trial", None)
    written = weights.read_bytes()
    assert trained(weights) == next(RunDir(weights.with_suffix("")).records())
    assert weights.read_bytes() == written
    left = {path.name for path in weights.with_suffix("").rglob("*") if path.is_file()}
    assert left == {".lock", "training.yaml", "provenance.json", "curve.csv", "record.json", "test_hits.txt"}


def test_weights_of_another_training_are_not_written_over(weights: Path) -> None:
    other = TrainingSettings.from_values({**SETTINGS.model_dump(), "recipe": {"epochs": 3}})
    for settings, seed in ((other, 0), (SETTINGS, 1)):
        with pytest.raises(ModelFileError, match="It holds other weights"):
            trained(weights, settings, seed)


def test_weights_that_were_trained_on_other_images_are_not_taken_for_these(tmp_path: Path) -> None:
    def settings(root: Path) -> TrainingSettings:
        data = {"source": "folder", "root": str(root), "validation": 0.5}
        return TrainingSettings.from_values({"recipe": {"epochs": 1, "batch_size": 4}, "data": data})

    for name, count in (("own", 6), ("other", 7)):
        for split in ("train", "test"):
            write_folder(tmp_path / name / split, per_class=count)
    output = tmp_path / "model.safetensors"
    record = trained(output, settings(tmp_path / "own"))
    (tmp_path / "own").rename(tmp_path / "moved")
    assert trained(output, settings(tmp_path / "moved")) == record
    with pytest.raises(ModelFileError, match="It holds other weights"):
        trained(output, settings(tmp_path / "other"))
    assert not RunDir(output.with_suffix("")).images.exists()


def test_a_training_that_was_begun_otherwise_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(job: Job, *_: object) -> None:
        RunDir(job.directory).trial(job.trial.id).mkdir(parents=True)
        raise KeyboardInterrupt

    output = tmp_path / "model.safetensors"
    with monkeypatch.context() as patched:
        patched.setattr(full_training, "train_trial", killed)
        with pytest.raises(KeyboardInterrupt):
            trained(output)
    before = snapshot(output.with_suffix("") / "trials")
    shorter = TrainingSettings.from_values({**SETTINGS.model_dump(), "recipe": {"epochs": 1, "batch_size": 50}})
    for settings, seed in ((shorter, 0), (SETTINGS, 1)):
        with pytest.raises(ModelFileError, match="A directory holds one training"):
            trained(output, settings, seed)
    assert snapshot(output.with_suffix("") / "trials") == before
    assert TrainingSettings.load(output.with_suffix("") / "training.yaml").recipe.epochs == 2
    assert trained(output).result is not None


@pytest.mark.parametrize("error", [MemoryError("Cannot allocate memory"), RuntimeError("could not create a primitive")])
def test_a_model_that_does_not_fit_into_memory_is_one_error_and_goes_on_later(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise error

    output = tmp_path / "model.safetensors"
    with monkeypatch.context() as patched:
        patched.setattr(full_training, "train_trial", full)
        with pytest.raises(OutOfMemoryError, match="memory of the cpu, with 50 images of 32 x 32 px a step. Got: "):
            trained(output)
    assert not output.exists()
    with monkeypatch.context() as patched:
        patched.setattr(full_training, "train_trial", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            trained(output)


def test_a_killed_training_goes_on_and_ends_as_an_undisturbed_one(weights: Path, tmp_path: Path) -> None:
    output, settings = tmp_path / "model.safetensors", tmp_path / "settings.yaml"
    settings.write_text(SETTINGS.to_yaml())
    command = [
        sys.executable,
        "-c",
        "from gpscale.cli import main; main()",
        "train",
        MODEL,
        "-o",
        str(output),
        "--threads",
        "1",
    ]
    command += ["--recipe", str(settings), "--data", str(settings)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.rglob("checkpoint.pt")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert not output.exists()
    done = subprocess.run([*command, "--json"], check=True, capture_output=True, text=True)
    (undisturbed,) = RunDir(weights.with_suffix("")).records()
    assert json.loads(done.stdout)["record"]["result"] == undisturbed.to_dict()["result"]
    own, its = (load_model(file)[0].state_dict() for file in (output, weights))
    assert all(torch.equal(own[name], its[name]) for name in its)


def test_a_recommendation_is_trained_as_it_was_recommended(tmp_path: Path) -> None:
    found = recommend("4M", study="quickstart")
    file = tmp_path / "found.json"
    file.write_text(json.dumps(found.to_dict()))
    chosen = find_architecture(str(file))
    assert (chosen.architecture, chosen.num_classes) == (found.architecture, 10)
    assert chosen.count(10) == (found.macs, found.params)


def test_a_recommendation_for_other_classes_is_refused_before_any_work(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    file.write_text(json.dumps(recommend("4M", study="quickstart", num_classes=7).to_dict()))
    with pytest.raises(ModelFileError, match=r"found\.json for 7, and images of 10\. Recommend again"):
        train_model(find_architecture(str(file)), SETTINGS, tmp_path / "model.safetensors")
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("none.json", ModelFileError, "must be a readable file"),
        ("mobilevitv3@64", UnknownNameError, "Unknown model 'mobilevitv3@64'"),
        ("timm:resnet18", UnknownNameError, "must be of one of our families"),
        ("mobilevitv2_050@64x96", UnknownNameError, "must have square images here"),
    ],
)
def test_what_is_no_architecture_is_refused(text: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        find_architecture(text)


@pytest.mark.parametrize("content", ["{", "[]", '{"family": "mobilevitv2"}', '{"family": "x", "architecture": {}}'])
def test_a_file_that_is_no_recommendation_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "found.json"
    file.write_text(content)
    with pytest.raises(ModelFileError, match="must be what `gpscale recommend --json` prints"):
        find_architecture(str(file))


def test_a_directory_of_someone_else_that_has_the_name_of_the_weights_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "pets" / "images")
    before = snapshot(tmp_path)
    with pytest.raises(ModelFileError, match=r"pets holds something else\. Choose another --output"):
        trained(tmp_path / "pets.safetensors")
    assert snapshot(tmp_path) == before


def test_bad_input_is_refused_before_any_work(tmp_path: Path) -> None:
    chosen = find_architecture(MODEL)
    with pytest.raises(ModelFileError, match=r"must be a file \*\.safetensors"):
        train_model(chosen, SETTINGS, tmp_path / "model.pt")
    with pytest.raises(StorageError, match="directory of the weights must exist"):
        train_model(chosen, SETTINGS, tmp_path / "none" / "model.safetensors")
    (tmp_path / "only" / "cat").mkdir(parents=True)
    no_test = TrainingSettings.from_values({"data": {"source": "folder", "root": tmp_path / "only"}})
    with pytest.raises(DataError):
        train_model(chosen, no_test, tmp_path / "model.safetensors")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="cuda"):
            train_model(chosen, SETTINGS, tmp_path / "model.safetensors", device="cuda")
    assert [path.name for path in tmp_path.iterdir()] == ["only"]


def test_recipe_and_images_are_found_where_a_user_has_them(tmp_path: Path) -> None:
    bare, sweep = tmp_path / "recipe.yaml", tmp_path / "sweep.yaml"
    bare.write_text("epochs: 7\n")
    sweep.write_text("base: mobilevitv2_050@32\nrecipe: {epochs: 9}\ndata: {train_images: 500}\n")
    assert read_settings(str(bare), None).recipe.epochs == 7
    both = read_settings(str(sweep), str(sweep), ["recipe.epochs=11"])
    assert (both.recipe.epochs, both.data.train_images) == (11, 500)
    assert read_settings("quickstart", "digits").recipe.epochs == 8
    for recipe, data, kind, words in (
        ("none.yaml", None, SweepFileError, "must be a readable YAML file"),
        ("none", None, UnknownNameError, "Unknown study"),
        (None, str(bare), SweepFileError, "must have a section `data`"),
        (None, "nowhere", DataError, "which is none"),
    ):
        with pytest.raises(kind, match=words):
            read_settings(recipe, data)
    with pytest.raises(SweepFileError, match="Did you mean 'epochs'"):
        read_settings(None, None, ["recipe.epoch=3"])
