"""What a sweep shows while it runs: bars on a terminal, lines elsewhere, JSON for machines."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpscale.cli.progress import listener
from gpscale.execution import Ended, Event, Progressed, Started
from gpscale.sweep import Plan, SweepConfig, plan_trials
from gpscale.trial import Progress, Stop, TrialRecord
from tests.cli.command import ENVIRONMENT
from tests.synthetic_runs import write_run


def sweep(directory: Path) -> tuple[Plan, list[TrialRecord]]:
    """Plan three trials, of which one has ended before; the second will finish and the third fail."""
    run = write_run(directory / "run", trials=3, failed=[2])
    trials = plan_trials(SweepConfig.load(run.sweep_file), 10, "synthetic")
    records = [run.record(trial.id) for trial in trials]
    done, second, third = (record for record in records if record is not None)
    return Plan(trials, {done.id: done}), [second, third]


def events(records: list[TrialRecord]) -> Iterator[Event]:
    for record in records:
        yield Started(record.id)
        yield Progressed(Progress(record.id, 0, 2, 50, 200, 123.4, 2.345))
        yield Progressed(Progress(record.id, 0, 2, 51, 200, 123.4, 2.345))
        yield Ended(record)


def show(directory: Path, *, as_json: bool) -> None:
    plan, records = sweep(directory)
    with listener(as_json=as_json, workers=lambda: 2) as progress:
        progress.plan(plan)
        for event in events(records):
            progress.event(event)


def test_away_from_a_terminal_each_trial_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show(tmp_path, as_json=False)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0] == "3 trials, 1 done before, 2 at a time"
    assert re.fullmatch(r"\[2/3\] [0-9a-f]{16} top-1 \d+\.\d%, [\d.]+M MACs, \d+ px, 11 s", lines[1])
    assert re.fullmatch(r"\[3/3\] [0-9a-f]{16} failed: diverged: TrainingError: the loss is nan", lines[2])
    assert "\x1b" not in err


def test_for_machines_each_event_is_a_line_of_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show(tmp_path, as_json=True)
    out, err = capsys.readouterr()
    assert out == ""
    found = [json.loads(line) for line in err.splitlines()]
    assert found[0] == {"event": "plan", "what": "trials", "trials": 3, "done": 1}
    # the second report of the same trial comes within a second and is left out
    assert [line["event"] for line in found[1:]] == ["started", "progress", "ended"] * 2
    assert (found[2]["images"], found[2]["loss"]) == (50, 2.345)
    assert found[2]["seconds_left"] == pytest.approx(150 / 123.4)
    assert found[3]["state"] == "finished"
    assert 0 < found[3]["top1"] < 1
    assert (found[6]["state"], found[6]["top1"]) == ("failed", None)


def test_now_and_then_a_line_tells_how_a_long_trial_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpscale.cli.progress._PLAIN_SECONDS", 0.0)
    show(tmp_path, as_json=False)
    err = capsys.readouterr().err
    assert re.search(r"  [0-9a-f]{16} epoch 0/2, 50/200 images, 123 images/s, loss 2\.345, 1 s left\n", err)


ON_A_TERMINAL = """
import sys, time
from pathlib import Path
from tests.cli.test_progress import events, sweep
from gpscale.cli.progress import listener
from gpscale.execution import Started

plan, records = sweep(Path(sys.argv[1]))
with listener(as_json=False, workers=lambda: 2) as progress:
    progress.plan(plan)
    for event in events(records):
        progress.event(event)
        if isinstance(event, Started):
            progress.event(event)  # a trial that was lost with its fork server starts again
            print("bars:", len(progress.progress.tasks))
        time.sleep(0.3)  # longer than a bar needs to be drawn anew
"""


def on_a_terminal(command: list[str]) -> str:
    """Run a command on a terminal of its own and return what that shows."""
    ours, theirs = pty.openpty()
    environment = {**ENVIRONMENT, "TERM": "xterm", "COLUMNS": "140", "LINES": "40"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        # reading fails once the other end is closed
        with contextlib.suppress(OSError):
            while select.select([ours], [], [], 120)[0] and (part := os.read(ours, 1 << 16)):
                shown += part
    os.close(ours)
    assert process.returncode == 0, shown
    return shown.decode()


def test_on_a_terminal_there_is_a_bar_over_trials_and_one_for_each_that_runs(tmp_path: Path) -> None:
    shown = on_a_terminal([sys.executable, "-c", ON_A_TERMINAL, str(tmp_path)])
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert "\x1b[" in shown
    assert "━" in plain
    for total in ("1/3", "2/3", "3/3"):
        assert total in plain
    _, [finished, failed] = sweep(tmp_path)
    assert re.search(rf"{finished.id} .*━.* 5[01]/200 .*123 images/s, loss 2\.345", plain)
    assert f"{finished.id} top-1" in plain
    assert f"{failed.id} failed: diverged" in plain
    assert "starting" in plain
    assert plain.count("bars: 2") == 2


@pytest.mark.parametrize(
    ("as_json", "said"), [(True, '{"event": "interrupted"}'), (False, "Interrupted. What has finished")]
)
def test_an_interrupted_sweep_says_so(capsys: pytest.CaptureFixture[str], as_json: bool, said: str) -> None:
    with pytest.raises(KeyboardInterrupt), listener(as_json=as_json, workers=lambda: 1):
        raise KeyboardInterrupt
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.parametrize("as_json", [True, False])
def test_a_stopped_trial_is_told_with_when_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    plan, [record, _] = sweep(tmp_path)
    stop = Stop("dominated", epoch=1, epochs=2, top1=0.4, optimistic=0.5, front=0.6, evidence=8)
    with listener(as_json=as_json, workers=lambda: 1) as progress:
        progress.plan(plan)
        progress.event(Started(record.id))
        progress.event(Ended(dataclasses.replace(record, result=None, stopped=stop)))
    line = capsys.readouterr().err.splitlines()[-1]
    if as_json:
        assert json.loads(line) == {
            "event": "ended",
            "trial": record.id,
            "state": "stopped",
            "top1": None,
            "detail": str(stop),
        }
    else:
        assert line == f"[2/3] {record.id} stopped {stop}"
