"""Trials on a real Ray cluster on this machine: real nodes, real trainings, a node killed in mid-trial."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from gpscale import families
from gpscale.errors import ClusterError, MissingPackageError
from gpscale.execution import Ended, Event, Job, Progressed, RayExecutor, Started
from gpscale.execution.worker import run_trial
from gpscale.run_dir import RunDir
from gpscale.training.data.config import DataConfig
from gpscale.training.data.store import ImageStore
from gpscale.training.recipe import Recipe
from gpscale.trial import FailureReason, Result, Trial, TrialRecord
from tests.execution import fake_trials
from tests.execution.processes import eventually, is_alive, marked, with_descendants
from tests.execution.ray_cluster import REPOSITORY, Cluster, Node

BASE = families.parse_base("mobilevitv2_050@32")
SEEDS = (0, 1, 2)


def jobs(directory: Path, epochs: int = 3) -> list[Job]:
    """Trials of real trainings that take seconds, in a run directory that is made with its images."""
    images = directory / "images"
    store = ImageStore.prepare(DataConfig(train_images=60, validation_images=40), images, 32)
    recipe = Recipe(epochs=epochs, batch_size=20).model_dump()
    return [
        Job(Trial(BASE.family, BASE.architecture.to_dict(), 10, recipe, store.fingerprint, seed), directory, images)
        for seed in SEEDS
    ]


def results(records: list[TrialRecord]) -> dict[str, Result | None]:
    return {record.id: record.result for record in records}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result | None]:
    """The results of the same trials in this process."""
    found = results([run_trial(job, lambda progress: None) for job in jobs(tmp_path_factory.mktemp("calm"))])
    assert None not in found.values()
    return found


def ended(events: Iterator[Event]) -> list[TrialRecord]:
    return [event.record for event in events if isinstance(event, Ended)]


def scratch_of(node: Node) -> list[str]:
    """Return what executors have on a node: `images`, `worker`."""
    return sorted(path.name.partition("-")[0] for path in node.scratch.glob("gpscale-ray-*/*/*-*"))


def files_of(job: Job) -> list[str]:
    return sorted(path.name for path in RunDir(job.directory).trial(job.trial.id).iterdir())


def log_of(job: Job) -> str:
    return (RunDir(job.directory).trial(job.trial.id) / "log.txt").read_text()


def test_nodes_that_share_nothing_get_the_images_once_each_and_send_back_all_that_a_trial_writes(
    ray_cluster: Cluster, tmp_path: Path, undisturbed: dict[str, Result | None]
) -> None:
    todo = jobs(tmp_path)
    scratch: list[str] = []
    records = []
    # two workers on one node, one on the other
    with RayExecutor(address=ray_cluster.address, workers=3, gpus=0, shared=False, bring_seconds=0.0) as executor:
        for event in executor.run(todo):
            if isinstance(event, Progressed):
                now = [name for node in ray_cluster.nodes.values() for name in scratch_of(node)]
                scratch = max(scratch, now, key=len)
            elif isinstance(event, Ended):
                assert RunDir(tmp_path).record(event.record.id) == event.record
                records.append(event.record)
    assert results(records) == undisturbed
    assert scratch.count("images") == 2
    assert scratch.count("worker") == 3
    assert [scratch_of(node) for node in ray_cluster.nodes.values()] == [[], []]
    for job in todo:
        assert files_of(job) == ["curve.csv", "log.txt", "record.json"]
        assert len((RunDir(tmp_path).trial(job.trial.id) / "curve.csv").read_text().splitlines()) == 4
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_node_that_is_killed_in_mid_trial_costs_no_more_than_the_time_since_a_checkpoint(
    ray_cluster: Cluster, tmp_path: Path, undisturbed: dict[str, Result | None]
) -> None:
    todo = jobs(tmp_path)
    killed: Job | None = None
    after: list[Event] = []
    records = []
    try:
        with RayExecutor(
            address=ray_cluster.address,
            workers=2,
            gpus=0,
            shared=False,
            bring_seconds=0.0,
            run_trial=fake_trials.wait_after_the_first_epoch,
        ) as executor:
            for event in executor.run(todo):
                if isinstance(event, Ended):
                    records.append(event.record)
                elif killed is not None:
                    after.append(event)
                elif isinstance(event, Progressed):
                    job = next(job for job in todo if job.trial.id == event.progress.trial_id)
                    if job.trial.seed == 0 and event.progress.epoch == 1 and "checkpoint.pt" in files_of(job):
                        killed = job
                        process = int(log_of(job).split()[2].rstrip(","))
                        next(node for node in ray_cluster.nodes.values() if process in node.processes()).kill()
    finally:
        for ip in [ip for ip, node in ray_cluster.nodes.items() if not node.processes()]:
            ray_cluster.add_node(ip)
    assert killed is not None
    assert results(records) == undisturbed
    # taken up after its first epoch, not begun anew
    start = after.index(Started(killed.trial.id))
    again = [event.progress for event in after[start:] if isinstance(event, Progressed)]
    assert next(one.epoch for one in again if one.trial_id == killed.trial.id) >= 1
    assert log_of(killed).count("# process") == 2
    assert files_of(killed) == ["curve.csv", "log.txt", "record.json"]


def test_a_trial_that_takes_its_worker_along_again_and_again_ends_with_a_record(
    ray_cluster: Cluster, tmp_path: Path
) -> None:
    with RayExecutor(
        address=ray_cluster.address, workers=1, gpus=0, run_trial=fake_trials.kill_the_worker, preload=()
    ) as executor:
        first, second = ended(executor.run(fake_trials.jobs(tmp_path, [0, 100])))
    assert first.failure is FailureReason.CRASHED
    assert first.detail.startswith("lost its worker 3 times without getting further: ")
    assert RunDir(tmp_path).record(first.id) == first
    assert second.result is not None


def test_a_trial_whose_files_are_sent_back_may_hang_or_be_cut_off_and_leaves_nothing_on_its_node(
    ray_cluster: Cluster, tmp_path: Path
) -> None:
    todo = fake_trials.jobs(tmp_path, [0])
    with RayExecutor(
        address=ray_cluster.address,
        gpus=0,
        shared=False,
        bring_seconds=0.0,
        run_trial=fake_trials.hang_with_a_child,
        preload=(),
    ) as executor:
        events = executor.run(todo)
        next(event for event in events if isinstance(event, Progressed) and fake_trials.processes_of(tmp_path))
        processes = fake_trials.processes_of(tmp_path)
        events.close()  # type: ignore[attr-defined]
        assert eventually(lambda: not any(map(is_alive, processes)))
        assert [scratch_of(node) for node in ray_cluster.nodes.values()] == [[], []]
    assert list(RunDir(tmp_path).records()) == []


def test_half_a_card_a_trial_puts_two_trials_on_one_card(ray_cluster: Cluster, tmp_path: Path) -> None:
    with RayExecutor(
        address=ray_cluster.address, gpus=0.5, run_trial=fake_trials.look_for_cards, preload=()
    ) as executor:
        assert executor.workers == 4
        assert len(ended(executor.run(fake_trials.jobs(tmp_path, [0, 1])))) == 2
    assert [path.read_text() for path in sorted(tmp_path.glob("cards-*"))] == ["0", "0"]


def test_without_a_number_there_are_as_many_workers_as_the_cluster_has_room_for(ray_cluster: Cluster) -> None:
    with RayExecutor(address=ray_cluster.address) as executor:
        # two cards, four cores
        assert executor.workers == 2
    with RayExecutor(address=ray_cluster.address, gpus=0) as executor:
        assert executor.workers == 4
    with (
        RayExecutor(address=ray_cluster.address, cpus=3, gpus=0) as executor,
        pytest.raises(ClusterError, match=r"room for a trial, 3 CPU\. None of 3 has\."),
    ):
        _ = executor.workers


def test_an_address_of_no_cluster_is_an_error_at_once(ray_cluster: Cluster) -> None:
    with (
        pytest.raises(ClusterError, match=r"--address must be that of a Ray cluster that runs\. Got '127\.0\.0\.2:1'"),
        RayExecutor(address="127.0.0.2:1"),
    ):
        pass


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cpus": 0.0}, r"cpus must be positive\. Got 0\."),
        ({"gpus": -1.0}, r"gpus must be 0 or more\. Got -1\."),
        ({"address": "ray://head:10001"}, r"address must be 'auto' or HOST:PORT .* Got 'ray://head:10001'\."),
    ],
)
def test_settings_that_cannot_be_are_errors(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        RayExecutor(**settings)


def test_without_ray_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingPackageError, match=r'pip install "gpscale\[ray\]"'):
        RayExecutor()


DRIVER = """
import sys
from pathlib import Path
from gpscale.execution import Progressed, RayExecutor
from tests.execution import fake_trials

