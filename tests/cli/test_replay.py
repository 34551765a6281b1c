"""Sweeps that a study answers, and what stopping trials early would have saved and lost."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gpscale.run_dir import RunDir
from tests.cli.command import ENVIRONMENT, gpscale_here
from tests.curved_runs import TRIALS, write_curved_run
from tests.integration.tiny_sweep import results
from tests.synthetic_runs import snapshot


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    return write_curved_run(tmp_path_factory.mktemp("studies") / "stored", failed=[3])


def test_a_sweep_is_planned_stopped_fitted_and_drawn_without_what_trains(study: RunDir, tmp_path: Path) -> None:
    arguments = ["gpscale", "sweep", str(study.sweep_file), "--executor", "replay", "--from", str(study.path)]
    arguments += ["--runs", str(tmp_path), "--name", "again", "--workers", "2", "--stop", "dominated"]
    code = (
        f"import sys\nsys.argv = {arguments!r}\nfrom gpscale.cli import main\ntry:\n    main()\nfinally:\n"
        "    print(*sorted(sys.modules), sep='\\n', file=open('modules', 'w'))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=500
    )
    assert ran.returncode == 0, ran.stderr
    loaded = set((tmp_path / "modules").read_text().split())
    assert "gpytorch" in loaded
    assert not loaded & {"timm", "gpscale.training.trainer", "gpscale.training.loop", "gpscale.training.evaluate"}
    run = RunDir(tmp_path / "again")
    stopped = [record for record in run.records() if record.stopped]
    assert len(stopped) >= 5
    stored = results(study)
    for trial, result in results(run).items():
        assert result in (None, stored[trial])
    assert (
        f"{TRIALS - 1 - len(stopped)} trials finished, 1 failed, {len(stopped)} stopped and not fitted, " in ran.stdout
    )
    assert len(re.findall(r"\w{16} stopped after epoch \d of 6: top-1", ran.stderr)) == len(stopped)
    assert (run.figures / "front.png").exists()
    assert f"{len(stopped)} trials were stopped early" in run.card_file.read_text()
    shown = gpscale_here("status", run.path)
    assert f"{len(stopped)} stopped" in shown.out
    assert shown.out.count("dominated after epoch") == len(stopped)
    assert gpscale_here("doctor", run.path).code == 0
    # the rule belongs to the sweep
    refused = gpscale_here("sweep", study.sweep_file, "--runs", tmp_path, "--name", "again")
    assert refused.code == 2
    assert "`stop` is 'dominated' there, None here" in refused.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--executor", "replay"), "--executor replay must come with --from. Got none."),
        (("--from", "quickstart"), "--from must come with --executor replay. Got --executor local."),
        (("--executor", "replay", "--from", "quikstart"), "'quikstart'.*Did you mean 'quickstart'"),
        (
            ("--executor", "replay", "--from", "cifar10"),
            r"cifar10 lacks 24 of 24: .*`recipe\.epochs` is 2 there, 6 here",
        ),
        (("--executor", "replay", "--from", "cifar10", "--dry-run"), "--executor replay trains nothing"),
        (("--executor", "replay", "--from", "cifar10", "--cpus", 1), "--cpus must come with --executor ray"),
        (("--stop", "dominatd"), "`stop` must be dominated. Got 'dominatd'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    study: RunDir, tmp_path: Path, options: tuple[object, ...], message: str
) -> None:
    ran = gpscale_here("sweep", study.sweep_file, "--runs", tmp_path / "runs", *options)
    assert ran.code == 2
    assert re.search(message, ran.err), ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "runs").exists()


def test_replay_prints_what_a_rule_saves_and_loses_with_intervals_and_writes_nothing(study: RunDir) -> None:
    before = snapshot(study.path)
    printed = gpscale_here("replay", study.path, "--bootstrap", 20, "--workers", 2)
    assert printed.code == 0, printed.err
    values = json.loads(gpscale_here("replay", study.path, "--bootstrap", 20, "--workers", 2, "--json").out)
    stopped, saved = values["stopped"], values["saved"]
    assert f"2 at a time: {len(stopped)} of {TRIALS - 1} trials stop" in printed.out
    interval = f"{100 * saved['value']:.2f} % ({100 * saved['low']:.2f} to {100 * saved['high']:.2f})"
    assert f"MACs of training saved: {interval}" in printed.out
    assert "hypervolume of the front lost: 0.00 %" in printed.out
    assert "top-1 lost along the front: 0.00 points" in printed.out
    assert all(row["id"] in printed.out for row in stopped)
    assert snapshot(study.path) == before


def test_an_unknown_rule_is_an_error_that_names_the_known_one(study: RunDir) -> None:
    ran = gpscale_here("replay", study.path, "--stop", "dominatd")
    assert ran.code == 2
    assert "Unknown stopping rule 'dominatd'. Known: dominated. Did you mean 'dominated'?" in ran.err
