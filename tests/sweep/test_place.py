"""A run begins only where nothing of anyone else's lies, and takes back only what it has written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpscale.errors import DataError, RunDirError
from gpscale.execution import LocalExecutor
from gpscale.run_dir import RunDir
from gpscale.sweep import SweepConfig, run_sweep
from gpscale.sweep.driver import open_images
from gpscale.sweep.place import check_apart, is_unused, leave_nothing, remove_images
from gpscale.training.data.config import DataConfig
from gpscale.training.data.store import ImageStore
from tests.synthetic_runs import snapshot
from tests.training.data.made_images import write_folder

PROVENANCE = json.dumps({"data": {"fingerprint": "0123", "classes": ["cat", "dog"]}})

Write = Callable[[Path], object]


def file(name: str, content: str = "") -> Write:
    def write(directory: Path) -> None:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(content)

    return write


LEFT = {
    "nothing": lambda directory: None,
    "a lock": file(".lock"),
    "images begun": file("images/.images.npy.a1b2c3_d.tmp", "x"),
    "images": lambda directory: ImageStore.prepare(DataConfig(train_images=20), directory / "images", 8),
    "a provenance": file("provenance.json", PROVENANCE),
    "a provenance begun": file(".provenance.json.abcdefgh.tmp", "{"),
    "a sweep file begun": file(".sweep.yaml.abcdefgh.tmp", "base:"),
}

FOREIGN = {
    "images of someone": lambda directory: write_folder(directory / "images"),
    "an image among the decoded": file("images/cat.png"),
    "a directory named as decoded images": file("images/images.npy/cat.png"),
    "a repository": file(".git/HEAD"),
    "a hidden file": file(".bashrc"),
    "a lock of someone": file(".lock", "someone"),
    "a provenance of someone": file("provenance.json", '{"data": "mine"}'),
    "a provenance that is no JSON": file("provenance.json", "mine"),
    "a temporary file of someone": file(".notes.txt.abcdefgh.tmp"),
    "trials": file("trials/notes.txt"),
}


@pytest.mark.parametrize("write", LEFT.values(), ids=LEFT)
def test_what_a_killed_start_has_left_is_no_hindrance_and_can_be_taken_back(tmp_path: Path, write: Write) -> None:
    run = RunDir(tmp_path / "runs" / "x")
    assert is_unused(run)
    run.path.mkdir(parents=True)
    write(run.path)
    assert is_unused(run)
    run.remove_leftovers()
    leave_nothing(run)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("write", FOREIGN.values(), ids=FOREIGN)
def test_what_is_of_someone_else_is_a_hindrance_and_stays_when_all_of_ours_is_removed(
    tmp_path: Path, write: Write
) -> None:
    run = RunDir(tmp_path / "x")
    run.path.mkdir()
    write(run.path)
    before = snapshot(tmp_path)
    assert not is_unused(run)
    with pytest.raises(RunDirError, match="must be empty or hold a sweep"):
        run_sweep(SweepConfig(base="mobilevitv2_050@32"), run, LocalExecutor())
    assert snapshot(tmp_path) == before
    remove_images(run)
    assert snapshot(tmp_path) == before


def test_further_files_of_a_start_come_after_its_images(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    file("entries.json", "[]")(tmp_path)
    assert not is_unused(run, "entries.json")
    ImageStore.prepare(DataConfig(train_images=20), run.images, 8)
    assert is_unused(run, "entries.json")
    assert not is_unused(run)


def test_images_that_are_linked_to_are_not_removed(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    ImageStore.prepare(DataConfig(train_images=20), shared, 8)
    run = RunDir(tmp_path / "x")
    run.path.mkdir()
    run.images.symlink_to(shared)
    before = snapshot(shared)
    remove_images(run)
    assert snapshot(shared) == before


def sweep_of(root: Path, **settings: Any) -> SweepConfig:
    data = {"source": "folder", "root": str(root)}
    return SweepConfig.from_values({"base": "mobilevitv2_050@32", "trials": 3, "data": data, **settings})


def test_a_corrupt_image_costs_no_other_file(tmp_path: Path) -> None:
    write_folder(tmp_path / "pets" / "images")
    file("pets/images/cat/bad.png", "no image")(tmp_path)
    before = snapshot(tmp_path)
    # the run directory is that of the images
    with pytest.raises(RunDirError):
        run_sweep(sweep_of(tmp_path / "pets" / "images"), RunDir(tmp_path / "pets"), LocalExecutor())
    assert snapshot(tmp_path) == before
    with pytest.raises(DataError, match=r"bad\.png"):
        run_sweep(sweep_of(tmp_path / "pets" / "images"), RunDir(tmp_path / "runs" / "pets"), LocalExecutor())
    assert snapshot(tmp_path) == before
    assert not (tmp_path / "runs").exists()


def test_what_came_into_a_run_directory_meanwhile_outlives_a_start_that_fails(tmp_path: Path) -> None:
    write_folder(tmp_path / "pets")
    file("pets/cat/bad.png", "no image")(tmp_path)
    run = RunDir(tmp_path / "runs" / "x")
    file("runs/x/notes.txt", "mine")(tmp_path)
    before = snapshot(tmp_path)
    with run.locked(), pytest.raises(DataError):
        open_images(sweep_of(tmp_path / "pets"), run, 2)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("run", "root", "is_apart"),
    [
        ("runs/x", "pets", True),
        ("pets/runs/x", "pets/images", True),
        ("pets/runs/x", "pets", False),
        ("pets", "pets", False),
        ("pets", "pets/images", False),
        ("runs", "runs/x/../images", False),
        ("split/runs/x", "split", True),
        ("split/train/x", "split", False),
    ],
)
def test_a_run_directory_and_its_images_lie_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: str, root: str, is_apart: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "split" / "train").mkdir(parents=True)
    data = DataConfig(source="folder", root=Path(root))
    if is_apart:
        check_apart(RunDir(run), data)
    else:
        with pytest.raises(RunDirError, match=r"must lie outside of .*`data\.root`"):
            check_apart(RunDir(run), data)


def test_a_downloaded_set_may_lie_around_the_run_directory(tmp_path: Path) -> None:
    check_apart(RunDir(tmp_path / "runs" / "x"), DataConfig(source="cifar10", root=tmp_path))
    check_apart(RunDir(tmp_path), DataConfig())
