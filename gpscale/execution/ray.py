"""Trials on a Ray cluster: workers on its nodes, each of which runs one trial after the other.

The driver must run on a node of the cluster; where none is given, a Ray of this machine is started for it. What holds
on a cluster, beyond the contract of every executor:

- a trial whose node or worker dies goes on elsewhere, from the last checkpoint that was brought back, or from the run
  directory where nodes share it. One that loses its worker again and again without getting any further ends with a
  record that says so: it may be what kills them;
- more workers may be asked for than the cluster holds: they are waited for while the others work, so that an
  autoscaler hears of them;
- trials that are cut off end within seconds, not at once, on nodes that cannot be reached only when they notice.
"""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from gpscale.errors import ClusterError, GpscaleError
from gpscale.execution import worker
from gpscale.execution.base import Ended, Event, Job, Progressed, RunTrial, Started, check_limits, register
from gpscale.execution.ray_cluster import Cluster, one_line
from gpscale.execution.ray_hand import Hand
from gpscale.execution.ray_places import Places, marked
from gpscale.execution.ray_worker import Brought, Settings, Source, Worker
from gpscale.run_dir import RunDir
from gpscale.stored import write_atomically
from gpscale.trial import FailureReason, TrialRecord

LIVES = 3
"""How many workers one trial may lose without getting further, and how many in place of each before any is ready."""

BRING_SECONDS = 15.0
CLOSE_SECONDS = 10.0
PATIENCE_SECONDS = 15.0
"""How long the first worker may take to come before the user is told what is waited for."""

logger = logging.getLogger(__name__)


