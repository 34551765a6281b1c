from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES
from gpscale.run_dir import RunDir
from gpscale.study import Study
from gpscale.sweep import fit_run
from tests.synthetic_runs import snapshot, write_run

SOBOL: dict[str, Any] = {"trials": 12, "fit": {"pareto_share": 0.5}}
LINE: dict[str, Any] = {
    "trials": 6,
    "sampler": {"name": "line", "factor": "resolution", "compensate": ["width", "ir_depth", "vit_depth"]},
}
GRID: dict[str, Any] = {
    "trials": 7,
    "sampler": {"name": "grid", "factors": ["resolution", "width"], "shape": [4, 4], "tolerance": 0.1},
}
FITS = {"study.json", "surfaces/top1.json", "surfaces/top5.json"}
OF_THE_RULE = {"pareto.csv", "rule.json", "rule_of_trials.json"}


def fits_of(run: RunDir) -> set[str]:
    kept = {"sweep.yaml", "provenance.json"}
    return {name for name in snapshot(run.path) if name not in kept and not name.startswith("trials/")}


def figures(*names: str) -> set[str]:
    """Return the files of these figures and of those that every fit has; made-up trials have no curves."""
    every = (*names, "staircases", "diagnostics")
    return {f"figures/{name}.{kind}" for name in every for kind in ("png", "svg")}


def test_a_sobol_sweep_gives_a_joint_surface_a_pareto_set_a_rule_and_figures(tmp_path: Path) -> None:
    run = write_run(tmp_path / "sobol", **SOBOL)
    study = fit_run(run)
    assert fits_of(run) == FITS | OF_THE_RULE | figures("front", "rule", "surface", "line", "iso_macs")
    assert study.joint_surface().names == FACTOR_NAMES
    assert study.facts["surface_names"] == list(FACTOR_NAMES)
    assert study.facts["rule_missing"] == ""
    assert study.facts["chance"] == 0.1
    assert study.facts["pareto"]["share"] == 0.5
    table = pd.read_csv(run.pareto_file)
    assert list(table["id"]) == list(study.pareto["id"])
    np.testing.assert_array_equal(table["top1"], study.pareto["top1"])
    # and the same files when it is fitted again
    first = snapshot(run.path)
    fit_run(run)
    assert snapshot(run.path) == first


def test_a_line_gives_a_surface_of_its_factor_and_no_rule(tmp_path: Path) -> None:
    run = write_run(tmp_path / "line", **LINE)
    study = fit_run(run)
    assert study.joint_surface().names == ("resolution",)
    assert fits_of(run) == FITS | figures("line")
    assert "sampler 'line' holds MACs fixed" in study.facts["rule_missing"]
    assert study.facts["pareto"] is None
    np.testing.assert_allclose(study.finished["c"], 1.0, atol=0.03)


def test_a_grid_gives_a_surface_of_its_two_factors_and_no_rule(tmp_path: Path) -> None:
    run = write_run(tmp_path / "grid", **GRID)
    study = fit_run(run)
    assert study.joint_surface("top5").names == ("resolution", "width")
    assert fits_of(run) == FITS | figures("surface", "line")
    assert "sampler 'grid' holds MACs fixed" in study.facts["rule_missing"]


def test_too_few_pareto_points_leave_surfaces_and_pareto_set_and_say_why_there_is_no_rule(tmp_path: Path) -> None:
    run = write_run(tmp_path / "few", trials=8, fit={"rule_from": "trials"})
    study = fit_run(run)
    assert "at least 3 distinct MACs. Got 2" in study.facts["rule_missing"]
    assert fits_of(run) == FITS | {"pareto.csv"} | figures("front", "surface", "line", "iso_macs")
    assert len(study.pareto) == len(study.summary()["pareto_set"]) == 2
    with pytest.raises(FitError, match="at least 3 distinct MACs"):
        _ = study.rule
    assert study.summary()["recommendations"] == []


