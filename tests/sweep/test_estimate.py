from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

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
    found = estimate(SweepConfig.from_values(SWEEP), RunDir(tmp_path / "runs" / "x"), workers=2)
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