@register
class RayExecutor:
    """Runs trials on the nodes of a Ray cluster.

    Example:
        >>> from gpscale.execution import get
        >>> get("ray") is RayExecutor
        True
    """

    name = "ray"
    isolates = True
    stored = None

    def __init__(
        self,
        *,
        workers: int | None = None,
        timeout: float | None = None,
        address: str | None = None,
        cpus: float = 1.0,
        gpus: float | None = None,
        shared: bool | None = None,
        bring_seconds: float = BRING_SECONDS,
        run_trial: RunTrial = worker.run_trial,
        preload: Sequence[str] = worker.PRELOAD,
    ) -> None:
        """Take the settings; Ray is reached with the `with` block, or when the workers are counted or run.

        Args:
            workers: Trials that run at the same time; None for as many as the cluster holds now.
            timeout: Seconds that a trial may take from its start in this run; None for any number.
            address: Of the cluster, `"auto"` for the one that this machine belongs to; None for the one that this
                program is connected to already, else for a Ray that is started here and stopped at the end.
            cpus: Cores that a trial reserves.
            gpus: Graphics cards that a trial reserves, a fraction for several trials on one card; None for a whole
                one if the cluster has any.
            shared: Whether the nodes see the run directory; None to look.
            bring_seconds: Least time between two times at which files of a running trial, its checkpoint among them,
                are brought from a node that does not see the run directory.
            run_trial: What a process does with its job; a function that can be imported on the nodes.
            preload: Modules that a worker imports once.

        Raises:
            ValueError: `workers` is below 1, or `timeout` is not positive.
            ClusterError: Another setting cannot be.
            MissingPackageError: Ray is not installed.
        """
        check_limits(workers, timeout, "as many as the cluster holds")
        self._cluster = Cluster(address, workers, cpus, gpus)
        self._workers_asked = workers
        self._settings = Settings(uuid.uuid4().hex, timeout, run_trial, tuple(preload), shared, bring_seconds)
        self._source: Any = None
        self._hands: list[Hand] = []

    @property
    def workers(self) -> int:
        """Trials that run at the same time; the cluster is asked where no number was given.

        Raises:
            ClusterError: It cannot be reached, or has no room for a trial.
        """
        if self._workers_asked is None:
            self._workers_asked = self._cluster.room()
        return self._workers_asked

    def __enter__(self) -> Self:
        """Reach the cluster.

        Raises:
            ClusterError: It cannot be reached.
        """
        self._cluster.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End what still runs, let the workers go, and stop a Ray that was started here."""
        self._dismiss(self._hands)
        if self._source is not None:
            self._cluster.ray.kill(self._source)
            self._source = None
        self._cluster.close()

    def settle(self, jobs: Sequence[Job]) -> None:
        """Leave it: the number of workers does not depend on the jobs."""

    def run(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Run the jobs and yield events until the last one has ended.

        Args:
            jobs: Trials in the order in which they are to start, no trial twice.

        Raises:
            ClusterError: The cluster cannot be reached or cannot run trials.
            GpscaleError: As the local executor, on a node.
            RunDirError: A record in the run directory is damaged.
        """
        if not jobs:
            return
        self._cluster.connect()
        self._cluster.check_room()
        waiting = deque(Job(job.trial, job.directory.absolute(), job.images.absolute()) for job in jobs)
        losses = _Losses()
        try:
            with marked(waiting) as places:
                for hand in self._hands:
                    hand.look(places)
                while waiting or any(hand.job for hand in self._hands):
                    self._hire(len(waiting), places)
                    for hand in self._hands:
                        if waiting and hand.is_idle:
                            job = waiting.popleft()
                            hand.start(job)
                            yield Started(job.trial.id)
                    for hand in self._answered():
                        yield from self._hear(hand, places, waiting, losses)
        finally:
            # no trial outlives the loop over its events, and workers that have not come yet are not waited for
            self._dismiss([hand for hand in self._hands if not hand.is_idle])

    def stop(self, record: TrialRecord) -> None:
        """End a trial, between two events; nothing happens if it does not run.

        It ends at its next report.

        Args:
            record: The record that it ends with, unless it has written its own by then.
        """
        for hand in self._hands:
            if hand.job is not None and hand.job.trial.id == record.id:
                hand.actor.stop.remote(record)

    def _hire(self, waiting: int, places: Places) -> None:
        """Ask for workers up to the number that there is work for; they come when the cluster has room."""
        busy = sum(hand.job is not None for hand in self._hands)
        while len(self._hands) < min(self.workers, waiting + busy):
            hand = Hand(self._cluster.start_worker(Worker, self._settings))
            hand.look(places)
            self._hands.append(hand)

    def _answered(self) -> list[Hand]:
        """Wait until a worker has answered, and return all that have."""
        ray = self._cluster.ray
        asked = {hand.pending: hand for hand in self._hands if hand.pending is not None}
        if not any(hand.has_come for hand in self._hands) and not ray.wait(list(asked), timeout=PATIENCE_SECONDS)[0]:
            logger.warning(
                "Still waiting for the cluster to have room for a trial, %s.", self._cluster.needs_of_a_trial()
            )
        ray.wait(list(asked))
        ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=0)
        return [asked[ref] for ref in ready]

    def _hear(self, hand: Hand, places: Places, waiting: deque[Job], losses: _Losses) -> Iterator[Event]:
        ray = self._cluster.ray
        try:
            answer = ray.get(hand.pending)
        except (ray.exceptions.RayActorError, ray.exceptions.ObjectLostError) as error:
            yield from self._replace(hand, error, waiting, losses)
            return
        except ray.exceptions.RayError as error:
            # what went wrong there, without Ray's account of how it came here
            cause = getattr(error, "cause", None)
            if isinstance(cause, GpscaleError | OSError):
                raise cause from None
            raise ClusterError(
                "Workers of the cluster must be able to run trials, with the same gpscale on every node. One cannot: "
                f"{one_line(cause or error)} See Ray's logs on the nodes."
            ) from error
        hand.pending = None
        if not hand.is_ready:
            hand.prepare(answer, places, self._images_source)
            if hand.is_ready:
                losses.in_a_row = 0
        else:
            yield from _events(hand, answer, losses)
            if hand.job is not None:
                hand.pending = hand.actor.advance.remote()

    def _replace(self, hand: Hand, error: Exception, waiting: deque[Job], losses: _Losses) -> Iterator[Event]:
        """Forget a worker that is gone; its trial is the next to start, unless it has lost too many."""
        ray = self._cluster.ray
        self._hands.remove(hand)
        with contextlib.suppress(Exception):
            # one that is only out of reach must not go on
            ray.kill(hand.actor)
        why = one_line(error)
        if hand.job is None:
            losses.in_a_row += 1
            # while others are ready, or may still come, the sweep does without
            if losses.in_a_row >= LIVES * self.workers and not any(other.is_ready for other in self._hands):
                raise ClusterError(
                    "Workers must start on the cluster, and gpscale must be installed on every node. "
                    f"{losses.in_a_row} were lost: {why} See Ray's logs on the nodes."
                )
        elif losses.of(hand.job) < LIVES:
            waiting.appendleft(hand.job)
        else:
            record = RunDir(hand.job.directory).record(hand.job.trial.id) or TrialRecord(
                id=hand.job.trial.id,
                trial=hand.job.trial,
                result=None,
                failure=FailureReason.CRASHED,
                detail=f"lost its worker {LIVES} times without getting further: {why}",
            )
            RunDir(hand.job.directory).write_record(record)
            yield Ended(record)

    def _images_source(self) -> Any:
        """Return the actor that reads the driver's images, on the driver's node."""
        if self._source is None:
            self._source = self._cluster.start_beside_driver(Source)
        return self._source

    def _dismiss(self, hands: Iterable[Hand]) -> None:
        gone = list(hands)
        if not gone:
            return
        ray = self._cluster.ray
        asked = [hand.actor.leave.remote() for hand in gone if hand.has_come]
        if asked:
            ray.wait(asked, num_returns=len(asked), timeout=CLOSE_SECONDS)
        for hand in gone:
            ray.kill(hand.actor)
        self._hands = [hand for hand in self._hands if hand not in gone]


