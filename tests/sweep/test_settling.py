"""Which trials count as stopped, and where, does not depend on workers, on who ends first, or on interruptions."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gpscale.doctor import examine
from gpscale.errors import RunDirError
from gpscale.execution import Ended, Event, Executor, LocalExecutor, Progressed, ReplayExecutor, Started
from gpscale.run_dir import RunDir
from gpscale.stopping import Dominated
from gpscale.sweep.driver import Plan, run_plan
from gpscale.training.curve import CURVE_FILE, read_curve, write_curve
from gpscale.trial import FailureReason, TrialRecord, TrialState
from tests.curved_runs import EPOCHS, TRIALS, planned, rows, write_curved_run
from tests.execution import fake_trials


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A study whose trials were all trained to their end, but for two that failed: one early, one late."""
    run = write_curved_run(tmp_path_factory.mktemp("studies") / "stored", failed=[3], stop="dominated")
    late = run.record(planned(run)[14].id)
    assert late is not None
    run.write_record(dataclasses.replace(late, result=None, failure=FailureReason.DIVERGED, detail="in epoch 5"))
    write_curve(run.trial(late.id), read_curve(run.trial(late.id))[:4])
    return run


def sweep(
    directory: Path,
    study: RunDir,
    executor: Executor,
    on_event: Callable[[Event], None] = lambda event: None,
    **more: Any,
) -> RunDir:
    """Run the plan of a study, with its trials stopped where the rule says so."""
    run = RunDir(directory)
    plan = Plan.of(planned(study), run)
    # a trial that is not trained has no images: they are where the fake training finds the study
    run_plan(plan, run, executor, images=study.path, stop=Dominated(), on_event=on_event, **more)
    return run


def replayed(directory: Path, study: RunDir, workers: int = 1, **more: Any) -> RunDir:
    return sweep(directory, study, ReplayExecutor(source=study, workers=workers), **more)


def kept(run: RunDir) -> Mapping[str, Any]:
    """Return the part of each record that is equal when a trial is repeated, by place in the plan."""
    return {
        record.id: (record.state, record.result, record.failure, record.detail, record.stopped)
        for record in run.records()
    }


