"""How far a study can be trusted, and how many trials would have been enough: printed, stored, shown on the card."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from gpscale.comparison.diagnosis import coverage
from gpscale.plotting import regret_data
from gpscale.run_dir import SHIPPED_STUDIES, RunDir
from gpscale.study import Study
from gpscale.sweep import fit_run
from tests.cli.command import Ran, gpscale_here
from tests.synthetic_runs import snapshot, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    made = write_run(tmp_path_factory.mktemp("runs") / "short", trials=16, fit={"pareto_share": 0.4})
    fit_run(made, figures=False)
    return made


@pytest.fixture(scope="module")
def diagnosed(run: RunDir) -> Ran:
    return gpscale_here("diagnose", run.path)


@pytest.fixture(scope="module")
def replayed(run: RunDir) -> Ran:
    return gpscale_here("regret", run.path, "--orders", 2)


def test_diagnose_prints_all_that_is_known_and_stores_what_took_long(run: RunDir, diagnosed: Ran) -> None:
    assert (diagnosed.code, diagnosed.err) == (0, "")
    study = Study(run)
    assert study.diagnosis is not None
    for said in (*study.verdicts, *(study.diagnosis[key]["verdict"] for key in ("hidden_band", "sensitivity"))):
        assert said in diagnosed.out
    for row in coverage(study):
        for held in (row[key] for key in ("before", "after") if row[key]):
            assert f"{held['share']:.0%} ({held['low']:.0%} to {held['high']:.0%})" in diagnosed.out
    for said in ("Noise between seeds, top-1: not measured", "Fidelity: not measured", "On the front: how likely"):
        assert said in diagnosed.out
    assert f"stored: {run.diagnostics_file}" in diagnosed.out


def test_the_card_shows_what_was_stored(run: RunDir, diagnosed: Ran, replayed: Ran) -> None:
    text, study = run.card_file.read_text(), Study(run)
    assert study.diagnosis is not None
    assert study.regret is not None
    assert study.diagnosis["hidden_band"]["verdict"] in text
    assert study.diagnosis["sensitivity"]["verdict"] in text
    assert f"{study.diagnosis['sensitivity']['measured']:.0%} of that span has MACs that were measured" in text
    assert f"{study.diagnosis['sensitivity']['measured']:.0%} of that span" in diagnosed.out
    assert study.regret["verdict"] in text
    assert "![regret](figures/regret.png)" in text
    assert text.count("Not measured for this fit.") == 0


def test_regret_prints_its_table_and_ends_with_its_sentence(run: RunDir, replayed: Ran) -> None:
    assert replayed.code == 0
    study = Study(run)
    assert study.regret is not None
    assert replayed.out.splitlines()[-1] == study.regret["verdict"]
    assert re.findall(r"^ *(\d+) +(?:-|\d+\.\d\d) ", replayed.out, re.MULTILINE) == ["8", "12", "16"]
    assert "[9/9] fits" in replayed.err
    assert (run.figures / "regret.png").exists()


def test_the_table_behind_the_figure_of_regret_is_csv(run: RunDir, replayed: Ran, tmp_path: Path) -> None:
    ran = gpscale_here("plot", run.path, "--figure", "regret", "--data", "--output", tmp_path)
    assert ran.code == 0, ran.err
    written = pd.read_csv(tmp_path / "regret.csv")
    pd.testing.assert_frame_equal(written, regret_data(Study(run)), check_dtype=False)
    assert len(written) == 12


def test_a_fit_of_other_trials_makes_what_was_stored_old(
    run: RunDir, diagnosed: Ran, replayed: Ran, tmp_path: Path
) -> None:
    other = write_run(tmp_path / "grown", trials=14, fit={"pareto_share": 0.4})
    for file in ("diagnostics.json", "regret.json"):
        (other.path / file).write_bytes((run.path / file).read_bytes())
    assert gpscale_here("fit", other.path).code == 0
    assert other.card_file.read_text().count("Not measured for this fit.") == 3
    refused = gpscale_here("plot", other.path, "--figure", "regret")
    assert refused.code == 2
    assert "Run `gpscale regret` on its run directory." in refused.err


def test_a_study_that_ships_with_gpscale_is_not_written_into_by_its_name() -> None:
    before = snapshot(SHIPPED_STUDIES / "quickstart")
    ran = gpscale_here("diagnose", "quickstart", "--hide", 0.3, 0.5, "--json")
    assert ran.code == 0, ran.err
    values = json.loads(ran.out)
    assert values["hidden_band"]["band"] == [0.3, 0.5]
    assert set(values) >= {"coverage", "recalibration", "on_front", "seed_noise", "fidelity", "sensitivity"}
    assert snapshot(SHIPPED_STUDIES / "quickstart") == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("diagnose", "quikstart"), "Did you mean 'quickstart'"),
        (("diagnose", "quickstart", "--hide", 0.6, 0.4), "0 < low < high. Got 0.6 and 0.4"),
        (("regret", "quickstart", "--budgets", 7), "shares of the base's MACs"),
        (("regret", "quickstart", "--window", 1.5), "--window must be a part of the budget"),
    ],
)
def test_bad_input_is_refused_with_what_to_do(arguments: tuple[object, ...], message: str) -> None:
    ran = gpscale_here(*arguments)
    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err
