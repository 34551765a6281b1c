"""A validation through the console script: real trainings of seconds, and a real signal to a real process."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pandas as pd

from gpscale.comparison.validation import Validation
from gpscale.run_dir import RunDir
from gpscale.sweep import fit_run
from gpscale.training.test_hits import read_test_hits, read_top5_hits
from tests.comparison.instant import write_study
from tests.execution.processes import eventually
from tests.integration.tiny_sweep import Driver, mid_trial, results

OPTIONS = ("--budgets", 0.3, 0.6, "--seeds", 2, "--rules", "rule", "--rules", "width")


def test_a_kill_loses_no_finished_training_and_the_same_command_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    whole = write_study(tmp_path / "runs" / "whole", trials=12, fit={"bootstrap": 5})
    fit_run(whole, figures=False)
    killed = RunDir(shutil.copytree(whole.path, tmp_path / "runs" / "killed"))
    with Driver(tmp_path, "whole", *OPTIONS, command="validate") as driver:
        out, err = driver.wait()
    done = Validation(whole.validation(1))
    count = len(results(done.run))
    assert f"{count} trainings, 0 done before" in err
    assert done.verdict in out
    for row in done.trainings.to_dict("records"):
        top5 = read_top5_hits(done.run.trial(row["trial"]))
        assert top5 is not None
        assert (top5 >= read_test_hits(done.run.trial(row["trial"]))).all()
        assert row["test_top5"] == top5.mean()
    with Driver(tmp_path, "killed", *OPTIONS, "--workers", 1, command="validate") as driver:
        deadline = time.monotonic() + 300
        run = killed.validation(1)
        while not (results(run) and mid_trial(run)):
            assert driver.process.poll() is None, driver.process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(driver.process.pid, signal.SIGKILL)
        driver.process.wait()
        assert eventually(lambda: not driver.descendants(), 5)
    kept = len(results(run))
    with Driver(tmp_path, "killed", *OPTIONS, command="validate") as driver:
        _, err = driver.wait()
    assert f"{count} trainings, {kept} done before" in err
    assert results(run) == results(done.run)
    pd.testing.assert_frame_equal(Validation(run).table, done.table)
    pd.testing.assert_frame_equal(Validation(run).differences, done.differences)
    assert done.verdict in (whole.path / "card.md").read_text()
    assert (done.run.figures / "validation.png").stat().st_size > 10_000
