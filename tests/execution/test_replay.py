"""A stored study, or a function, answers trials as they were measured; beyond what every executor owes its caller."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from gpscale.errors import MissingTrialError, UnknownNameError
from gpscale.execution import Ended, Job, Progressed, ReplayExecutor, Started, StoredTrials
from gpscale.run_dir import RunDir
from gpscale.training.curve import CURVE_FILE, read_curve
from gpscale.trial import FailureReason, Result, Stop, Trial, TrialRecord, TrialState
from tests.curved_runs import EPOCHS, planned, write_curved_run

STOP = Stop("a test", epoch=2, epochs=EPOCHS, top1=0.1, optimistic=0.2, front=0.3, evidence=8)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A study of six trials, the third of which has failed."""
    return write_curved_run(tmp_path_factory.mktemp("studies") / "stored", trials=6, failed=[2])


def jobs(trials: list[Trial], directory: Path) -> list[Job]:
    return [Job(trial, directory, directory / "images") for trial in trials]


def test_the_answers_are_the_records_and_curves_of_the_study_and_say_where_they_are_from(
    study: RunDir, tmp_path: Path
) -> None:
    with ReplayExecutor(source=study) as executor:
        ended = [event.record for event in executor.run(jobs(planned(study), tmp_path)) if isinstance(event, Ended)]
    for record in ended:
        stored = study.record(record.id)
        assert stored is not None
        assert record == dataclasses.replace(stored, measured={**stored.measured, "replayed_from": "stored"})
        assert RunDir(tmp_path).record(record.id) == record
        if record.state is TrialState.FINISHED:
            curves = [(run.trial(record.id) / CURVE_FILE).read_bytes() for run in (study, RunDir(tmp_path))]
            assert curves[0] == curves[1]
    assert [record.state for record in ended].count(TrialState.FAILED) == 1


def test_a_trial_reports_at_each_epoch_and_trials_take_turns(study: RunDir, tmp_path: Path) -> None:
    first, second, *_ = planned(study)
    seen = []
    with ReplayExecutor(source=study, workers=2) as executor:
        for event in executor.run(jobs([first, second], tmp_path)):
            if isinstance(event, Progressed):
                now = event.progress
                seen.append((now.trial_id, now.epoch))
                assert (now.epochs, now.images, now.images_total) == (EPOCHS, 1000 * now.epoch, 1000 * EPOCHS)
                assert len(read_curve(RunDir(tmp_path).trial(now.trial_id))) == now.epoch
    assert seen == [(trial.id, epoch) for epoch in range(1, EPOCHS + 1) for trial in (first, second)]


def test_a_trial_that_is_stopped_has_the_curve_that_it_had_by_then(study: RunDir, tmp_path: Path) -> None:
    trial = planned(study)[0]
    stopped = TrialRecord(trial.id, trial, None, stopped=STOP)
    with ReplayExecutor(source=study) as executor:
        for event in executor.run(jobs([trial], tmp_path)):
            if isinstance(event, Progressed) and event.progress.epoch == 2:
                executor.stop(stopped)
    assert RunDir(tmp_path).record(trial.id) == stopped
    assert len(read_curve(RunDir(tmp_path).trial(trial.id))) == 2


def test_the_same_training_on_images_from_elsewhere_is_the_same_trial_and_nothing_else_is(study: RunDir) -> None:
    stored, trial = StoredTrials(study), planned(study)[0]
    elsewhere = dataclasses.replace(trial, data="decoded anew")
    assert stored.find(trial) == stored.find(elsewhere) == study.record(trial.id)
    for change in (
        {"seed": 1},
        {"num_classes": 11},
        {"recipe": {**trial.recipe, "epochs": 1}},
        {"architecture": {**trial.architecture, "pixels": 8}},
        {"family": "other"},
    ):
        assert stored.find(dataclasses.replace(trial, **change)) is None  # type: ignore[arg-type]


def test_a_record_of_a_trial_elsewhere_has_the_identity_of_the_one_that_was_asked_for(
    study: RunDir, tmp_path: Path
) -> None:
    elsewhere = dataclasses.replace(planned(study)[0], data="decoded anew")
    with ReplayExecutor(source=study) as executor:
        [record] = [event.record for event in executor.run(jobs([elsewhere], tmp_path)) if isinstance(event, Ended)]
    assert (record.id, record.trial) == (elsewhere.id, elsewhere)


def test_trials_that_the_study_lacks_are_an_error_before_the_first_one_starts(study: RunDir, tmp_path: Path) -> None:
    known = planned(study)
    strangers = [dataclasses.replace(known[0], seed=seed) for seed in (7, 8, 9, 10)]
    with (
        ReplayExecutor(source=study) as executor,
        pytest.raises(
            MissingTrialError,
            match=r"lacks 4 of 10: \w{16}, \w{16}, \w{16} and 1 more \(`seed` is 0 there, 7 here\)\. "
            r"It holds the first 6: lower --trials, or train with another executor\.",
        ),
    ):
        next(executor.run(jobs([*known, *strangers], tmp_path)))
    assert not list(tmp_path.iterdir())


def test_the_error_names_the_settings_of_the_recipe_that_differ(study: RunDir) -> None:
    trial = planned(study)[0]
    other = dataclasses.replace(trial, recipe={**trial.recipe, "epochs": 2})
    with pytest.raises(MissingTrialError, match=r"\(`recipe.epochs` is 6 there, 2 here\)\. Train with"):
        StoredTrials(study).check([other])


def test_a_study_without_trials_lacks_all(study: RunDir, tmp_path: Path) -> None:
    empty = write_curved_run(tmp_path / "empty", finished=0)
    with pytest.raises(MissingTrialError, match=r"lacks 6 of 6"):
        StoredTrials(empty).check(planned(study))


def test_a_study_can_be_named_and_an_unknown_one_is_an_error() -> None:
    stored = ReplayExecutor(source="quickstart").stored
    assert stored is not None
    assert len(stored.records) == 24
    with pytest.raises(UnknownNameError, match="Did you mean 'quickstart'"):
        ReplayExecutor(source="quikstart")


def test_a_function_answers_and_what_it_raises_fails_its_trial_alone(study: RunDir, tmp_path: Path) -> None:
    first, second, *_ = planned(study)

    def answer(trial: Trial) -> Result:
        if trial == first:
            raise ValueError("no idea")
        return Result(0.5, 0.9, 0.5, 0.9, 1.0, 1.0, 1.0, EPOCHS, 1000, 100)

    executor = ReplayExecutor(source=answer)
    assert executor.stored is None
    with executor:
        events = list(executor.run(jobs([first, second], tmp_path)))
    assert [type(event) for event in events] == [Started, Ended] * 2
    failed, finished = (RunDir(tmp_path).record(trial.id) for trial in (first, second))
    assert failed is not None
    assert (failed.failure, failed.detail) == (FailureReason.CRASHED, "ValueError: no idea")
    assert finished is not None
    assert finished.result == answer(second)
    assert "answer" in finished.measured["replayed_from"]


@pytest.mark.parametrize("from_function", [True, False])
def test_a_trial_that_has_a_record_keeps_it(study: RunDir, tmp_path: Path, from_function: bool) -> None:
    trial = planned(study)[0]
    own = TrialRecord(trial.id, trial, None, FailureReason.TIMEOUT, "here before")
    RunDir(tmp_path).write_record(own)
    source = (lambda trial: pytest.fail("must not be asked")) if from_function else study
    with ReplayExecutor(source=source) as executor:
        [record] = [event.record for event in executor.run(jobs([trial], tmp_path)) if isinstance(event, Ended)]
    assert record == own
