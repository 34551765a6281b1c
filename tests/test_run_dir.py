"""The run directory: files that are whole or absent, one driver at a time, damage named."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from gpscale import run_dir
from gpscale.errors import RunDirError, UnknownNameError
from gpscale.run_dir import RunDir, find_own_run, find_study, shipped_studies
from gpscale.trial import FailureReason, Result, Trial, TrialRecord
from tests.execution.processes import eventually, python
from tests.synthetic_runs import write_run
from tests.test_stored import WRITER

TRIAL = Trial("mobilevitv2", {"pixels": 64}, 10, {"epochs": 1}, "digits", 0)
RESULT = Result(0.5, 0.9, 0.4, 0.8, 1.0, 1.1, 1.2, 1, 1000, 100)
RECORD = TrialRecord(TRIAL.id, TRIAL, RESULT, measured={"seconds": 1.5})
REPOSITORY = Path(__file__).parent.parent

HOLDER = """
import pathlib, sys, time
from gpscale.run_dir import RunDir
with RunDir(sys.argv[1]).locked():
    pathlib.Path(sys.argv[1], "held").touch()
    time.sleep(60)
"""


def test_records_are_read_back_in_order_of_their_ids(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    assert list(run.records()) == []
    assert run.record(RECORD.id) is None
    failed = TrialRecord("0" * 16, dataclasses.replace(TRIAL, seed=1), None, FailureReason.CRASHED, "gone")
    run.write_record(RECORD)
    run.write_record(failed)
    run.trial("f" * 16).mkdir(parents=True)  # a trial that has begun and not ended
    assert list(run.records()) == [failed, RECORD]
    assert run.trial_ids() == ["0" * 16, RECORD.id, "f" * 16]
    assert run.record(RECORD.id) == RECORD


def test_what_a_killed_writer_leaves_is_no_record(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.write_record(RECORD)
    (run.trial(RECORD.id) / ".record.json.abcdefgh.tmp").write_text('{"id": "')
    assert list(run.records()) == [RECORD]


def test_what_killed_writers_leave_is_removed_and_nothing_else(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.write_record(RECORD)
    with python(WRITER, run.trial(RECORD.id) / "curve.csv") as writer:
        assert eventually(lambda: any(run.trial(RECORD.id).glob(".curve.csv.*")), 60)
        writer.kill()
        writer.wait()
    (run.trial(RECORD.id) / ".record.json.abcdefgh.tmp").touch()
    run.remove_leftovers()
    assert {entry.name for entry in run.trial(RECORD.id).iterdir()} <= {"record.json", "curve.csv"}
    assert run.record(RECORD.id) == RECORD


def damaged(key: str, value: object) -> str:
    return json.dumps({**RECORD.to_dict(), key: value})


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "{}",
        json.dumps(RECORD.to_dict())[:-40],
        damaged("identity", None),
        damaged("result", {"top1": 0.5}),
        damaged("result", "good"),
        damaged("failure", {"reason": "bored", "detail": ""}),
        damaged("failure", {"reason": "crashed", "detail": "and finished"}),
        damaged("result", None),
        damaged("state", "failed"),
        damaged("result", {**RECORD.to_dict()["result"], "top1": None}),
        damaged("result", {**RECORD.to_dict()["result"], "top1": 47.0}),
        damaged("result", {**RECORD.to_dict()["result"], "top5_raw": -0.1}),
        damaged("result", {**RECORD.to_dict()["result"], "test_top1": 1.1}),
        damaged("result", {**RECORD.to_dict()["result"], "train_loss": float("nan")}),
        damaged("result", {**RECORD.to_dict()["result"], "macs": "many"}),
        damaged("identity", {**RECORD.to_dict()["identity"], "architecture": {}}),
        "\x00" * 512,
    ],
)
def test_a_damaged_record_raises_an_error_that_names_the_file(tmp_path: Path, content: str) -> None:
    run = RunDir(tmp_path)
    run.write_record(RECORD)
    run.record_file(RECORD.id).write_text(content)
    for read in (lambda: run.record(RECORD.id), lambda: list(run.records())):
        with pytest.raises(RunDirError) as caught:
            read()
        assert str(run.record_file(RECORD.id)) in str(caught.value)
        assert "gpscale doctor" in str(caught.value)


def test_a_record_that_is_no_text_raises_an_error_that_names_the_file(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.write_record(RECORD)
    run.record_file(RECORD.id).write_bytes(b"\xff\xfe\x80")
    with pytest.raises(RunDirError, match=r"record\.json must hold JSON"):
        run.record(RECORD.id)


def test_a_second_driver_in_this_process_is_refused(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    assert not run.is_locked()
    with run.locked():
        assert run.is_locked()
        with pytest.raises(RunDirError, match=r"Only one sweep may run in .*run"), RunDir(run.path).locked():
            pytest.fail("the lock was given twice")
        assert run.is_locked()
    assert not run.is_locked()
    with run.locked():
        pass


def test_a_driver_in_another_process_excludes_this_one_until_it_is_killed(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    with python(HOLDER, run.path) as holder:
        assert eventually((run.path / "held").exists, 60)
        assert run.is_locked()
        with pytest.raises(RunDirError, match="Another one is running there"), run.locked():
            pytest.fail("the lock was given twice")
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert not run.is_locked()
        with run.locked():
            assert run.is_locked()


def test_looking_at_the_lock_does_not_take_it_and_makes_no_file(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    assert not run.is_locked()
    assert list(tmp_path.iterdir()) == []
    with run.locked():
        pass
    assert not run.is_locked()
    with run.locked():
        pass


def test_a_study_is_found_by_its_directory_by_its_name_in_runs_and_by_its_shipped_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "shipped"
    monkeypatch.setattr(run_dir, "SHIPPED_STUDIES", shipped)
    monkeypatch.chdir(tmp_path)
    default = run_dir.DEFAULT_STUDY
    for directory in (shipped / default, shipped / "both", tmp_path / "runs" / "own", tmp_path / "both"):
        directory.mkdir(parents=True)
        (directory / "sweep.yaml").touch()
    assert find_study().path == find_study(default).path == shipped / default
    assert find_study("own").path == Path("runs/own")
    assert find_study("runs/own").path.resolve() == tmp_path / "runs" / "own"
    assert find_study(tmp_path / "runs" / "own").path == tmp_path / "runs" / "own"
    assert find_study("both").path == shipped / "both"
    assert find_study("./both").path.resolve() == tmp_path / "both"


def test_a_study_is_found_again_by_its_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped, here = tmp_path / "shipped", tmp_path / "here"
    monkeypatch.setattr(run_dir, "SHIPPED_STUDIES", shipped)
    directories = (shipped / "both", here / "runs" / "both", here / "both", here, tmp_path / "outside")
    for directory in directories:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "sweep.yaml").touch()
    monkeypatch.chdir(here)
    for directory in directories:
        assert find_study(RunDir(directory).reference).path.resolve() == directory
    assert RunDir(shipped / "both").reference == "both"
    assert RunDir(here / "runs" / "both").reference == RunDir("runs/both").reference == os.path.join("runs", "both")
    assert RunDir(tmp_path / "outside").reference == str(tmp_path / "outside")


def test_a_shipped_study_is_written_into_only_by_its_path() -> None:
    with pytest.raises(
        RunDirError, match=r"'quickstart', which ships with gpscale\. Give the path of a run, such as runs"
    ):
        find_own_run("quickstart")
    path = find_study("quickstart").path
    assert find_own_run(str(path)).path == path


def test_an_unknown_study_lists_the_shipped_ones_and_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"'quickstrat'.*quickstart.*Did you mean 'quickstart'\?"):
        find_study("quickstrat")


@pytest.mark.parametrize("study", [3, 1.5, ["quickstart"]])
def test_a_study_that_is_no_name_is_refused_and_shown(study: Any) -> None:
    with pytest.raises(UnknownNameError, match=re.escape(f"Unknown study or run directory {study!r}")):
        find_study(study)


def test_a_directory_without_a_sweep_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=f"No run directory '{tmp_path}': it has no sweep.yaml"):
        find_study(tmp_path)


def test_a_path_where_no_run_lies_is_refused_with_the_runs_there_are_and_what_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "runs" / "quickstart", trials=1)
    shipped = ", ".join(shipped_studies())
    with pytest.raises(UnknownNameError) as caught:
        find_own_run("runs/cifar10")
    assert str(caught.value) == f"No run directory 'runs/cifar10'. Known: {shipped}, runs/quickstart."
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "cifar10.yaml").write_text("base: mobilevitv2_050@64\n")
    with pytest.raises(UnknownNameError, match=r"`gpscale sweep sweeps/cifar10\.yaml` makes it\.$"):
        find_own_run("runs/cifar10")
    with pytest.raises(UnknownNameError, match=r"Did you mean 'runs/quickstart'\?$"):
        find_study("runs/quickstrat")


def test_the_default_study_ships_with_the_package() -> None:
    assert run_dir.DEFAULT_STUDY in shipped_studies()
