"""What a stopping rule would have saved and lost is computed from whole learning curves, in the order of the plan."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gpscale.comparison.early_stopping import replay_stopping
from gpscale.errors import FitError
from gpscale.execution import ReplayExecutor
from gpscale.pareto import hypervolume
from gpscale.run_dir import RunDir
from gpscale.stopping import Dominated, Trained
from gpscale.study import Study
from gpscale.sweep.driver import Plan, run_plan
from gpscale.training.curve import CURVE_FILE
from gpscale.trial import Stop, TrialState
from tests.curved_runs import EPOCHS, TRIALS, planned, write_curved_run


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    return write_curved_run(tmp_path_factory.mktemp("studies") / "stored", failed=[3])


class AllButEight(Dominated):
    """Stops every trial after the eighth at its first epoch, whatever it would reach."""

    name = "all but eight"

    def judge(self, macs: int, curve: object, epochs: int, earlier: object) -> Stop | None:
        stop = Stop(self.name, 1, epochs, 0.1, 0.2, 0.3, 8)
        return stop if len(earlier) >= 8 else None  # type: ignore[arg-type]


class Never(Dominated):
    def judge(self, macs: int, curve: object, epochs: int, earlier: object) -> Stop | None:
        return None


def test_with_one_worker_what_is_saved_is_what_a_sweep_would_have_saved(study: RunDir, tmp_path: Path) -> None:
    values = replay_stopping(study, Dominated(), bootstrap=20)
    run = RunDir(tmp_path)
    plan = Plan.of(planned(study), run)
    run_plan(plan, run, ReplayExecutor(source=study), images=run.images, stop=Dominated())
    stopped = {record.id: record.stopped for record in run.records() if record.state is TrialState.STOPPED}
    assert {row["id"]: row["epoch"] for row in values["stopped"]} == {
        trial_id: stop.epoch for trial_id, stop in stopped.items() if stop
    }
    macs = {record.id: record.result.macs for record in study.records() if record.result}
    saved = sum(macs[trial_id] * (EPOCHS - stop.epoch) for trial_id, stop in stopped.items() if stop)
    assert values["saved"]["value"] == pytest.approx(saved / sum(EPOCHS * of for of in macs.values()))
    assert values["trials"] == TRIALS - 1
    assert not any(row["beats"] for row in values["stopped"])
    assert values["lost"]["hypervolume"]["value"] == values["lost"]["top1"]["value"] == 0


def test_more_workers_save_less_and_lose_the_same(study: RunDir) -> None:
    found = [replay_stopping(study, Dominated(), workers=workers, bootstrap=5) for workers in (1, 2, 4, TRIALS)]
    saved = [values["saved"]["value"] for values in found]
    assert saved == sorted(saved, reverse=True)
    assert saved[0] > saved[-1]
    for values in found[1:]:
        assert values["stopped"] == found[0]["stopped"]
        assert values["lost"] == found[0]["lost"]


def test_a_rule_that_stops_what_is_good_loses_it(study: RunDir) -> None:
    values = replay_stopping(study, AllButEight(), bootstrap=50)
    records = [record for trial in planned(study) if (record := study.record(trial.id)) and record.result]
    base = Study(study).base.macs
    c, top1 = (np.array([getattr(record.result, name) for record in records]) for name in ("macs", "top1"))
    whole, rest = (hypervolume(c[:end] / base, top1[:end], (1.1, 1.0)) for end in (None, 8))
    lost = values["lost"]
    assert lost["hypervolume"]["value"] == pytest.approx(whole - rest)
    assert lost["hypervolume_share"]["value"] == pytest.approx((whole - rest) / whole)
    assert 0 < lost["top1"]["value"] < 1
    assert lost["resamples"] > 0.9
    assert len(values["stopped"]) == len(records) - 8
    assert any(row["beats"] for row in values["stopped"]) == (max(top1[8:]) > 0.3)


def test_a_rule_that_stops_nothing_saves_and_loses_nothing(study: RunDir) -> None:
    values = replay_stopping(study, Never(), workers=3, bootstrap=5)
    assert values["stopped"] == []
    for figure in (values["saved"], values["lost"]["hypervolume"], values["lost"]["top1"]):
        assert figure == pytest.approx({"value": 0.0, "low": 0.0, "high": 0.0})


def test_intervals_hold_the_figure_and_repeat(study: RunDir) -> None:
    values = replay_stopping(study, Dominated(), bootstrap=100)
    assert values["saved"]["low"] <= values["saved"]["value"] <= values["saved"]["high"]
    assert values["saved"]["low"] < values["saved"]["high"]
    assert replay_stopping(study, Dominated(), bootstrap=100) == values
    json.dumps(values, allow_nan=False)


def test_no_trial_is_judged_by_its_copies(study: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[tuple[int, list[int]]] = []

    class Watched(Dominated):
        def judge(self, macs: int, curve: object, epochs: int, earlier: list[Trained]) -> Stop | None:  # type: ignore[override]
            judged.append((macs, [other.macs for other in earlier]))
            return None

    replay_stopping(study, Watched(), bootstrap=3)
    macs = [record.result.macs for record in study.records() if record.result]
    # in this study no two trials have equal MACs
    assert len(set(macs)) == len(macs)
    assert all(own not in others for own, others in judged)
    assert any(len(others) > len(set(others)) for _, others in judged)


def test_too_few_whole_curves_are_an_error(tmp_path: Path) -> None:
    run = write_curved_run(tmp_path / "short", finished=12)
    for trial in planned(run)[8:12]:
        (run.trial(trial.id) / CURVE_FILE).unlink()
    with pytest.raises(FitError, match="more than 8 finished trials with learning curves. Got 8 in "):
        replay_stopping(run, Dominated())
