"""A sweep that is answered by a stored study is planned and fitted as if it had been trained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gpscale.errors import MissingTrialError, RunDirError, SweepFileError
from gpscale.execution import ReplayExecutor, StoredTrials
from gpscale.report.card import card
from gpscale.run_dir import RunDir
from gpscale.stopping import Dominated
from gpscale.stored import read_json
from gpscale.study import Study
from gpscale.sweep import SweepConfig, check, fit_run, prepare, run_sweep
from gpscale.sweep.driver import run_plan
from gpscale.trial import TrialState
from tests.curved_runs import TRIALS, planned, write_curved_run
from tests.synthetic_runs import snapshot


@pytest.fixture(scope="module", autouse=True)
def no_figures() -> Iterator[None]:
    """Whole sweeps draw them elsewhere; here they would take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gpscale.plotting.draw_all", lambda study, directory: [])
        yield


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    return write_curved_run(tmp_path_factory.mktemp("studies") / "stored", failed=[3])


@pytest.fixture(scope="module")
def stopped(study: RunDir, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The same sweep with trials that were stopped, two at a time."""
    run = RunDir(tmp_path_factory.mktemp("runs") / "stopped")
    return run_sweep(config(study, stop="dominated"), run, ReplayExecutor(source=study, workers=2))


def config(study: RunDir, **changes: object) -> SweepConfig:
    # the images are nowhere: nobody looks for them
    elsewhere = ["data.source=folder", "data.root=nowhere"]
    return SweepConfig.load(study.sweep_file, [*elsewhere, *(f"{key}={value}" for key, value in changes.items())])


def test_the_sweep_has_the_results_the_front_and_the_rule_of_the_study(study: RunDir, tmp_path: Path) -> None:
    run = RunDir(tmp_path / "again")
    again = run_sweep(config(study), run, ReplayExecutor(source=study))
    fitted = fit_run(study, figures=False)
    assert {record.id: record.result for record in run.records()} == {
        record.id: record.result for record in study.records()
    }
    assert again.facts == fitted.facts
    for of in (RunDir.pareto_file, RunDir.rule_file):
        assert of.fget(run).read_bytes() == of.fget(study).read_bytes()  # type: ignore[attr-defined]
    assert not run.images.exists()
    assert read_json(run.provenance_file)["data"] == read_json(study.provenance_file)["data"]


def test_a_plan_that_the_study_does_not_hold_is_refused_before_anything_is_written(
    study: RunDir, tmp_path: Path
) -> None:
    run = RunDir(tmp_path / "runs" / "more")
    with pytest.raises(MissingTrialError, match=f"lacks 6 of {TRIALS + 6}: .* It holds the first {TRIALS}: lower"):
        run_sweep(config(study, trials=TRIALS + 6), run, ReplayExecutor(source=study))
    with pytest.raises(SweepFileError, match="`num_classes` must be that of the images. Got 9"):
        run_sweep(config(study, num_classes=9), run, ReplayExecutor(source=study))
    assert not run.path.parent.exists()


def test_what_the_run_directory_has_need_not_be_held(study: RunDir, tmp_path: Path) -> None:
    run = write_curved_run(tmp_path / "longer", trials=TRIALS + 3)
    assert check(SweepConfig.load(run.sweep_file), run, StoredTrials(study)) == 10
    run.record_file(planned(run)[-1].id).unlink()
    with pytest.raises(MissingTrialError, match="lacks 1 of 1"):
        check(SweepConfig.load(run.sweep_file), run, StoredTrials(study))


def test_a_run_directory_of_other_images_is_refused(study: RunDir, tmp_path: Path) -> None:
    run = write_curved_run(tmp_path / "other", fingerprint="of other images", finished=2)
    before = snapshot(run.path)
    with pytest.raises(RunDirError, match="begun with others"):
        run_sweep(SweepConfig.load(run.sweep_file), run, ReplayExecutor(source=study))
    assert snapshot(run.path) == before


def test_stopped_trials_are_counted_and_shown_and_not_fitted(stopped: Study) -> None:
    counts = stopped.facts["trials"]
    assert counts["stopped"] >= 5
    assert counts == {
        "planned": TRIALS,
        "finished": TRIALS - 1 - counts["stopped"],
        "failed": 1,
        "stopped": counts["stopped"],
    }
    assert len(stopped.facts["surface_ids"]) == counts["finished"]
    status = stopped.status()
    assert status["trials"]["stopped"] == counts["stopped"]
    assert len(status["stops"]) == counts["stopped"]
    assert len(status["failures"]) == 1
    rows = stopped.trials[stopped.trials["state"] == TrialState.STOPPED]
    assert len(rows) == counts["stopped"]
    assert set(rows["reason"]) == {"dominated"}
    assert rows["detail"].str.match(r"after epoch \d of 6: top-1 \S+%, in the end at best").all()
    assert rows["top1"].isna().all()
    assert not set(rows["id"]) & set(stopped.finished["id"])


def test_the_card_says_which_trials_were_stopped_and_what_that_does_to_the_fit(stopped: Study) -> None:
    text = card(stopped)
    count = stopped.facts["trials"]["stopped"]
    assert f"1 failed; 1 diverged, {count} stopped" in text
    assert f"{count} trials were stopped early" in text
    assert "not fitted" in text
    assert "Trials that were stopped:\n\n- trial " in text
    assert text.count("dominated: after epoch") == count


def test_whether_trials_are_stopped_cannot_be_changed_within_a_run_directory(study: RunDir, stopped: Study) -> None:
    before = snapshot(stopped.run.path)
    with pytest.raises(RunDirError, match="`stop` is 'dominated' there, None here"):
        run_sweep(config(study), stopped.run, ReplayExecutor(source=study))
    assert snapshot(stopped.run.path) == before


def test_a_study_with_stopped_trials_answers_with_them(stopped: Study, study: RunDir, tmp_path: Path) -> None:
    run, settings = RunDir(tmp_path / "run"), config(study, stop="dominated")
    executor = ReplayExecutor(source=stopped.run)
    run_plan(prepare(settings, run, executor.stored), run, executor, images=run.images, stop=Dominated())
    assert {record.id: (record.result, record.stopped) for record in run.records()} == {
        record.id: (record.result, record.stopped) for record in stopped.run.records()
    }
