"""What every executor owes its caller; runs over the registry."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpscale import execution
from gpscale.errors import RunDirError, StorageError, UnknownNameError
from gpscale.execution import Ended, Event, Executor, Progressed, Started
from gpscale.execution.base import RunTrial
from gpscale.run_dir import RunDir
from gpscale.trial import FailureReason, Stop, TrialRecord, TrialState
from tests.execution import fake_trials
from tests.execution.processes import eventually, is_alive

Make = Callable[..., Executor]

STOP = Stop("a test", epoch=1, epochs=2, top1=0.1, optimistic=0.2, front=0.3, evidence=8)


ISOLATING = [name for name in execution.names() if execution.get(name).isolates]  # type: ignore[attr-defined]
"""Those whose trials may crash and hang."""


def maker(name: str, request: pytest.FixtureRequest) -> Make:
    """Return what makes an executor; its workers start quickly, and there are two if nothing else is said."""
    settings: dict[str, Any] = {"workers": 2}
    if name in ("local", "ray"):
        settings["preload"] = ()
    if name == "ray":
        settings |= {"address": request.getfixturevalue("ray_cluster").address, "gpus": 0}

    def make_one(run_trial: RunTrial, **others: Any) -> Executor:
        return execution.get(name)(run_trial=run_trial, **{**settings, **others})

    return make_one


@pytest.fixture(params=execution.names())
def make(request: pytest.FixtureRequest) -> Make:
    return maker(request.param, request)


@pytest.fixture(params=ISOLATING)
def make_isolating(request: pytest.FixtureRequest) -> Make:
    return maker(request.param, request)


def trial_of(event: Event) -> str:
    match event:
        case Started(trial_id):
            return trial_id
        case Progressed(progress):
            return progress.trial_id
        case Ended(record):
            return record.id


def test_every_job_starts_then_reports_then_ends_with_a_record_on_disk(make: Make, tmp_path: Path) -> None:
    jobs = fake_trials.jobs(tmp_path, range(10, 16))
    kinds: dict[str, list[type]] = {job.trial.id: [] for job in jobs}
    with make(fake_trials.finish) as executor:
        for event in executor.run(jobs):
            kinds[trial_of(event)].append(type(event))
            if isinstance(event, Ended):
                assert RunDir(tmp_path).record(event.record.id) == event.record
    for seen in kinds.values():
        assert seen[0] is Started
        assert seen[-1] is Ended
        assert Counter(seen)[Started] == Counter(seen)[Ended] == 1
        assert set(seen[1:-1]) <= {Progressed}


def test_jobs_start_in_the_order_in_which_they_are_given(make: Make, tmp_path: Path) -> None:
    jobs = fake_trials.jobs(tmp_path, [15, 11, 13, 12, 14])
    with make(fake_trials.finish) as executor:
        started = [event.trial_id for event in executor.run(jobs) if isinstance(event, Started)]
    assert started == [job.trial.id for job in jobs]


def test_results_are_equal_with_one_worker_and_with_two(make: Make, tmp_path: Path) -> None:
    results = []
    for workers in (1, 2):
        directory = tmp_path / str(workers)
        with make(fake_trials.finish, workers=workers) as executor:
            for _ in executor.run(fake_trials.jobs(directory, range(10, 16))):
                pass
        results.append({record.id: record.result for record in RunDir(directory).records()})
    assert len(results[0]) == 6
    assert results[0] == results[1]


def test_a_trial_that_raises_or_leaves_costs_only_itself(make: Make, tmp_path: Path) -> None:
    jobs = fake_trials.jobs(tmp_path, [0, 1, 4, 5])
    with make(fake_trials.finish_or_fail) as executor:
        records = {event.record.trial.seed: event.record for event in executor.run(jobs) if isinstance(event, Ended)}
    assert {seed: record.failure for seed, record in records.items()} == {
        0: None,
        1: FailureReason.CRASHED,
        4: FailureReason.CRASHED,
        5: None,
    }
    assert records[1].detail
    assert records[4].detail
    assert "ValueError: seed 1 raises" in (RunDir(tmp_path).trial(records[1].id) / "log.txt").read_text()


def test_a_trial_that_dies_costs_only_itself(make_isolating: Make, tmp_path: Path) -> None:
    jobs = fake_trials.jobs(tmp_path, range(8))
    with make_isolating(fake_trials.finish_or_fail) as executor:
        records = {event.record.trial.seed: event.record for event in executor.run(jobs) if isinstance(event, Ended)}
    failed = {seed for seed, record in records.items() if record.state is TrialState.FAILED}
    assert len(records) == 8
    assert failed == {1, 2, 3, 4}
    for seed in failed:
        assert records[seed].failure is FailureReason.CRASHED
        assert records[seed].detail


def test_a_trial_that_is_asked_to_stop_ends_with_the_record_that_it_is_given(make: Make, tmp_path: Path) -> None:
    jobs = fake_trials.jobs(tmp_path, [0, 1, 2])
    stopped = {
        job.trial.id: TrialRecord(job.trial.id, job.trial, None, stopped=STOP, measured={"place": place})
        for place, job in enumerate(jobs)
    }
    ended: dict[str, TrialRecord] = {}
    with make(fake_trials.hang_until_told) as executor:
        for event in executor.run(jobs):
            if isinstance(event, Progressed):
                executor.stop(stopped[event.progress.trial_id])
            elif isinstance(event, Ended):
                assert event.record.id not in ended
                ended[event.record.id] = event.record
    assert ended == stopped
    assert {record.id: record for record in RunDir(tmp_path).records()} == stopped
    assert {record.state for record in ended.values()} == {TrialState.STOPPED}


def test_a_trial_that_has_ended_or_is_unknown_cannot_be_stopped_and_the_next_one_runs(
    make: Make, tmp_path: Path
) -> None:
    jobs = fake_trials.jobs(tmp_path, [10, 11])
    stranger = fake_trials.jobs(tmp_path, [12])[0].trial
    with make(fake_trials.finish, workers=1) as executor:
        for event in executor.run(jobs):
            executor.stop(TrialRecord(stranger.id, stranger, None, stopped=STOP))
            if isinstance(event, Ended):
                executor.stop(dataclasses.replace(event.record, result=None, stopped=STOP))
    assert [record.state for record in RunDir(tmp_path).records()] == [TrialState.FINISHED] * 2


def test_closing_early_ends_the_trials_without_a_record(make: Make, tmp_path: Path) -> None:
    jobs = fake_trials.jobs(tmp_path, range(4))
    with make(fake_trials.hang_until_told) as executor:
        events = executor.run(jobs)
        reported: set[str] = set()
        while len(reported) < 2:
            event = next(events)
            if isinstance(event, Progressed):
                reported.add(event.progress.trial_id)
        events.close()  # type: ignore[attr-defined]
        (tmp_path / "go").touch()
        assert list(RunDir(tmp_path).records()) == []
        assert sum(isinstance(event, Ended) for event in executor.run(jobs)) == 4


def test_closing_early_leaves_no_process(make_isolating: Make, tmp_path: Path) -> None:
    jobs = fake_trials.jobs(tmp_path, range(4))
    with make_isolating(fake_trials.hang_with_a_child) as executor:
        events = executor.run(jobs)
        reported: set[str] = set()
        while len(reported) < 2:
            event = next(events)
            if isinstance(event, Progressed):
                reported.add(event.progress.trial_id)
        processes = fake_trials.processes_of(tmp_path)
        assert len(processes) == 4
        events.close()  # type: ignore[attr-defined]
    assert eventually(lambda: not any(map(is_alive, processes)))
    assert list(RunDir(tmp_path).records()) == []


def test_an_executor_can_run_again_after_it_was_closed_early(make: Make, tmp_path: Path) -> None:
    with make(fake_trials.hang_with_a_child) as executor:
        events = executor.run(fake_trials.jobs(tmp_path, [0]))
        next(events)
        events.close()  # type: ignore[attr-defined]
        ended = [event for event in executor.run(fake_trials.jobs(tmp_path, [100])) if isinstance(event, Ended)]
    assert [event.record.state for event in ended] == [TrialState.FINISHED]


def test_a_trial_that_hangs_is_ended_with_its_children_when_its_time_is_up(
    make_isolating: Make, tmp_path: Path
) -> None:
    jobs = fake_trials.jobs(tmp_path, [0, 100])
    with make_isolating(fake_trials.hang_with_a_child, workers=1, timeout=1.0) as executor:
        records = [event.record for event in executor.run(jobs) if isinstance(event, Ended)]
    assert [record.failure for record in records] == [FailureReason.TIMEOUT, None]
    assert records[0].detail == "took longer than 1 s"
    assert RunDir(tmp_path).record(records[0].id) == records[0]
    assert eventually(lambda: not any(map(is_alive, fake_trials.processes_of(tmp_path))))


def test_a_timeout_that_leaves_no_time_is_refused(make: Make) -> None:
    with pytest.raises(ValueError, match=r"timeout must be positive\. Got 0 s"):
        make(fake_trials.finish, timeout=0.0)


def test_a_record_that_cannot_be_read_is_an_error(make: Make, tmp_path: Path) -> None:
    with (
        make(fake_trials.leave_a_damaged_record) as executor,
        pytest.raises(RunDirError, match=r"record\.json must hold JSON\. Got: "),
    ):
        for _ in executor.run(fake_trials.jobs(tmp_path, [0])):
            pass


def test_a_trial_that_cannot_write_ends_the_run_and_has_not_failed(make: Make, tmp_path: Path) -> None:
    with (
        make(fake_trials.find_no_room) as executor,
        pytest.raises(StorageError, match=r" must be writable\. Got: No space left on device\. Make room on its disk"),
    ):
        for _ in executor.run(fake_trials.jobs(tmp_path, [0])):
            pass
    assert list(RunDir(tmp_path).records()) == []


def test_no_jobs_give_no_events(make: Make) -> None:
    with make(fake_trials.finish) as executor:
        assert list(executor.run([])) == []


def test_an_unknown_executor_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"'locl'.*local.*Did you mean 'local'"):
        execution.get("locl")
