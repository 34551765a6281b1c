"""What the driver does about workers that do not come, die early or cannot work; on a Ray that is made up."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gpscale.errors import ClusterError, StorageError
from gpscale.execution import Ended, RayExecutor
from gpscale.execution import ray as ray_module
from gpscale.execution.ray_cluster import Cluster
from gpscale.execution.ray_hand import Hand
from gpscale.execution.ray_worker import Brought
from gpscale.run_dir import RunDir
from gpscale.trial import FailureReason, TrialRecord
from tests.execution import fake_trials

MOST_WORKERS = 50

Answer = Callable[[], Any]


class RayError(Exception):
    pass


class RayActorError(RayError):
    pass


class ObjectLostError(RayError):
    pass


class RayTaskError(RayError):
    def __init__(self, cause: Exception) -> None:
        super().__init__(f"a long account of {cause}")
        self.cause = cause


class Done(Exception):
    """Ends a test."""


class FakeRay:
    """Answers what it is asked at once; an answer is a function, which may raise."""

    exceptions = SimpleNamespace(
        RayError=RayError, RayActorError=RayActorError, ObjectLostError=ObjectLostError, RayTaskError=RayTaskError
    )

    def __init__(self, patience: int = 0) -> None:
        """Let so many waits end without an answer."""
        self.left = patience

    def wait(
        self, refs: Sequence[Answer], num_returns: int = 1, timeout: float | None = None
    ) -> tuple[list[Answer], list[Answer]]:
        if timeout and self.left:
            self.left -= 1
            return [], list(refs)
        return list(refs[:num_returns]), list(refs[num_returns:])

    def get(self, ref: Answer) -> Any:
        return ref()

    def kill(self, actor: object) -> None:
        pass


class FakeCluster:
    """Starts workers of one kind."""

    def __init__(self, ray: FakeRay, **answers: Answer) -> None:
        self.ray = ray
        self.started = 0
        self._answers = {"leave": lambda: None, **answers}

    def connect(self) -> None:
        pass

    def check_room(self) -> None:
        pass

    def needs_of_a_trial(self) -> str:
        return "1 CPU and 1 GPU"

    def close(self) -> None:
        pass

    def start_beside_driver(self, kind: type) -> object:
        return object()

    def start_worker(self, kind: type, *arguments: object) -> Any:
        self.started += 1
        assert self.started < MOST_WORKERS, "it goes on and on"
        methods = {
            # each call has an answer of its own, which can be told from others
            name: SimpleNamespace(remote=lambda *_, answer=answer: lambda: answer())
            for name, answer in self._answers.items()
        }
        return SimpleNamespace(**methods)


def raising(error: Exception) -> Answer:
    def answer() -> None:
        raise error

    return answer


def run(directory: Path, cluster: FakeCluster, workers: int = 2) -> None:
    """Run trials whose images the workers do not see."""
    jobs = fake_trials.jobs(directory, range(4))
    jobs[0].images.mkdir()
    executor = RayExecutor(workers=workers)
    executor._cluster = cluster  # type: ignore[assignment]
    with executor:
        list(executor.run(jobs))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("method", ["look", "fetch"])
def test_workers_that_die_before_they_are_ready_are_an_error_in_the_end(
    tmp_path: Path, workers: int, method: str
) -> None:
    seen = {"look": lambda: frozenset([tmp_path / "images"])}
    cluster = FakeCluster(FakeRay(), **{**seen, method: raising(RayActorError("it died"))})
    with pytest.raises(ClusterError, match=f"{ray_module.LIVES * workers} were lost: it died. See Ray's logs"):
        run(tmp_path, cluster, workers)
    assert cluster.started <= (ray_module.LIVES + 1) * workers


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        (
            RayTaskError(ModuleNotFoundError("No module named 'gpscale'")),
            ClusterError,
            "No module named 'gpscale'. See",
        ),
        (RayError("the runtime environment failed"), ClusterError, "the runtime environment failed. See Ray's logs"),
        (RayTaskError(StorageError("no room")), StorageError, "^no room$"),
    ],
)
def test_what_goes_wrong_in_a_worker_is_one_sentence_of_ours(
    tmp_path: Path, raised: Exception, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        run(tmp_path, FakeCluster(FakeRay(), look=raising(raised)))


def test_a_checkpoint_that_is_gone_before_the_trial_has_ended_is_gone_here_too(tmp_path: Path) -> None:
    [job] = fake_trials.jobs(tmp_path, [0])
    run, losses = RunDir(tmp_path), ray_module._Losses()
    hand = Hand(actor=None, hidden=frozenset({tmp_path}), job=job)
    directory = run.trial(job.trial.id)
    list(ray_module._events(hand, [Brought(job.trial.id, {"checkpoint.pt": b"1", "log.txt": b"2"})], losses))
    # the worker has removed it, and says of the end only when it is asked again
    list(ray_module._events(hand, [Brought(job.trial.id, {"checkpoint.pt": None})], losses))
    assert (directory / "checkpoint.pt").exists()
    record = TrialRecord(job.trial.id, job.trial, None, FailureReason.DIVERGED, "made")
    assert list(ray_module._events(hand, [Ended(record)], losses)) == [Ended(record)]
    assert sorted(path.name for path in directory.iterdir()) == ["log.txt", "record.json"]


def test_a_cluster_without_room_is_waited_for_with_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(Done):
        run(tmp_path, FakeCluster(FakeRay(patience=1), look=raising(Done())))
    assert caplog.messages == ["Still waiting for the cluster to have room for a trial, 1 CPU and 1 GPU."]


def test_workers_that_come_soon_are_not_spoken_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(Done):
        run(tmp_path, FakeCluster(FakeRay(), look=raising(Done())))
    assert caplog.messages == []


class RayHere:
    """A Ray that can be started on a machine without graphics cards."""

    def is_initialized(self) -> bool:
        return False

    def init(self, num_cpus: int = 0, **_: object) -> None:
        self.cores = num_cpus

    def shutdown(self) -> None:
        pass

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": {"CPU": float(self.cores)}}]

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": float(self.cores)}


@pytest.mark.parametrize(("gpus", "has_room"), [(None, True), (0.0, True), (0.5, False)])
def test_a_ray_of_this_machine_that_can_never_run_a_trial_is_an_error_before_one_starts(
    gpus: float | None, has_room: bool
) -> None:
    cluster = Cluster(None, workers=3, cpus=0.5, gpus=gpus)
    cluster.__dict__["ray"] = RayHere()
    cluster.connect()
    if has_room:
        cluster.check_room()
    else:
        with pytest.raises(ClusterError, match=r"started here must have room for a trial, 0\.5 CPU and 0\.5 GPU\."):
            cluster.check_room()
