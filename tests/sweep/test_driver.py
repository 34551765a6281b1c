"""A plan is run to its end, or to as many failures as it may have."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpscale.errors import TooManyFailuresError
from gpscale.execution import Ended, LocalExecutor, ReplayExecutor
from gpscale.run_dir import RunDir
from gpscale.stopping import Dominated
from gpscale.sweep import SweepConfig
from gpscale.sweep.driver import Plan, run_plan, run_sweep
from gpscale.sweep.failures import FailureLimit
from gpscale.trial import FailureReason, Result, Trial
from tests.curved_runs import planned, write_curved_run
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
        run_fakes(tmp_path, range(7), limit=FailureLimit(RunDir(tmp_path), 2))
    assert sorted(failures(RunDir(tmp_path))) == [0, 1, 2]
    # what has failed stays failed and does not count again
    assert sorted(failures(run_fakes(tmp_path, range(7), limit=FailureLimit(RunDir(tmp_path), 3)))) == list(range(7))


def answer(trial: Trial) -> Result:
    """Fail all but the first seed, and of that the third trial that is asked for."""
    asked.append(trial)
    if trial.seed or len(asked) == 3:
        raise ValueError("no")
    return Result(0.5 + 0.01 * len(asked), 0.9, 0.5, 0.9, 1.0, 1.0, 1.0, 10, 1000, 100)


asked: list[Trial] = []


def test_failed_replicates_count_with_the_failed_trials(tmp_path: Path) -> None:
    asked.clear()
    config = SweepConfig.from_values({"base": "mobilevitv2_050@32", "trials": 8, "replicates": 3})
    with pytest.raises(TooManyFailuresError, match="Got 2 "):
        run_sweep(config, RunDir(tmp_path / "run"), ReplayExecutor(source=answer), max_failures=2)
    assert [trial.seed for trial in asked] == [0] * 8 + [1]


def test_a_failure_counts_when_it_happens_though_its_end_is_told_later(tmp_path: Path) -> None:
    study = write_curved_run(tmp_path / "study", trials=6, failed=[1, 2])
    run, told = RunDir(tmp_path / "run"), []
    # the failed ones end at once, the first one after its last epoch
    with pytest.raises(TooManyFailuresError, match="Got 2 "):
        run_plan(
            Plan.of(planned(study), run),
            run,
            ReplayExecutor(source=study, workers=3),
            images=run.images,
            stop=Dominated(),
            limit=FailureLimit(run, 2),
            on_event=told.append,
        )
    assert not [event for event in told if isinstance(event, Ended)]


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
