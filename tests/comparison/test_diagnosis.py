"""All that is known of how far a study can be trusted, in one place."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from gpscale.comparison.diagnosis import coverage, diagnose_study, on_front, overview
from gpscale.comparison.proportions import interval_of_share
from gpscale.run_dir import RunDir
from gpscale.stored import write_json
from gpscale.study import Study
from gpscale.sweep import fit_run
from tests.synthetic_runs import write_run


def test_coverage_has_a_binomial_interval_at_each_level_and_outcome(fitted: Study) -> None:
    rows = coverage(fitted)
    assert [(row["outcome"], row["level"]) for row in rows] == [
        (outcome, level) for outcome in ("top1", "top5") for level in (0.5, 0.8, 0.95)
    ]
    found = fitted.diagnostics.coverage
    for row, one in zip(rows[:3], found, strict=True):
        shares = {"before": one.before, "after": one.after}
        # what they hold at the level that the factor was chosen at is no finding
        assert (row["after"] is None) == (one.after is None) == (one.level == 0.95)
        for key in (key for key, share in shares.items() if share is not None):
            assert row[key]["share"] == shares[key]
            assert (row[key]["low"], row[key]["high"]) == interval_of_share(row[key]["share"], 38)
            assert row[key]["low"] <= row[key]["share"] <= row[key]["high"]


def test_a_fit_recalibrates_the_surfaces_that_it_stores(fitted: Study) -> None:
    for outcome in ("top1", "top5"):
        stored = fitted.facts["diagnostics"][outcome]["recalibration"]
        assert fitted.joint_surface(outcome).recalibration == stored
    assert fitted.joint_surface().recalibration > 1


def test_each_architecture_has_a_chance_of_being_on_the_front(fitted: Study) -> None:
    rows = on_front(fitted)
    assert {row["id"] for row in rows} == set(fitted.finished["id"])
    assert [row["probability"] for row in rows] == sorted((row["probability"] for row in rows), reverse=True)
    cheapest = fitted.finished.nsmallest(1, "macs")["id"].item()
    assert next(row["probability"] for row in rows if row["id"] == cheapest) == 1.0
    # on average more is certain of those that were measured to be there
    inside, outside = ([row["probability"] for row in rows if (row["rank"] == 1) == of] for of in (True, False))
    assert sum(inside) / len(inside) > 0.5 > sum(outside) / len(outside)
    assert fitted.pareto["on_front"].between(0, 1).all()


def test_a_design_at_fixed_macs_says_what_it_cannot_tell(tmp_path: Path) -> None:
    sampler = {"name": "line", "compensate": ["width", "ir_depth", "vit_depth"]}
    study = fit_run(write_run(tmp_path / "line", trials=6, sampler=sampler), figures=False)
    found = diagnose_study(study)
    assert "has no rule" in found["hidden_band"]["missing"]
    assert "needs a surface over all four factors; this one has resolution" in found["sensitivity"]["missing"]
    assert overview(study, found)["on_front"] == []
    json.dumps(overview(study, found), allow_nan=False)


@pytest.mark.parametrize("name", ["diagnosis", "regret"])
def test_what_was_found_of_another_fit_is_not_shown_as_current(name: str, fitted: Study, tmp_path: Path) -> None:
    shutil.copytree(fitted.run.path, tmp_path / "copy")
    run = RunDir(tmp_path / "copy")
    file = {"diagnosis": run.diagnostics_file, "regret": run.regret_file}[name]
    assert getattr(Study(run), name) is None
    write_json(file, {"fit": run.fingerprint, "verdict": "it holds"})
    assert getattr(Study(run), name)["verdict"] == "it holds"
    rule = json.loads(run.rule_file.read_text())
    rule["bootstrap"] += 1
    write_json(run.rule_file, rule)
    assert getattr(Study(run), name) is None