@pytest.fixture(scope="module")
def alone(study: RunDir, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """The study's plan with one trial after the other."""
    return replayed(tmp_path_factory.mktemp("alone"), study)


def test_one_after_the_other_trials_stop_and_are_not_trained_beyond(study: RunDir, alone: RunDir) -> None:
    states = [record.state for trial in planned(study) if (record := alone.record(trial.id))]
    assert len(states) == TRIALS
    assert states.count(TrialState.STOPPED) >= 5
    # eight are needed to judge by
    assert TrialState.STOPPED not in states[:8]
    for record in alone.records():
        if record.stopped is not None:
            assert 1 <= record.stopped.epoch < EPOCHS
            assert record.stopped.optimistic < record.stopped.front
            assert record.measured == {"trained": {"epochs": record.stopped.epoch, "result": None, "failure": None}}
            assert len(read_curve(alone.trial(record.id))) == record.stopped.epoch
        elif record.result is not None:
            assert record.result == study.record(record.id).result  # type: ignore[union-attr]


def test_what_stops_could_not_have_reached_the_front(study: RunDir, alone: RunDir) -> None:
    for record in alone.records():
        if record.stopped is not None and (whole := study.record(record.id)) is not None and whole.result is not None:
            assert whole.result.top1 <= record.stopped.front


@pytest.mark.parametrize("workers", [2, 3, 8, TRIALS])
def test_records_do_not_depend_on_the_number_of_workers(
    study: RunDir, alone: RunDir, tmp_path: Path, workers: int
) -> None:
    run = replayed(tmp_path, study, workers)
    assert kept(run) == kept(alone)
    beyond = [
        record
        for record in run.records()
        if record.stopped is not None and record.measured["trained"]["epochs"] > record.stopped.epoch
    ]
    assert beyond
    for record in beyond:
        assert record.measured["trained"]["epochs"] == len(read_curve(run.trial(record.id)))


def test_trials_that_were_trained_to_their_end_count_as_stopped_and_keep_what_they_gave(
    study: RunDir, alone: RunDir, tmp_path: Path
) -> None:
    run = RunDir(tmp_path)
    run_plan(Plan.of(planned(study), run), run, ReplayExecutor(source=study), images=run.images)
    whole = {record.id: record for record in run.records()}
    assert not any(record.stopped for record in whole.values())
    replayed(tmp_path, study, on_event=lambda event: pytest.fail("nothing is left to run"))
    assert kept(run) == kept(alone)
    finished = 0
    for record in run.records():
        if record.stopped is not None:
            values = whole[record.id].to_dict()
            trained = record.measured["trained"]
            assert (trained["result"], trained["failure"]) == (values["result"], values["failure"])
            finished += trained["result"] is not None
    assert finished >= 5


@pytest.mark.parametrize("workers", [1, 2])
def test_processes_give_the_records_of_a_replay(study: RunDir, alone: RunDir, tmp_path: Path, workers: int) -> None:
    executor = LocalExecutor(workers=workers, run_trial=fake_trials.follow, preload=("tests.execution.fake_trials",))
    run = sweep(tmp_path, study, executor)
    assert kept(run) == kept(alone)
    for record in run.records():
        if record.stopped is not None:
            assert {path.name for path in run.trial(record.id).iterdir()} <= {"record.json", "curve.csv", "log.txt"}


@pytest.mark.parametrize("after", range(5, 120, 23))
@pytest.mark.parametrize("workers", [(1, 3), (3, 1)])
def test_a_sweep_that_was_cut_off_and_goes_on_has_the_records_of_an_undisturbed_one(
    study: RunDir, alone: RunDir, tmp_path: Path, after: int, workers: tuple[int, int]
) -> None:
    events = 0

    def cut_off(event: Event) -> None:
        nonlocal events
        events += 1
        if events == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replayed(tmp_path, study, workers[0], on_event=cut_off)
    assert kept(replayed(tmp_path, study, workers[1])) == kept(alone)


@pytest.mark.parametrize("workers", [1, 4])
def test_the_end_of_each_trial_is_told_once_in_the_order_of_the_plan_with_the_record_that_stays(
    study: RunDir, tmp_path: Path, workers: int
) -> None:
    told: list[Event] = []
    run = replayed(tmp_path, study, workers, on_event=told.append)
    ended = [event.record for event in told if isinstance(event, Ended)]
    assert [record.id for record in ended] == [trial.id for trial in planned(study)]
    assert ended == [run.record(record.id) for record in ended]
    assert sum(isinstance(event, Started) for event in told) == TRIALS
    assert any(isinstance(event, Progressed) for event in told)


def test_a_trial_that_failed_beyond_the_epoch_at_which_it_was_to_stop_counts_as_stopped(
    study: RunDir, alone: RunDir, tmp_path: Path
) -> None:
    late = planned(study)[14].id
    record = replayed(tmp_path, study, TRIALS).record(late)
    assert record is not None
    assert record.state is TrialState.STOPPED
    assert record.measured["trained"]["failure"] == {"reason": "diverged", "detail": "in epoch 5"}
    assert record.stopped == alone.record(late).stopped  # type: ignore[union-attr]


def test_a_sweep_that_has_ended_runs_nothing_again_and_keeps_its_records(study: RunDir, tmp_path: Path) -> None:
    run = replayed(tmp_path, study, 3)
    before = {file: file.read_bytes() for file in tmp_path.rglob("record.json")}
    replayed(tmp_path, study, 1, on_event=lambda event: pytest.fail("nothing is left to run"))
    assert {file: file.read_bytes() for file in run.path.rglob("record.json")} == before


def test_more_trials_leave_the_records_of_the_first_ones_alone(study: RunDir, alone: RunDir, tmp_path: Path) -> None:
    run, executor = RunDir(tmp_path), ReplayExecutor(source=study, workers=2)
    first = planned(study)[:15]
    run_plan(Plan.of(first, run), run, executor, images=run.images, stop=Dominated())
    assert kept(run) == {trial.id: kept(alone)[trial.id] for trial in first}
    assert kept(replayed(tmp_path, study)) == kept(alone)


@pytest.fixture
def trained_here(study: RunDir, tmp_path: Path) -> RunDir:
    """A sweep with stopped trials, whose records are those of trainings."""
    run = RunDir(shutil.copytree(study.path, tmp_path / "run"))
    run_plan(Plan.of(planned(run), run), run, ReplayExecutor(source=study), images=run.images, stop=Dominated())
    assert sum(record.stopped is not None for record in run.records()) >= 5
    return run


def settle_again(run: RunDir, study: RunDir) -> None:
    replayed(run.path, study, on_event=lambda event: pytest.fail("nothing is to run"))


@pytest.mark.parametrize("cut", [0, 1])
def test_a_stopped_trial_that_has_lost_its_curve_stays_as_it_is(trained_here: RunDir, study: RunDir, cut: int) -> None:
    run = trained_here
    before = {file: file.read_bytes() for file in run.path.rglob("record.json")}
    for record in run.records():
        if record.stopped is not None:
            file = run.trial(record.id) / CURVE_FILE
            whole = read_curve(file.parent)
            file.unlink()
            if cut:
                write_curve(file.parent, whole[:-1])
    settle_again(run, study)
    assert {file: file.read_bytes() for file in run.path.rglob("record.json")} == before


@pytest.mark.parametrize("cut", [0, 1])
def test_a_finished_trial_that_has_lost_its_curve_is_named_and_no_decision_is_changed(
    trained_here: RunDir, study: RunDir, cut: int
) -> None:
    run = trained_here
    first = planned(study)[0].id
    whole = read_curve(run.trial(first))
    before = {file: file.read_bytes() for file in run.path.rglob("record.json")}
    (run.trial(first) / CURVE_FILE).unlink()
    if cut:
        write_curve(run.trial(first), whole[:-1])
    with pytest.raises(RunDirError, match=r"curve\.csv must .*gpscale doctor"):
        settle_again(run, study)
    assert {file: file.read_bytes() for file in run.path.rglob("record.json")} == before
    assert [found.path for found in examine(run)] == [f"trials/{first}"]
    undisturbed = {file: content for file, content in before.items() if file.parent.name != first}
    replayed(run.path, study)
    after = {file: file.read_bytes() for file in undisturbed}
    assert after == undisturbed


@pytest.mark.parametrize("workers", [1, 3])
def test_a_failed_trial_that_is_run_again_moves_the_bound_and_those_it_lets_go_on_are_trained(
    study: RunDir, tmp_path: Path, workers: int
) -> None:
    whole, failing = (RunDir(shutil.copytree(study.path, tmp_path / name)) for name in ("whole", "failing"))
    place = planned(study)[3]
    # one that gains much: the others may, too, then
    example = next(record for record in study.records() if record.result is not None)
    assert example.result is not None
    result = dataclasses.replace(example.result, top1=0.7)
    whole.write_record(TrialRecord(place.id, place, result))
    write_curve(whole.trial(place.id), rows(0.7, 0.6))
    undisturbed = kept(replayed(tmp_path / "undisturbed", whole))
    run = replayed(tmp_path / "run", failing, workers)
    before = kept(run)
    # the trial is another one by now; those that stopped before it can be judged are looked at again
    again = replayed(tmp_path / "run", whole, workers, retry=[FailureReason.DIVERGED])
    assert kept(again) == undisturbed
    let_go_on = [
        trial_id
        for trial_id, (state, *_) in undisturbed.items()
        if before[trial_id][0] is TrialState.STOPPED and state is not TrialState.STOPPED
    ]
    assert let_go_on
