"""`gpscale fidelity` on studies whose long trainings have ended, so that nothing is trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpscale.comparison.fidelity import run_fidelity
from gpscale.run_dir import RunDir
from gpscale.study import Study
from gpscale.sweep import fit_run
from tests.cli.command import gpscale_here
from tests.comparison.instant import Instant, write_study
from tests.synthetic_runs import snapshot


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    run = write_study(tmp_path_factory.mktemp("runs") / "compared", fit={"pareto_share": 0.5})
    fit_run(run, figures=False)
    run_fidelity(run, Instant(), trials=6)
    return run


def test_it_prints_both_accuracies_and_the_verdict_and_writes_the_card(run: RunDir) -> None:
    ran = gpscale_here("fidelity", run.path, "--trials", 6)
    assert (ran.code, ran.err) == (0, "6 trials, 6 done before, 2 at a time\n")
    values = Study(run).fidelity
    assert values is not None
    for row in values["trials"]:
        [line] = [line for line in ran.out.splitlines() if line.startswith(f" {row['id']}")]
        assert line.split() == [
            row["id"], f"{row['c']:.3f}", str(row["depth"]), f"{row['top1']:.1%}", f"{row['long_top1']:.1%}"
        ]  # fmt: skip
    assert values["verdict"] in ran.out
    assert values["verdict"] in run.card_file.read_text()
    assert json.loads(gpscale_here("fidelity", run.path, "--trials", 6, "--json").out) == values


def test_a_fit_compares_again_and_prints_the_verdict(run: RunDir) -> None:
    values = Study(run).fidelity
    assert values is not None
    run.fidelity_file.write_text(json.dumps({**values, "overall": None, "verdict": "of an older version"}))
    ran = gpscale_here("fit", run.path)
    assert values["verdict"] in ran.out
    assert Study(run).fidelity == values


def test_a_dry_run_names_the_choice_and_its_cost_and_writes_nothing(run: RunDir) -> None:
    before = snapshot(run.path)
    options = ("fidelity", run.path, "--trials", 8, "--dry-run", "--workers", 1)
    plain, found = gpscale_here(*options), json.loads(gpscale_here(*options, "--json").out)
    assert (plain.code, plain.err) == (0, "")
    assert len(found["trials"]) == 8
    for row in found["trials"]:
        assert f"{row['id']}  c = {row['c']:.3f}, depth {row['depth']}, 8 epochs" in plain.out
    # six of the eight have ended; each short training took 11 seconds
    assert found["seconds"] == pytest.approx(2 * 4 * 11)
    assert "estimated time: 1.5 minutes with 1 worker," in plain.out
    assert snapshot(run.path) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--trials", "13"], "lower --trials"),
        (["--epochs-factor", "5"], "Give --epochs-factor 4"),
        (["--retry", "bored"], "Unknown reason of a failure 'bored'"),
        (["--set", "recipe.epochs=9"], "Got other values of recipe.epochs"),
        (["--set", "data.root"], "--set needs KEY=VALUE"),
    ],
)
def test_bad_input_ends_with_code_two_and_writes_nothing(run: RunDir, options: list[str], words: str) -> None:
    before = snapshot(run.path)
    ran = gpscale_here("fidelity", run.path, *options)
    assert ran.code == 2
    assert words in ran.err
    assert snapshot(run.path) == before


def test_a_study_that_was_never_fitted_may_be_checked(tmp_path: Path) -> None:
    run = write_study(tmp_path / "young", finished=4)
    run_fidelity(run, Instant(), trials=3)
    ran = gpscale_here("fidelity", run.path, "--trials", 3)
    assert ran.code == 0
    assert not run.card_file.exists()
