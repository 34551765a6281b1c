"""Regret is a measured number: recomputed here from the records, one pick at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpscale.comparison.regret import LEAST_CANDIDATES, replay_regret
from gpscale.errors import FitError, UnitError
from gpscale.factors import FACTOR_NAMES
from gpscale.study import Study
from gpscale.surrogate.surface import Surface
from gpscale.sweep import SweepConfig, fit_run, plan_architectures
from gpscale.sweep.partial import fit_part
from tests.synthetic_runs import write_run

WINDOW = 0.4


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    run = write_run(tmp_path_factory.mktemp("runs") / "short", trials=17, failed=[2], fit={"pareto_share": 0.4})
    return fit_run(run, figures=False)


@pytest.fixture(scope="module")
def found(study: Study) -> dict[str, Any]:
    heard: list[tuple[int, int]] = []
    values = replay_regret(study, orders=2, window=WINDOW, tell=lambda done, of: heard.append((done, of)))
    assert heard == [(done, 9) for done in range(1, 10)]
    return values


def rows(found: dict[str, Any], arm: str, kind: str) -> dict[int, dict[str, Any]]:
    return {row["trials"]: row for row in found["rows"] if (row["arm"], row["kind"]) == (arm, kind)}


def planned(study: Study) -> Any:
    """Return the finished architectures in the order of the plan."""
    config = SweepConfig.load(study.run.sweep_file)
    order = [json.dumps(one.to_dict(), sort_keys=True) for one in plan_architectures(config, study.num_classes)]
    return study.finished.set_index("architecture", drop=False).loc[
        [one for one in order if one in set(study.finished["architecture"])]
    ]


def candidates(study: Study, share: float) -> Any:
    macs = study.finished["macs"]
    budget = share * study.base.macs
    return study.finished[(macs <= budget) & (macs >= (1 - WINDOW) * budget)]


def test_the_surfaces_regret_is_what_was_measured_of_its_picks(study: Study, found: dict[str, Any]) -> None:
    first = planned(study).head(8)
    surface = Surface.fit(first[list(FACTOR_NAMES)].to_numpy(), FACTOR_NAMES, first["top1"])
    regrets = []
    for share in found["shares"]:
        part = candidates(study, share)
        picked = part.iloc[int(surface.predict(part[list(FACTOR_NAMES)].to_numpy()).mean.argmax())]
        regrets.append(part["top1"].max() - picked["top1"])
    assert rows(found, "surface", "plan")[8]["regret"] == pytest.approx(np.mean(regrets), abs=1e-9)


def test_the_rules_regret_is_that_of_the_candidate_nearest_to_what_it_asks_for(
    study: Study, found: dict[str, Any]
) -> None:
    first = planned(study).head(12)["id"]
    trainings = study.trainings.set_index("id", drop=False).loc[first].reset_index(drop=True)
    factor = study.joint_surface().recalibration
    rule = fit_part(trainings, SweepConfig.load(study.run.sweep_file), study.num_classes, 20, factor).rule
    assert rule is not None
    regrets = []
    for share in found["shares"]:
        if rule.c_range[0] <= share <= rule.c_range[1]:
            part, asked = candidates(study, share), rule.predict(share)
            apart = (np.log(part[list(FACTOR_NAMES)].to_numpy()) - np.log(asked.factors)) / asked.log_std
            regrets.append(part["top1"].max() - part["top1"].iloc[int(np.square(apart).sum(axis=1).argmin())])
    assert rows(found, "rule", "plan")[12]["regret"] == pytest.approx(np.mean(regrets), abs=1e-9)


def test_chance_is_the_mean_over_the_candidates(study: Study, found: dict[str, Any]) -> None:
    parts = [candidates(study, share)["top1"] for share in found["shares"]]
    assert found["chance"] == pytest.approx(np.mean([part.max() - part.mean() for part in parts]))
    assert set(found["shares"]) | set(found["left_out"]) == {0.25, 0.5, 0.75, 1.0}
    assert all(len(part) >= LEAST_CANDIDATES for part in parts)
    assert all(len(candidates(study, share)) < LEAST_CANDIDATES for share in found["left_out"])


def test_after_all_trials_every_order_recommends_the_same(found: dict[str, Any]) -> None:
    assert found["trials"] == 16
    for arm in ("rule", "surface"):
        assert list(rows(found, arm, "plan")) == list(rows(found, arm, "random")) == [8, 12, 16]
        for kind in ("plan", "random"):
            last = rows(found, arm, kind)[16]
            assert last["same"] == 1
            assert last["lost"] == pytest.approx(0, abs=1e-9)
        own, drawn = (rows(found, arm, kind)[16]["regret"] for kind in ("plan", "random"))
        assert own == pytest.approx(drawn)


def test_random_orders_have_an_interval_and_the_plan_has_none(found: dict[str, Any]) -> None:
    for row in found["rows"]:
        if row["kind"] == "plan":
            assert row["low"] is row["high"] is None
        elif row["orders"] == 2:
            assert 0 <= row["low"] <= row["regret"] <= row["high"]


def test_enough_is_from_where_regret_stays_within_the_noise(study: Study, found: dict[str, Any]) -> None:
    assert found["noise"] == study.joint_surface().noise_estimate
    assert found["noise_source"] == "surface"
    for arm in ("rule", "surface"):
        for kind in ("plan", "random"):
            by_count = rows(found, arm, kind)
            within = {n: row["regret"] is not None and row["regret"] <= found["noise"] for n, row in by_count.items()}
            later = [n for n in by_count if all(within[m] for m in by_count if m >= n)]
            assert found["enough"][arm][kind] == (min(later) if later else None)


def test_it_ends_with_a_sentence(found: dict[str, Any]) -> None:
    assert found["verdict"].startswith("Of 16 trials, so many were enough to keep regret within the noise")
    # the made-up trials have no learning curves
    assert found["verdict"].endswith("; what --stop dominated would have saved is not known.")
    assert "needs more than 8 finished trials with learning curves" in found["stop"]["missing"]
    assert found["recommendation"].startswith("The recommendation over the whole space stopped changing")
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"orders": 1}, UnitError, "--orders must be at least 2"),
        ({"window": 0.0}, UnitError, "--window must be a part of the budget"),
        ({"window": 1.0}, UnitError, "--window must be a part of the budget"),
        ({"shares": [0.5, -1.0]}, UnitError, "above 0 and at most 2. Got -1"),
        ({"shares": [0.01]}, FitError, "at least 3 measured architectures that use 70% to 100% of it. Got at most 0"),
    ],
)
def test_what_cannot_be_replayed_is_refused(
    study: Study, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        replay_regret(study, **options)


def test_a_study_with_too_few_trials_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "tiny", trials=8, fit={"pareto_share": 0.5})
    with pytest.raises(FitError, match="more than 8 finished trials, to leave some out. Got 8"):
        replay_regret(fit_run(run, figures=False))
