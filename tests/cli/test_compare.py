"""The command that compares families, and what other commands say of a comparison."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from gpscale.cli.executors import ExecutorOptions
from gpscale.run_dir import RunDir
from gpscale.trial import Trial
from tests.cli.command import Ran, gpscale_here
from tests.comparison.scored import SETTINGS, Law, Scored, by_macs
from tests.synthetic_runs import snapshot


def run(path: Path, monkeypatch: pytest.MonkeyPatch, law: Law = by_macs, *options: str, **changed: Any) -> Ran:
    """Compare in `path`, without processes."""
    monkeypatch.setattr(ExecutorOptions, "make", lambda self, **_: Scored(law))
    monkeypatch.setattr(ExecutorOptions, "certain_workers", lambda self: 2)
    file = path / "mine.yaml"
    file.write_text(yaml.safe_dump({**SETTINGS, **changed}))
    return gpscale_here("compare", file, "--runs", path / "runs", *options)


def test_the_tables_mark_the_front_and_all_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run(tmp_path, monkeypatch)
    assert ran.code == 0
    marked = [line.split("  ")[1].strip() for line in ran.out.splitlines() if line.startswith(" * ")]
    table = json.loads(run(tmp_path, monkeypatch, by_macs, "--json").out)
    assert len(marked) == sum(row["front"] for row in table["rows"]) > 0
    assert "* on the front: no other model" in ran.out
    assert "mobilevitv2 less the others" in ran.out
    assert [row["theirs"] for row in table["differences"] if not row["budget"]] == [
        "mobilevitv2 (width)",
        "mobilenetv3_small",
        "gpscale, rule of quickstart",
    ]
    written = {file.name for file in (tmp_path / "runs" / "mine").iterdir() if file.is_file()}
    assert {"card.md", "comparison.csv", "trainings.csv", "differences.csv", "provenance.json"} <= written


def test_tables_and_card_are_there_before_the_models_are_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gpscale.comparison.side_by_side import running

    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    monkeypatch.setattr(running, "bench", killed)
    with pytest.raises(Killed):
        run(tmp_path, monkeypatch, timing=True)
    run_dir = RunDir(tmp_path / "runs" / "mine")
    assert "16 finished, 0 failed" in run_dir.card_file.read_text()
    assert (run_dir.path / "comparison.csv").exists()
    assert (run_dir.figures / "comparison.png").exists()


def test_a_comparison_of_which_nothing_has_finished_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = run(tmp_path, monkeypatch, lambda trial: None, budgets=["6M"], seeds=1, timing=True)
    assert ran.code == 1
    assert "no training has finished" in ran.err
    assert ran.out.count("crashed: no luck") == 4
    card = RunDir(tmp_path / "runs" / "mine").card_file.read_text()
    assert card.count("crashed: no luck") == 4


def test_status_and_studies_know_a_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def law(trial: Trial) -> float | None:
        return None if trial.family == "mobilenetv3_small" and trial.seed else by_macs(trial)

    run(tmp_path, monkeypatch, law, budgets=["6M"])
    monkeypatch.chdir(tmp_path)
    status = gpscale_here("status", "runs/mine")
    assert (status.code, status.err) == (0, "")
    assert "mine: 4 entrants at 6.0M MACs, 8 trainings planned: 7 finished, 1 failed, 0 to do" in status.out
    assert "failed mobilenetv3_small at 6.0M, seed 1" in status.out
    as_json = json.loads(gpscale_here("status", "mine", "--json").out)
    assert (as_json["finished"], as_json["running"], len(as_json["failures"])) == (7, False, 1)
    listed = gpscale_here("studies")
    [row] = [line for line in listed.out.splitlines() if line.split()[:1] == ["runs/mine"]]
    assert "digits 100 + 355" in row
    assert "8/8" in row
    kinds = {entry["name"]: entry["kind"] for entry in json.loads(gpscale_here("studies", "--json").out)}
    assert (kinds["runs/mine"], kinds["quickstart"]) == ("comparison", "study")
    card = gpscale_here("studies", "runs/mine")
    assert card.out == RunDir("runs/mine").card_file.read_text()
    found = json.loads(gpscale_here("studies", "mine", "--runs", "runs", "--json").out)
    assert len(found["rows"]) == 4


def test_a_dry_run_says_what_does_not_fit_and_what_all_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {"budgets": ["6M", "300k"], "entrants": ["mobilenetv3_small", {"study": "quickstart"}]}
    before = run(tmp_path, monkeypatch, by_macs, "--dry-run", **few)
    assert before.code == 0
    lines = before.out.splitlines()
    [reason] = [line for line in lines if line.startswith("gpscale, rule of quickstart: n/a: ")]
    assert lines.index(reason) == max(at for at, line in enumerate(lines) if "mobilenetv3_small" in line) + 1
    assert "3 models, 2 seeds each, 1 epoch: 6 trainings, 0 done, 6 to do" in before.out
    assert "estimated time" not in before.out
    assert snapshot(tmp_path).keys() == {"mine.yaml"}
    run(tmp_path, monkeypatch, **{**few, "seeds": 1})
    after = run(tmp_path, monkeypatch, by_macs, "--dry-run", **few)
    assert "6 trainings, 3 done, 3 to do" in after.out
    assert "estimated time: 1.1 minutes with 2 workers, from the trainings that have ended" in after.out
    assert "Added after its results were seen: seeds 1." in after.out
    as_json = json.loads(run(tmp_path, monkeypatch, by_macs, "--dry-run", "--json", **few).out)
    assert (as_json["models"], as_json["pending"], len(as_json["entries"])) == (3, 3, 4)


def test_a_budget_that_nobody_can_keep_is_refused_and_nothing_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for options in ((), ("--dry-run",)):
        ran = run(tmp_path, monkeypatch, by_macs, *options, budgets=["10k"])
        assert (ran.code, ran.out) == (2, "")
        assert "BudgetError: `budgets` must be ones that an entrant can keep. Got 10.0K" in ran.err
        assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("command", [("compare", "x.yaml"), ("validate", "runs/x")])
def test_an_executor_that_answers_nothing_there_is_not_offered(command: tuple[str, ...]) -> None:
    ran = gpscale_here(*command, "--executor", "replay")
    assert (ran.code, ran.out) == (2, "")
    assert "ExecutorError: --executor must be one that trains: local or ray. Got 'replay'" in ran.err
    assert "--from" not in ran.err
    typo = gpscale_here(*command, "--executor", "locl")
    assert typo.err == "UnknownNameError: Unknown executor 'locl'. Known: local, ray. Did you mean 'local'?\n"
