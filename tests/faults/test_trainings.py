"""Faults of real trainings: files that are damaged, memory that does not suffice."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpscale.doctor import QUARANTINE
from tests.faults.harness import TRIALS, Commands, Sweep
from tests.faults.stand_ins import SCARCE_FILE, beside_sweep_file

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")


@pytest.fixture
def training(commands: Commands, tmp_path: Path) -> Sweep:
    """A sweep of real trials."""
    return Sweep(commands, tmp_path / "training", "training")


def test_damaged_records_curves_and_checkpoints_are_named_and_the_next_run_makes_them_good(
    training: Sweep, trained: Mapping[str, Any]
) -> None:
    sweep = training
    sweep.hold_at(2)
    driver = sweep.start()
    driver.wait_until(lambda: len(sweep.finished()) == 2 and len(in_training(sweep)) == 1)
    driver.kill(signal.SIGKILL)
    driver.wait()
    sweep.hold_at(None)
    [begun] = in_training(sweep)
    first, second = sorted(sweep.finished())
    run = sweep.run
    damaged = {
        cut_short(run.record_file(first)),
        garble(run.record_file(second)),
        cut_short(run.trial(second) / "curve.csv"),
        garble(run.trial(begun) / "curve.csv"),
        garble(run.trial(begun) / "checkpoint.pt"),
    }
    content = {file.read_bytes() for file in damaged}
    refused = sweep.start().wait()
    assert refused.status == 2
    assert "record.json must hold" in refused.error
    assert "gpscale doctor" in refused.error
    examined = sweep.doctor()
    assert examined.status == 1
    named = {line.partition(" is damaged: ")[0] for line in examined.out.splitlines() if " is damaged: " in line}
    # a trial whose record is damaged is moved as a whole
    files = {run.trial(begun) / "curve.csv", run.trial(begun) / "checkpoint.pt", run.trial(first), run.trial(second)}
    assert named == {file.relative_to(run.path).as_posix() for file in files}
    assert examined.out.count("what to do: ") == len(files)
    # nothing is deleted
    assert content <= {file.read_bytes() for file in (run.path / QUARANTINE).rglob("*") if file.is_file()}
    assert sweep.start().wait().is_complete
    assert sweep.results() == trained
    assert sweep.doctor().status == 0


def test_a_trial_without_memory_is_recorded_and_the_sweep_goes_on(training: Sweep, trained: Mapping[str, Any]) -> None:
    victim = sorted(trained)[1]
    scarce = beside_sweep_file(training.run, SCARCE_FILE)
    scarce.write_text(victim)
    ran = training.start().wait()
    assert f"finished trials. Got {TRIALS - 1}." in ran.error
    assert training.failures() == {victim: "out_of_memory"}
    assert f"{victim} failed: out_of_memory: " in ran.err
    kept = training.finished()
    scarce.unlink()
    assert training.start("--retry", "out_of_memory").wait().is_complete
    assert kept.items() <= training.finished().items()
    assert training.results() == trained


def in_training(sweep: Sweep) -> list[str]:
    files = sweep.run.path.glob("trials/*/checkpoint.pt")
    return [file.parent.name for file in files if not sweep.run.record_file(file.parent.name).exists()]


def cut_short(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def garble(path: Path) -> Path:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = np.random.default_rng(0).bytes(40)
    path.write_bytes(content)
    return path
