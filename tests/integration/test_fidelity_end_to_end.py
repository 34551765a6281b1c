"""Longer trainings through the console script, with a real signal to a real process; the short ones are made up."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from gpscale.run_dir import RunDir
from gpscale.study import Study
from tests.comparison.instant import write_study
from tests.execution.processes import eventually
from tests.integration.tiny_sweep import Driver, mid_trial, results

SECONDS = 300.0
OPTIONS = ("--trials", 3, "--epochs-factor", 2)


def write_tiny_study(path: Path) -> RunDir:
    return write_study(path, trials=4, space={"resolution": {"low": 0.5, "high": 1.0}})


def test_a_kill_in_mid_training_loses_nothing_and_the_same_command_gives_the_undisturbed_results(
    tmp_path: Path,
) -> None:
    whole, killed = (write_tiny_study(tmp_path / "runs" / name) for name in ("whole", "killed"))
    with Driver(tmp_path, "whole", *OPTIONS, "--workers", 2, command="fidelity") as driver:
        out, err = driver.wait()
    assert "3 trials, 0 done before, 2 at a time" in err
    assert "Too few trials" in out
    assert "top-1, 4 epochs" in out
    with Driver(tmp_path, "killed", *OPTIONS, "--workers", 1, command="fidelity") as driver:
        deadline = time.monotonic() + SECONDS
        while not (results(killed.fidelity) and mid_trial(killed.fidelity)):
            assert driver.process.poll() is None, driver.process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(driver.process.pid, signal.SIGKILL)
        driver.process.wait()
        assert eventually(lambda: not driver.descendants(), 5)
    [begun] = mid_trial(killed.fidelity)
    kept = len(results(killed.fidelity))
    assert Study(killed.fidelity).status()["trials"] == {"finished": kept, "interrupted": 1, "pending": 2 - kept}
    with Driver(tmp_path, "killed", *OPTIONS, "--workers", 1, command="fidelity") as driver:
        _, err = driver.wait()
    assert f"3 trials, {kept} done before, 1 at a time" in err
    assert results(killed.fidelity) == results(whole.fidelity)
    assert Study(killed).fidelity == Study(whole).fidelity
    # the interrupted training went on from its checkpoint: its log has two processes
    assert (killed.fidelity.trial(begun) / "log.txt").read_text().count("# process") == 2
    assert not killed.fidelity.images.exists()
    assert {
        len((killed.fidelity.trial(one) / "curve.csv").read_text().splitlines()) for one in results(whole.fidelity)
    } == {5}
