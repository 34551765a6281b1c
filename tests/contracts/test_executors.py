"""What every executor owes its caller; runs over the registry."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from gpscale import execution
from gpscale.errors import UnknownNameError
from gpscale.execution import Ended, Event, Executor, Progressed, Started
from gpscale.execution.base import RunTrial
from gpscale.run_dir import RunDir
from gpscale.trial import FailureReason, TrialState
from tests.execution import fake_trials
from tests.execution.processes import eventually, is_alive

QUICK_START = {"local": {"preload": ()}}


def make(name: str, run_trial: RunTrial, workers: int = 2) -> Executor:
    return execution.get(name)(workers=workers, run_trial=run_trial, **QUICK_START.get(name, {}))


def trial_of(event: Event) -> str:
    match event:
        case Started(trial_id):
            return trial_id
        case Progressed(progress):
            return progress.trial_id
        case Ended(record):
            return record.id


@pytest.fixture(params=execution.names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_job_starts_then_reports_then_ends_with_a_record_on_disk(name: str, tmp_path: Path) -> None:
    jobs = fake_trials.jobs(tmp_path, range(10, 16))
    kinds: dict[str, list[type]] = {job.trial.id: [] for job in jobs}
    with make(name, fake_trials.finish) as executor:
        for event in executor.run(jobs):
            kinds[trial_of(event)].append(type(event))
            if isinstance(event, Ended):
                assert RunDir(tmp_path).record(event.record.id) == event.record
    for seen in kinds.values():
        assert seen[0] is Started
        assert seen[-1] is Ended
        assert Counter(seen)[Started] == Counter(seen)[Ended] == 1
        assert set(seen[1:-1]) <= {Progressed}


def test_jobs_start_in_the_order_in_which_they_are_given(name: str, tmp_path: Path) -> None:
    jobs = fake_trials.jobs(tmp_path, [15, 11, 13, 12, 14])
    with make(name, fake_trials.finish) as executor:
        started = [event.trial_id for event in executor.run(jobs) if isinstance(event, Started)]
    assert started == [job.trial.id for job in jobs]


def test_results_are_equal_with_one_worker_and_with_two(name: str, tmp_path: Path) -> None:
    results = []
    for workers in (1, 2):
        directory = tmp_path / str(workers)
        with make(name, fake_trials.finish, workers) as executor:
            for _ in executor.run(fake_trials.jobs(directory, range(10, 16))):
                pass
        results.append({record.id: record.result for record in RunDir(directory).records()})
    assert len(results[0]) == 6
    assert results[0] == results[1]


def test_a_trial_that_raises_dies_or_leaves_costs_only_itself(name: str, tmp_path: Path) -> None:
    jobs = fake_trials.jobs(tmp_path, range(8))
    with make(name, fake_trials.finish_or_fail) as executor:
        records = {event.record.trial.seed: event.record for event in executor.run(jobs) if isinstance(event, Ended)}
    failed = {seed for seed, record in records.items() if record.state is TrialState.FAILED}
    assert len(records) == 8
    assert failed == {1, 2, 3, 4}
    for seed in failed:
        assert records[seed].failure is FailureReason.CRASHED
        assert records[seed].detail


def test_closing_early_ends_the_trials_without_a_record_and_leaves_no_process(name: str, tmp_path: Path) -> None:
    jobs = fake_trials.jobs(tmp_path, range(4))
    with make(name, fake_trials.hang_with_a_child) as executor:
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


def test_an_executor_can_run_again_after_it_was_closed_early(name: str, tmp_path: Path) -> None:
    with make(name, fake_trials.hang_with_a_child) as executor:
        events = executor.run(fake_trials.jobs(tmp_path, [0]))
        next(events)
        events.close()  # type: ignore[attr-defined]
        ended = [event for event in executor.run(fake_trials.jobs(tmp_path, [100])) if isinstance(event, Ended)]
    assert [event.record.state for event in ended] == [TrialState.FINISHED]


def test_no_jobs_give_no_events(name: str) -> None:
    with make(name, fake_trials.finish) as executor:
        assert list(executor.run([])) == []


def test_an_unknown_executor_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"'locl'.*local.*Did you mean 'local'"):
        execution.get("locl")
