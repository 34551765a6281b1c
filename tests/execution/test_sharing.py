"""How many trials share a device: real trainings in real processes, on the CPU where there is no card."""

from __future__ import annotations

import dataclasses
import os
import signal
from typing import Any

import pytest

from gpscale import families
from gpscale.execution import Job, LocalExecutor, local, sharing, usable_cores
from gpscale.execution.fork_server import ForkServer
from gpscale.execution.sharing import find_workers, most_productive
from gpscale.run_dir import RunDir
from gpscale.training.data.config import DataConfig
from gpscale.training.data.store import ImageStore
from gpscale.training.recipe import Recipe
from gpscale.trial import Trial


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[Job]:
    run = RunDir(tmp_path_factory.mktemp("run"))
    store = ImageStore.prepare(DataConfig(train_images=60, validation_images=40), run.images, 32)
    base = families.parse_base("mobilevitv2_050@32")
    recipe = Recipe(epochs=1, batch_size=4).model_dump()
    trials = [Trial(base.family, base.architecture.to_dict(), 10, recipe, store.fingerprint, seed) for seed in range(3)]
    return [Job(trial, run.path, run.images) for trial in trials]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Pretend that there is a card; return how many jobs each search for the number of workers was given."""
    found: list[int] = []

    def search(jobs: list[Job], most: int, *others: Any) -> int:
        found.append(len(jobs))
        return min(most, len(jobs))

    monkeypatch.setattr(local, "training_device", lambda: "cuda")
    monkeypatch.setattr(local, "find_workers", search)
    return found


def other_images(job: Job) -> Job:
    return dataclasses.replace(job, trial=dataclasses.replace(job.trial, data="others"))


@pytest.mark.parametrize(
    ("speeds", "expected"),
    [
        ({1: 100.0, 2: 190.0, 4: 300.0, 8: 320.0}, 4),
        ({1: 100.0, 2: 105.0, 4: 300.0}, 1),
        ({1: 100.0, 2: 150.0, 4: None, 8: 900.0}, 2),
        ({1: 100.0, 2: 150.0}, 2),
        ({1: None, 2: 900.0}, 1),
    ],
    ids=["no_gain", "no_gain_at_once", "no_room", "no_more_to_try", "none_works"],
)
def test_trials_are_doubled_as_long_as_that_pays(speeds: dict[int, float | None], expected: int) -> None:
    tried: list[int] = []

    def speed(count: int) -> float | None:
        tried.append(count)
        return speeds[count]

    assert most_productive(speed, list(speeds)) == expected
    assert len(set(tried)) == len(tried)
    assert max(tried) <= 2 * expected


def test_the_number_is_found_by_training_and_leaves_nothing_in_the_run(jobs: list[Job]) -> None:
    assert find_workers(jobs, 1, (), {}, seconds=0.0) == 1
    assert find_workers(jobs, 8, (), {}, seconds=0.0) in (1, 2)
    assert [path.name for path in jobs[0].directory.iterdir()] == ["images"]


def test_a_trial_that_does_not_work_ends_the_search_and_those_that_wait_for_it(jobs: list[Job]) -> None:
    assert find_workers([jobs[0], other_images(jobs[1])], 2, (), {}, seconds=0.0) == 1
    assert find_workers([other_images(job) for job in jobs], 2, (), {}, seconds=0.0) == 1


def test_a_search_that_hangs_or_loses_its_server_ends(jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_workers(jobs, 2, (), {}, seconds=60.0, longest=0.0) == 1

    def lose(server: ForkServer, *others: Any) -> None:
        os.kill(server.pid, signal.SIGKILL)
        server.next_exit()

    monkeypatch.setattr(sharing, "_gather", lose)
    assert find_workers(jobs, 2, (), {}, seconds=0.0) == 1


def test_an_executor_looks_once_and_only_where_nobody_has_said_how_many(jobs: list[Job], asked: list[int]) -> None:
    with LocalExecutor() as executor:
        executor.settle([])
        assert asked == []
        # one job says nothing of two at a time
        executor.settle(jobs[:1])
        assert executor.workers == 1
        executor.settle(jobs * usable_cores())
        executor.settle(jobs[:1])
    assert asked == [1, 3 * usable_cores()]
    assert executor.workers == usable_cores()
    with LocalExecutor(workers=2) as executor:
        executor.settle(jobs)
    assert (len(asked), executor.workers) == (2, 2)


def test_on_a_processor_there_is_one_trial_a_core(
    jobs: list[Job], asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "training_device", lambda: "cpu")
    with LocalExecutor() as executor:
        executor.settle(jobs)
    assert (asked, executor.workers) == ([], usable_cores())