directory = Path(sys.argv[1])
with RayExecutor(workers=1, run_trial=fake_trials.hang_with_a_child, preload=()) as executor:
    for event in executor.run(fake_trials.jobs(directory, [int(seed) for seed in sys.argv[2:]])):
        print(type(event).__name__, flush=True)
"""


class Driver:
    """A program that starts a Ray of its own; all processes that come of it can be found by their mark."""

    def __init__(self, cluster: Cluster, directory: Path, seeds: list[int]) -> None:
        name, value = "GPSCALE_TEST_MARK", uuid.uuid4().hex
        self._mark = f"{name}={value}"
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(directory), *map(str, seeds)],
            cwd=REPOSITORY,
            env={**cluster.environment, name: value},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
        for process in self.descendants():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def descendants(self) -> set[int]:
        return with_descendants(marked(self._mark)) - {self.process.pid}


def test_without_an_address_a_ray_is_started_here_and_stopped_again(ray_cluster: Cluster, tmp_path: Path) -> None:
    with Driver(ray_cluster, tmp_path, [100, 101]) as driver:
        out, errors = driver.process.communicate(timeout=300)
        assert driver.process.returncode == 0, errors
        assert (out.count("Started"), out.count("Ended")) == (2, 2)
        assert eventually(lambda: not driver.descendants(), 120)


def test_no_process_survives_a_driver_that_is_killed(ray_cluster: Cluster, tmp_path: Path) -> None:
    with Driver(ray_cluster, tmp_path, [100, 0]) as driver:
        assert eventually(lambda: len(fake_trials.processes_of(tmp_path)) == 2, 300)
        driver.process.kill()
        driver.process.communicate()
        assert eventually(lambda: not driver.descendants(), 120)
    assert [record.trial.seed for record in RunDir(tmp_path).records()] == [100]
