"""The real worker: one trial of a small MobileViTV2 on a few digits."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path
from typing import Any

import pytest
import torch

from gpscale import families
from gpscale.errors import StorageError
from gpscale.execution import Ended, Job, LocalExecutor, Progressed, worker
from gpscale.execution.worker import run_trial
from gpscale.run_dir import RunDir
from gpscale.training.data.config import DataConfig
from gpscale.training.data.store import ImageStore
from gpscale.training.recipe import Recipe
from gpscale.trial import FailureReason, Progress, Trial, TrialRecord
from tests.execution import fake_trials

BASE = families.parse_base("mobilevitv2_050@32")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("images")
    ImageStore.prepare(DataConfig(train_images=60, validation_images=40), directory, 32)
    return directory


@pytest.fixture
def run(tmp_path: Path, images: Path) -> RunDir:
    return run_dir_with(images, tmp_path)


def run_dir_with(images: Path, path: Path) -> RunDir:
    path.mkdir(exist_ok=True)
    run = RunDir(path)
    run.images.symlink_to(images)
    return run


def job(run: RunDir, seed: int = 0, data: str | None = None, **recipe: Any) -> Job:
    trial = Trial(
        family=BASE.family,
        architecture=BASE.architecture.to_dict(),
        num_classes=10,
        recipe=Recipe(**{"epochs": 1, "batch_size": 20, **recipe}).model_dump(),
        data=data or ImageStore.open(run.images).fingerprint,
        seed=seed,
    )
    return Job(trial, run.path, run.images)


def ignore(progress: Progress) -> None:
    pass


def run_all(executor: LocalExecutor, jobs: list[Job]) -> list[TrialRecord]:
    return [event.record for event in executor.run(jobs) if isinstance(event, Ended)]


def test_a_finished_trial_has_a_record_with_exact_counts_and_no_checkpoint(run: RunDir) -> None:
    one = job(run)
    record = run_trial(one, ignore)
    family = families.get(BASE.family)
    macs, params = family.count(family.row(BASE.architecture)[None], 10)
    assert record.result is not None, record.detail
    assert (record.result.macs, record.result.params) == (macs[0], params[0])
    assert record.result.epochs == 1
    assert run.record(one.trial.id) == record
    assert {"started", "ended", "cpu", "threads", "images_per_second"} <= set(record.measured)
    assert sorted(file.name for file in run.trial(one.trial.id).iterdir()) == ["curve.csv", "record.json"]


def test_a_trial_that_has_a_record_is_not_trained_again(run: RunDir) -> None:
    one = job(run)
    record = TrialRecord(one.trial.id, one.trial, None, FailureReason.TIMEOUT, "too slow")
    run.write_record(record)
    assert run_trial(one, ignore) == record
    assert not (run.trial(one.trial.id) / "curve.csv").exists()


def test_images_of_another_data_set_are_refused_in_the_record(run: RunDir) -> None:
    record = run_trial(job(run, data="other"), ignore)
    assert record.failure is FailureReason.CRASHED
    assert record.detail.startswith("DataError: The images must be those of the trial (other).")


def test_a_loss_that_explodes_is_recorded_as_diverged_and_leaves_no_checkpoint(run: RunDir) -> None:
    one = job(run, epochs=30, learning_rate=10.0, weight_decay=10.0, learning_rate_scaling="none", warmup=0.0)
    record = run_trial(one, ignore)
    assert record.failure is FailureReason.DIVERGED
    assert "TrainingError" in record.detail
    assert not (run.trial(one.trial.id) / "checkpoint.pt").exists()


def test_weights_that_blow_up_in_the_very_last_step_are_recorded_as_diverged_each_time(run: RunDir) -> None:
    one = job(run, batch_size=60, learning_rate=10.0, learning_rate_scaling="none", warmup=0.0, ema=False)
    for _ in range(2):
        record = run_trial(one, ignore)
        assert record.failure is FailureReason.DIVERGED
        assert not (run.trial(one.trial.id) / "checkpoint.pt").exists()
        run.record_file(one.trial.id).unlink()


def test_a_trial_that_finds_no_room_for_its_checkpoint_has_not_failed_and_goes_on_later(run: RunDir) -> None:
    one = job(run)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # enough for a record and a curve
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, limits[1]))
    try:
        with pytest.raises(StorageError, match=r"checkpoint\.pt must be writable"):
            run_trial(one, ignore)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert run.record(one.trial.id) is None
    assert run_trial(one, ignore).result is not None


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("could not create a primitive"),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        torch.OutOfMemoryError("CUDA out of memory."),
    ],
    ids=repr,
)
def test_every_way_to_be_without_memory_is_told_from_a_crash(error: Exception) -> None:
    assert worker._reason(error) is FailureReason.OUT_OF_MEMORY
    assert worker._reason(ValueError("memory")) is FailureReason.CRASHED


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads how much memory a process has from /proc")
def test_a_worker_without_memory_is_recorded_as_out_of_memory_and_the_next_trial_runs(run: RunDir) -> None:
    jobs = [job(run, fake_trials.SEED_WITHOUT_MEMORY), job(run, 1)]
    with LocalExecutor(workers=1, run_trial=fake_trials.train_in_little_memory) as executor:
        first, second = run_all(executor, jobs)
    assert first.failure is FailureReason.OUT_OF_MEMORY, first.detail
    assert second.result is not None, second.detail


def test_trials_cut_off_and_run_again_give_the_results_of_an_undisturbed_run(images: Path, tmp_path: Path) -> None:
    calm, cut = run_dir_with(images, tmp_path / "calm"), run_dir_with(images, tmp_path / "cut")
    undisturbed = [run_trial(job(calm, seed, epochs=3), ignore) for seed in (0, 1)]
    with LocalExecutor(workers=2) as executor:
        jobs = [job(cut, seed, epochs=3) for seed in (0, 1)]
        events = executor.run(jobs)
        for event in events:
            if isinstance(event, Progressed) and event.progress.epoch >= 1:
                break
        events.close()  # type: ignore[attr-defined]
        assert list(cut.records()) == []
        resumed = run_all(executor, jobs)
    results = {record.id: record.result for record in undisturbed}
    assert None not in results.values()
    assert results == {record.id: record.result for record in resumed}
