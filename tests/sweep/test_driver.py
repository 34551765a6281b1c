"""A plan is run to its end, or to as many failures as it may have."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpscale.errors import TooManyFailuresError
from gpscale.execution import LocalExecutor
from gpscale.run_dir import RunDir
from gpscale.sweep.driver import Plan, run_plan
from gpscale.trial import FailureReason
from tests.execution import fake_trials


def run_fakes(directory: Path, seeds: range, **options: object) -> RunDir:
    run = RunDir(directory)
    plan = Plan.of([job.trial for job in fake_trials.jobs(directory, seeds)], run)
    executor = LocalExecutor(workers=1, run_trial=fake_trials.finish_or_fail, preload=())
    run_plan(plan, run, executor, images=run.images, **options)  # type: ignore[arg-type]
    return run


def failures(run: RunDir) -> dict[int, FailureReason | None]:
    return {record.trial.seed: record.failure for record in run.records()}


def test_failures_are_recorded_and_the_others_run(tmp_path: Path) -> None:
    found = failures(run_fakes(tmp_path, range(7)))
    assert sorted(found) == list(range(7))
    assert {seed for seed, failure in found.items() if failure} == {1, 2, 3, 4}


def test_the_sweep_stops_at_the_allowed_failure_says_why_and_goes_on_later(tmp_path: Path) -> None:
    with pytest.raises(
        TooManyFailuresError, match=r"Got 2 \(crashed\).* killed by signal 9 .*log\.txt.*again with --retry crashed\."
    ):
        run_fakes(tmp_path, range(7), max_failures=2)
    assert sorted(failures(RunDir(tmp_path))) == [0, 1, 2]
    # what has failed stays failed and does not count again
    assert sorted(failures(run_fakes(tmp_path, range(7), max_failures=3))) == list(range(7))


def test_only_failures_of_the_given_reason_are_run_again(tmp_path: Path) -> None:
    before = {record.id: record for record in run_fakes(tmp_path, range(7)).records()}
    run_fakes(tmp_path, range(7), retry=[FailureReason.DIVERGED])
    assert {record.id: record for record in RunDir(tmp_path).records()} == before
    started: list[str] = []
    run_fakes(
        tmp_path,
        range(7),
        retry=[FailureReason.CRASHED],
        on_plan=lambda plan: started.extend(trial.id for trial in plan.pending),
    )
    assert sorted(started) == sorted(trial_id for trial_id, record in before.items() if record.failure)