def test_the_rule_follows_what_the_sweep_says_and_that_of_the_trials_is_kept_beside_it(tmp_path: Path) -> None:
    settings = {**SOBOL, "trials": 16}
    run = write_run(tmp_path / "surface", **settings)
    study = fit_run(run, figures=False)
    other = write_run(tmp_path / "trials", **{**settings, "fit": {**settings["fit"], "rule_from": "trials"}})
    by_trials = fit_run(other, figures=False)
    assert (study.rule.source, by_trials.rule.source) == ("surface", "trials")
    assert json.loads(run.trials_rule_file.read_text()) == json.loads(other.rule_file.read_text())
    assert not other.trials_rule_file.exists()
    np.testing.assert_array_equal(by_trials.rule.points_c, by_trials.pareto["c"])
    assert len(study.rule.points_c) > len(by_trials.rule.points_c)


def test_too_few_trials_for_the_rule_of_the_trials_leave_the_other(tmp_path: Path) -> None:
    run = write_run(tmp_path / "few", trials=8)
    assert fit_run(run, figures=False).facts["rule_missing"] == ""
    assert run.rule_file.exists()
    assert not run.trials_rule_file.exists()


def test_trials_below_the_floor_leave_surfaces_alone(tmp_path: Path) -> None:
    run = write_run(tmp_path / "low", trials=8, fit={"accuracy_floor": 0.9})
    study = fit_run(run, figures=False)
    assert fits_of(run) == FITS
    assert "top-1 above 0.9. Got 0 of 8" in study.facts["rule_missing"]
    with pytest.raises(FitError, match="no Pareto set: .*top-1 above 0.9"):
        _ = study.pareto


def test_a_fit_without_a_rule_removes_the_rule_of_an_earlier_fit(tmp_path: Path) -> None:
    run = write_run(tmp_path / "shrinks", **{**SOBOL, "trials": 8})
    assert fit_run(run, figures=False).facts["rule_missing"] == ""
    assert fits_of(run) == FITS | OF_THE_RULE
    write_run(run.path, trials=8, fit={"accuracy_floor": 0.9})
    assert fit_run(run, figures=False).facts["rule_missing"]
    assert fits_of(run) == FITS


def test_constant_top5_leaves_out_its_surface_and_nothing_else(tmp_path: Path) -> None:
    run = write_run(tmp_path / "easy", **{**SOBOL, "trials": 8})
    for record in list(run.records()):
        values = record.to_dict()
        values["result"]["top5"] = 1.0
        run.record_file(record.id).write_text(json.dumps(values))
    study = fit_run(run, figures=False)
    assert fits_of(run) == (FITS - {"surfaces/top5.json"}) | OF_THE_RULE
    assert study.facts["diagnostics"]["top5"] is None
    assert len(study.summary()["verdicts"]) == 2


def test_failed_trials_are_counted_and_left_out(tmp_path: Path) -> None:
    run = write_run(tmp_path / "some", **{**SOBOL, "trials": 10}, failed=[0, 6])
    study = fit_run(run, figures=False)
    assert study.facts["trials"] == {"planned": 10, "finished": 8, "failed": 2, "stopped": 0}
    assert study.joint_surface().observations.shape == (8, 4)
    assert study.facts["c_range"] == [study.finished["c"].min(), study.finished["c"].max()]
    assert study.facts["seconds"] == pytest.approx(8 * 11.0)


def test_an_accuracy_floor_leaves_trials_out_of_the_pareto_set(tmp_path: Path) -> None:
    settings = {"trials": 8, "fit": {"pareto_share": 1.0, "accuracy_floor": 0.55}}
    study = fit_run(write_run(tmp_path / "floor", **settings), figures=False)
    assert (study.pareto["top1"] > 0.55).all()
    assert len(study.pareto) == study.facts["pareto"]["inside"] == (study.finished["top1"] > 0.55).sum() < 8
    assert study.facts["pareto"]["reference"] == [1.1, pytest.approx(0.45)]


def test_a_fit_does_not_depend_on_the_order_of_the_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path / "ordered", **{**SOBOL, "trials": 8})
    fit_run(run, figures=False)
    first = snapshot(run.path)
    ids = run.trial_ids()
    monkeypatch.setattr(RunDir, "trial_ids", lambda self: ids[::-1])
    fit_run(run, figures=False)
    assert snapshot(run.path) == first
    assert isinstance(Study(run).summary(), dict)