class _Losses:
    """Counts the workers that were lost.

    Attributes:
        in_a_row: Those without a trial, since one was ready.
    """

    def __init__(self) -> None:
        self.in_a_row = 0
        self._of: dict[str, int] = {}
        self._furthest: dict[str, int] = {}

    def of(self, job: Job) -> int:
        """Return how many workers a trial has lost without getting further, one more than before."""
        self._of[job.trial.id] = self._of.get(job.trial.id, 0) + 1
        return self._of[job.trial.id]

    def note(self, event: Progressed) -> None:
        """Hear how far a trial is."""
        trial_id, images = event.progress.trial_id, event.progress.images
        if images > self._furthest.get(trial_id, -1):
            self._furthest[trial_id] = images
            # the first worker may be lost before its trial has reported
            if self._of.get(trial_id):
                self._of[trial_id] = 0


def _events(hand: Hand, said: Iterable[Event | Brought], losses: _Losses) -> Iterator[Event]:
    """Keep what a worker has brought of its trial, and yield what it says."""
    assert hand.job is not None
    assert hand.hidden is not None
    run, trial_id = RunDir(hand.job.directory), hand.job.trial.id
    is_copy = hand.job.directory in hand.hidden
    for item in said:
        if isinstance(item, Brought):
            for name, content in item.files.items():
                if content is None:
                    hand.gone.add(name)
                else:
                    hand.gone.discard(name)
                    write_atomically(run.trial(trial_id) / name, content)
            continue
        if isinstance(item, Progressed):
            losses.note(item)
        elif isinstance(item, Ended):
            if is_copy:
                run.write_record(item.record)
                # only now: a checkpoint without a record can be taken up, nothing without a record cannot
                for name in hand.gone:
                    (run.trial(trial_id) / name).unlink(missing_ok=True)
            hand.job = None
        yield item
