"""Whole sweeps of real trainings through the console script; real signals to real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import gpscale
from gpscale.report.card import card
from gpscale.run_dir import RunDir
from gpscale.study import Study
from gpscale.trial import FailureReason, TrialState
from tests.cli.command import Ran, gpscale_here
from tests.execution.processes import eventually
from tests.integration.tiny_sweep import Driver, mid_trial, results, trial_process, write_sweep
from tests.synthetic_runs import snapshot

MINUTES = 60.0


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sweeps")


@pytest.fixture(scope="module")
def whole(directory: Path) -> tuple[RunDir, str, str]:
    """A sweep with two workers that nothing has disturbed, and what it printed on either stream."""
    with Driver(directory, "whole", "--workers", 2) as driver:
        return driver.run, *driver.wait()


def wait_until(condition: Callable[[], bool], driver: Driver) -> None:
    """Wait as long as the driver lives."""
    deadline = time.monotonic() + 5 * MINUTES
    while not condition():
        assert driver.process.poll() is None, driver.process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)


def sweep_here(directory: Path, name: str, *options: object, runs: str = "runs") -> Ran:
    """Go on with a sweep in this process and draw nothing, where neither its process nor its figures are tested."""
    with mock.patch("gpscale.plotting.draw_all") as drawing:
        ran = gpscale_here("sweep", write_sweep(directory), "--runs", directory / runs, "--name", name, *options)
    assert ran.code == 0, ran.err
    assert drawing.call_count == 1
    return ran


def without(files: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {path: content for path, content in files.items() if path not in names}


def test_one_command_trains_fits_selects_draws_and_recommends(
    whole: tuple[RunDir, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, out, err = whole
    # the command that the card prints is for the directory in which the sweep was run
    monkeypatch.chdir(run.path.parents[1])
    study = Study(run)
    assert len(study.finished) == 6
    assert study.status()["trials"] == {"finished": 6, "interrupted": 0, "pending": 0}
    assert len(study.pareto) >= 3
    assert {file.name for file in run.figures.iterdir()} >= {"front.png", "rule.png", "surface.png"}
    assert not list(run.path.glob("trials/*/checkpoint.pt"))
    assert not list(run.path.rglob("*.tmp"))
    assert run.card_file.read_text() == card(study)
    for words in ("Pareto set", "Rule", "Recommendations", "c = 0.25", "c = 1"):
        assert words in out
    assert "6 trials, 0 done before, 2 at a time" in err
    assert err.count(" top-1 ") == 6
    low, high = study.rule.c_range
    found = gpscale.recommend(round(0.5 * (low + high) * study.base.macs), study=run.path)
    assert 0.97 * found.budget <= found.macs <= found.budget
    assert found.top1 is not None


def test_a_result_says_what_was_trained(whole: tuple[RunDir, str, str]) -> None:
    run = whole[0]
    for record in run.records():
        assert record.result is not None
        assert record.result.epochs == 2
        assert 0 <= record.result.top1 <= record.result.top5 <= 1
        assert record.result.top1 == pytest.approx(round(100 * record.result.top1) / 100)
        lines = (run.trial(record.id) / "curve.csv").read_text().splitlines()
        assert len(lines) == 3
    provenance = json.loads(run.provenance_file.read_text())
    assert provenance["data"]["train_images"] == provenance["data"]["validation_images"] == 100
    # as large as the digits are
    assert provenance["data"]["stored_pixels"] == 8


def test_the_same_command_again_trains_nothing_and_gives_equal_files(whole: tuple[RunDir, str, str]) -> None:
    run = whole[0]
    before = snapshot(run.path)
    with Driver(run.path.parents[1], "whole", "--workers", 2) as driver:
        out, err = driver.wait()
    assert err == "6 trials, 6 done before, 2 at a time\n"
    assert out == whole[1]
    # the day of the last visit is all that may change
    assert without(snapshot(run.path), "provenance.json") == without(before, "provenance.json")


def test_a_driver_killed_in_mid_trial_leaves_no_process_and_the_same_command_gives_the_undisturbed_results(
    whole: tuple[RunDir, str, str], directory: Path
) -> None:
    with Driver(directory, "killed", "--workers", 1) as driver:
        run = driver.run
        # the second trial has trained an epoch
        wait_until(lambda: bool(results(run)) and bool(mid_trial(run)), driver)
        os.kill(driver.process.pid, signal.SIGKILL)
        assert driver.process.wait() == -signal.SIGKILL
        assert eventually(lambda: not driver.descendants(), 5)
    [begun] = [trial for trial in run.trial_ids() if not run.record_file(trial).exists()]
    assert (run.trial(begun) / "checkpoint.pt").exists()
    kept = {trial: run.record_file(trial).read_bytes() for trial in results(run)}
    assert 1 <= len(kept) < 6
    status = json.loads(gpscale_here("status", run.path, "--json").out)
    assert status["running"] is False
    assert status["trials"] == {"finished": len(kept), "interrupted": 1, "pending": 5 - len(kept)}
    ran = sweep_here(directory, "killed", "--workers", 1)
    assert f"6 trials, {len(kept)} done before, 1 at a time" in ran.err
    # one worker here, two there
    assert results(run) == results(whole[0])
    assert {trial: run.record_file(trial).read_bytes() for trial in kept} == kept
    assert (run.path / "rule.json").read_bytes() == (whole[0].path / "rule.json").read_bytes()
    # the interrupted trial went on from its checkpoint: its log has two processes
    assert (run.trial(begun) / "log.txt").read_text().count("# process") == 2


def test_more_trials_keep_the_first_ones_also_in_a_copy_without_images(
    whole: tuple[RunDir, str, str], directory: Path
) -> None:
    copy = RunDir(directory / "copies" / "whole")
    # as a shipped study is: records without images and logs
    shutil.copytree(whole[0].path, copy.path, ignore=shutil.ignore_patterns("images", "log.txt", ".lock"))
    before = snapshot(copy.path / "trials")
    ran = sweep_here(directory, "whole", "--trials", 8, runs="copies")
    assert "8 trials, 6 done before" in ran.err
    after = snapshot(copy.path / "trials")
    assert {name: after[name] for name in before} == before
    assert len(results(copy)) == 8
    study = Study(copy)
    assert study.facts["trials"] == {"planned": 8, "finished": 8, "failed": 0, "stopped": 0}
    assert study.settings["trials"] == 8


def test_a_trial_that_is_killed_is_recorded_and_shown_and_the_sweep_goes_on(directory: Path) -> None:
    with Driver(directory, "failing", "--workers", 2, "--trials", 7, "--json") as driver:
        run = driver.run
        wait_until(lambda: bool(mid_trial(run)), driver)
        victim = mid_trial(run)[0]
        os.kill(trial_process(run, victim), signal.SIGKILL)
        # a second driver is turned away while the first one runs
        refused = gpscale_here("sweep", directory / "tiny.yaml", "--runs", run.path.parent, "--name", run.name)
        assert refused.code == 2
        assert "Another one is running there" in refused.err
        assert json.loads(gpscale_here("status", run.path, "--json").out)["running"] is True
        out, err = driver.wait()
    record = run.record(victim)
    assert record is not None
    assert (record.state, record.failure) == (TrialState.FAILED, FailureReason.CRASHED)
    assert "SIGKILL" in record.detail
    assert len(results(run)) == 7
    assert sum(result is None for result in results(run).values()) == 1
    assert json.loads(out)["trials"] == {"planned": 7, "finished": 6, "failed": 1, "stopped": 0}
    events = [json.loads(line) for line in err.splitlines()]
    assert [event["event"] for event in events].count("ended") == 7
    [failed] = [event for event in events if event.get("state") == "failed"]
    assert failed["trial"] == victim
    shown = gpscale_here("status", run.path)
    assert "6 finished, 1 failed" in shown.out
    assert f"failed {victim}: crashed: killed by signal 9" in shown.out
    # failed trials are run again when that is asked for, and only those
    before = without(results(run), victim)
    sweep_here(directory, "failing", "--workers", 2, "--trials", 7, "--retry", "crashed")
    assert results(run)[victim] is not None
    assert without(results(run), victim) == before


def test_trainings_that_diverge_are_recorded_as_such_and_too_few_are_left_to_fit(directory: Path) -> None:
    # such a decay multiplies the weights by -99 at each step
    wild = ("learning_rate=10", "learning_rate_scaling=none", "warmup=0", "weight_decay=10", "epochs=8")
    options = [part for setting in wild for part in ("--set", f"recipe.{setting}")]
    with Driver(directory, "wild", "--trials", 2, *options) as driver:
        _, err = driver.wait(2)
    assert "Traceback" not in err
    assert "at least 6 finished trials. Got" in err
    assert FailureReason.DIVERGED in [record.failure for record in driver.run.records()]
    assert "diverged" in gpscale_here("status", driver.run.path).out
