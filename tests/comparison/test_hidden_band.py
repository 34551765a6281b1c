"""The rule is fitted without a band of c, and asked in there."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from gpscale.comparison.hidden_band import leave_band_out
from gpscale.errors import FitError, UnitError
from gpscale.factors import FACTOR_NAMES
from gpscale.run_dir import RunDir
from gpscale.stored import write_json
from gpscale.study import Study
from gpscale.sweep import fit_run
from tests.synthetic_runs import write_run


def test_a_band_is_hidden_and_the_rule_asked_at_its_ends_and_middle(fitted: Study) -> None:
    found = leave_band_out(fitted)
    inside = fitted.finished["c"].between(0.4, 0.6)
    assert found["hidden"] == inside.sum() > 3
    assert [row["c"] for row in found["at"]] == [0.4, 0.5, 0.6]
    for row in found["at"]:
        asked = fitted.rule.predict(row["c"]).factors[0]
        assert [row["factors"][name]["full"] for name in FACTOR_NAMES] == asked.tolist()
        for one in row["factors"].values():
            apart = np.log(one["hidden"]) - np.log(one["full"])
            assert np.sign(one["deviations"]) == np.sign(apart)
    members = [c for c in fitted.rule.points_c if 0.4 <= c <= 0.6]
    assert [point["c"] for point in found["points"]] == pytest.approx(members)
    assert found["top1_lost"]["value"] == pytest.approx(np.mean([row["top1_lost"]["value"] for row in found["at"]]))
    assert found["missing"] == ""
    json.dumps(found, allow_nan=False)


def test_where_the_law_is_a_power_of_c_nothing_is_lost(fitted: Study) -> None:
    found = leave_band_out(fitted)
    assert found["top1_lost"]["low"] <= 0 <= found["top1_lost"]["high"]
    assert abs(found["top1_lost"]["value"]) < 0.05
    assert found["verdict"].endswith("neither a loss nor a gain is shown.")
    assert f"With the {found['hidden']} architectures of c 0.4 to 0.6 hidden" in found["verdict"]


def test_what_is_hidden_does_not_reach_the_rule(tmp_path: Path) -> None:
    found = []
    for name, change in (("one", 0.0), ("other", -0.3)):
        run = write_run(tmp_path / name, trials=20, fit={"pareto_share": 0.5})
        base = Study(run).base.macs
        for record in list(run.records()):
            assert record.result is not None
            if 0.4 <= record.result.macs / base <= 0.6:
                result = dataclasses.replace(record.result, top1=record.result.top1 + change)
                run.write_record(dataclasses.replace(record, result=result))
        found.append(leave_band_out(fit_run(run, figures=False)))
    for one, other in zip(found[0]["at"], found[1]["at"], strict=True):
        for factor in FACTOR_NAMES:
            assert one["factors"][factor]["hidden"] == other["factors"][factor]["hidden"]
    assert found[0]["at"] != found[1]["at"]


def test_too_few_trials_outside_the_band_leave_no_rule(tmp_path: Path) -> None:
    study = fit_run(write_run(tmp_path / "known", fit={"rule_from": "trials"}), figures=False)
    found = leave_band_out(study, 0.26, 1.05)
    assert "A rule needs a Pareto set" in found["missing"]
    assert found["at"] == found["points"] == []
    assert found["verdict"].startswith("Without the trials of c 0.26 to 1.05 there is no rule")


@pytest.mark.parametrize(
    ("band", "error", "message"),
    [
        ((0.6, 0.4), UnitError, "0 < low < high. Got 0.6 and 0.4"),
        ((0.0, 0.4), UnitError, "0 < low < high. Got 0 and 0.4"),
        ((2.0, 3.0), FitError, "needs trials inside. Got none with c from 2 to 3"),
    ],
)
def test_bands_that_cannot_be_hidden_are_refused(
    fitted: Study, band: tuple[float, float], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        leave_band_out(fitted, *band)


def test_a_study_without_a_rule_is_refused(fitted: Study, tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    write_json(run.study_file, {**fitted.facts, "rule_missing": "there is none."})
    with pytest.raises(FitError, match="has no rule: there is none"):
        leave_band_out(Study(run))
