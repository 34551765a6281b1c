from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from gpscale.errors import DataError
from gpscale.execution.machine import training_device
from gpscale.run_dir import RunDir
from gpscale.sweep import SweepConfig
from gpscale.sweep.estimate import estimate
from tests.synthetic_runs import snapshot, write_run

SWEEP = {
    "base": "mobilevitv2_050@32",
    "trials": 6,
    "data": {"train_images": 100, "validation_images": 50},
    "recipe": {"epochs": 3, "batch_size": 8},
}


def test_an_estimate_says_what_a_sweep_will_do_and_writes_nothing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    told: list[int] = []
    found = estimate(SweepConfig.from_values(SWEEP), RunDir(tmp_path / "runs" / "x"), 2, told.append)
    assert told == [3]
    assert (found.present, found.device) == (True, training_device())
    assert (found.trials, found.done, found.pending, found.workers) == (6, 0, 6, 2)
    assert (found.train_images, found.validation_images, found.images) == (100, 50, 6 * 3 * 100)
    assert found.macs_low < found.macs_high
    assert [macs for macs, *_ in found.calibration] == sorted(macs for macs, *_ in found.calibration)
    assert found.calibration[0][0] == found.macs_low
    assert found.calibration[-1][0] == found.macs_high
    assert all(training > evaluation > 0 for _, training, evaluation in found.calibration)
    assert found.seconds > 0
    assert json.loads(json.dumps(found.to_dict()))["pending"] == 6
    assert list(tmp_path.iterdir()) == []
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_what_is_done_need_not_be_trained(tmp_path: Path) -> None:
    run = write_run(tmp_path / "x", finished=4, **SWEEP)
    before = snapshot(run.path)
    found = estimate(SweepConfig.load(run.sweep_file), run, workers=1)
    assert (found.done, found.pending, found.images) == (4, 2, 2 * 3 * 100)
    assert snapshot(run.path) == before


def test_a_sweep_that_is_done_takes_no_time(tmp_path: Path) -> None:
    run = write_run(tmp_path / "x", **SWEEP)
    found = estimate(SweepConfig.load(run.sweep_file), run, workers=1)
    assert (found.pending, found.images) == (0, 0)
    assert found.seconds == pytest.approx(0.0)


def absent(root: Path, **data: Any) -> SweepConfig:
    """A sweep on images that it would download."""
    images = {"source": "mnist", "root": root / "data", "download": True, **data}
    return SweepConfig.from_values({**SWEEP, "num_classes": 10, "data": images})


def test_images_that_would_be_downloaded_are_not(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "runs" / "x")
    found = estimate(absent(tmp_path, train_images=100, validation_images=50), run, workers=2)
    assert (found.present, found.pending, found.images) == (False, 6, 6 * 3 * 100)
    assert found.seconds is not None
    assert found.seconds > 0
    unknown = estimate(absent(tmp_path), run, workers=2)
    assert (unknown.train_images, unknown.validation_images, unknown.images, unknown.seconds) == (None,) * 4
    assert list(tmp_path.iterdir()) == []


def test_images_that_nobody_would_download_must_be_there(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "x")
    for config, words in (
        (absent(tmp_path, download=False), "must be a directory"),
        (absent(tmp_path, source="folder"), "must be a directory"),
        (absent(tmp_path).model_copy(update={"num_classes": None}), "how many classes"),
    ):
        with pytest.raises(DataError, match=words):
            estimate(config, run, workers=1)


def test_models_are_timed_on_the_device_that_trials_train_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # a device without memory or kernels: whatever is computed there fails
    monkeypatch.setattr("gpscale.sweep.estimate.training_device", lambda: "meta")
    with pytest.raises((NotImplementedError, RuntimeError), match="(?i)meta"):
        estimate(SweepConfig.from_values(SWEEP), RunDir(tmp_path / "x"), workers=1)
