"""A comparison through the console script: real trainings of seconds, and a real signal to a real process."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pandas as pd

from gpscale.comparison.side_by_side import Comparison
from gpscale.run_dir import RunDir
from tests.cli.command import gpscale_process
from tests.execution.processes import eventually
from tests.integration.tiny_sweep import Driver, results

COMPARISON = """
budgets: [3M]
entrants: [mobilenetv3_small, {family: mobilevitv2, base: mobilevitv2_050@32}]
seeds: 2
timing: false
data: {train_images: 100, validation_images: 50}
recipe: {epochs: 2, batch_size: 25}
"""


def test_a_kill_loses_no_finished_training_and_the_same_command_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(COMPARISON)
    whole, killed = RunDir(tmp_path / "whole" / "tiny"), RunDir(tmp_path / "killed" / "tiny")
    with Driver(tmp_path, file, "--runs", "whole", command="compare") as driver:
        out, err = driver.wait()
    assert "4 trainings, 0 done before" in err
    assert "mobilenetv3_small" in out
    with Driver(tmp_path, file, "--runs", "killed", "--workers", 1, command="compare") as driver:
        deadline = time.monotonic() + 300
        while not results(killed):
            assert driver.process.poll() is None, driver.process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(driver.process.pid, signal.SIGKILL)
        driver.process.wait()
        assert eventually(lambda: not driver.descendants(), 5)
    kept = len(results(killed))
    with Driver(tmp_path, file, "--runs", "killed", command="compare") as driver:
        _, err = driver.wait()
    assert f"4 trainings, {kept} done before" in err
    assert results(killed) == results(whole)
    pd.testing.assert_frame_equal(Comparison(killed).table, Comparison(whole).table)
    assert Comparison(whole).table["seeds"].tolist() == [2, 2]
    assert "| mobilenetv3_small |" in (whole.path / "card.md").read_text().replace("**", "")
    assert (whole.figures / "comparison.png").stat().st_size > 10_000


def test_a_dry_run_prints_what_would_be_built_and_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(COMPARISON)
    ran = gpscale_process("compare", file, "--dry-run", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert "mobilevitv2_050@32" in ran.out
    assert list(tmp_path.iterdir()) == [file]
