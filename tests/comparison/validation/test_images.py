"""A validation sees the images of its study, as the study has them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gpscale.comparison.validation import Validation
from gpscale.errors import DataError, RunDirError
from gpscale.run_dir import RunDir
from gpscale.training.data.config import DataConfig
from gpscale.training.data.store import ImageStore
from tests.comparison.instant import SETTINGS, Scored
from tests.comparison.validation.validating import validate
from tests.synthetic_runs import CLASSES, snapshot


def at_folder(run: RunDir, root: Path) -> None:
    """Let a study say that its images lie in a folder."""
    text = run.sweep_file.read_text().replace("source: digits", "source: folder")
    run.sweep_file.write_text(text.replace("root: null", f"root: {root}"))


def test_images_other_than_the_study_s_are_refused_and_nothing_is_left(study: RunDir, tmp_path: Path) -> None:
    whole = shutil.copytree(study.path, tmp_path / "whole")
    for part in ("train", "test"):
        for number in range(CLASSES):
            (tmp_path / "in" / part / f"c{number}").mkdir(parents=True)
            for image in range(12):
                noise = np.random.default_rng(image).integers(0, 255, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(noise).save(tmp_path / "in" / part / f"c{number}" / f"{image}.png")
    at_folder(study, tmp_path / "in")
    with pytest.raises(RunDirError, match="trains on the images of its study"):
        validate(study)
    assert snapshot(study.path).keys() == snapshot(whole).keys()
    assert not (study.path / "validations").exists()
    # nor is a version that was begun with the right ones harmed
    begun = validate(RunDir(whole))
    at_folder(RunDir(whole), tmp_path / "in")
    executor = Scored()
    with pytest.raises(RunDirError, match="trains on the images of its study"):
        validate(RunDir(whole), executor, shares=(0.4, 0.6, 0.8))
    assert executor.jobs == []
    assert Validation(begun.run).version == begun.version
    assert not begun.run.images.exists()


def test_images_are_stored_as_the_study_has_them_whatever_is_picked(study: RunDir) -> None:
    provenance = json.loads(study.provenance_file.read_text())
    # the same images, at another size than their own
    stored = ImageStore.prepare(DataConfig(**SETTINGS["data"], stored_pixels=12), study.path / "images", 32)
    provenance["data"] |= {"fingerprint": stored.fingerprint, "stored_pixels": 12}
    study.provenance_file.write_text(json.dumps(provenance))
    for shares in ((0.4,), (0.4, 0.8)):
        assert validate(study, shares=shares).images["stored_pixels"] == 12


def test_images_without_a_test_split_are_refused(study: RunDir, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "a.png").write_bytes(b"")
    at_folder(study, tmp_path / "in")
    with pytest.raises(DataError, match="A test split must lie in"):
        validate(study)
