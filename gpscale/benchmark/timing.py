"""Timing several things against each other, in turns."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

_PERCENTILES = (10, 50, 90, 99)
_OWN_SHARE = 0.8
"""Of a core, below which others have used it too."""

Thing = TypeVar("Thing")


@dataclasses.dataclass(frozen=True)
class Timing:
    """Times of one thing.

    Attributes:
        rounds: Wall time of each run, seconds, by round.
        cpu: Processor time of this process in each run, seconds, all threads together, by round.
        batch: Images of one run.
        joules: Energy of each round where it was measured, idle power taken off, else empty.
    """

    rounds: tuple[tuple[float, ...], ...]
    cpu: tuple[tuple[float, ...], ...]
    batch: int = 1
    joules: tuple[float, ...] = ()

    @property
    def processor(self) -> Timing:
        """The same of processor time.

        Where others use the cores too, a long run waits for one more often than a short run, so that ratios of wall
        times are unfair to the slower thing, in turns as well; those of processor times are not.
        """
        return Timing(self.cpu, self.cpu, self.batch)

    @property
    def own_share(self) -> float:
        """Processor time over wall time, of all runs together."""
        return float(self.processor.seconds.sum() / self.seconds.sum())

    @property
    def shared(self) -> bool:
        """Whether a single thread that has nothing else to wait for had to wait for a core.

        Example:
            >>> Timing(((0.1, 0.3),), ((0.1, 0.1),)).shared
            True
        """
        return self.own_share < _OWN_SHARE

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Seconds of every run, shape (runs,), float64."""
        return np.concatenate([np.array(part, dtype=np.float64) for part in self.rounds])

    @property
    def mean(self) -> float:
        """Mean seconds of a run."""
        return float(self.seconds.mean())

    @property
    def sd(self) -> float:
        """Standard deviation of the seconds of a run; 0 of a single run."""
        return float(self.seconds.std(ddof=1)) if len(self.seconds) > 1 else 0.0

    @property
    def quiet(self) -> float:
        """Mean seconds of the faster half of the runs, which others' work on the machine hardly reaches."""
        return float(np.sort(self.seconds)[: (len(self.seconds) + 1) // 2].mean())

    @property
    def percentiles(self) -> dict[str, float]:
        """Percentiles of the seconds of a run: p10, p50, p90, p99.

        Example:
            >>> Timing(((0.1, 0.2, 0.3),), ((0.1, 0.1, 0.1),)).percentiles["p50"]
            0.2
        """
        return {f"p{at}": float(np.percentile(self.seconds, at)) for at in _PERCENTILES}

    @property
    def images_per_second(self) -> float:
        """Images over seconds, of all runs together."""
        return self.batch * len(self.seconds) / float(self.seconds.sum())

    @property
    def joules_per_image(self) -> float | None:
        """Mean energy of an image; None where it was not measured."""
        return sum(self.joules) / (self.batch * len(self.seconds)) if self.joules else None

    def ratio_to(self, other: Timing) -> tuple[float, float, float]:
        """Compare medians with those of another thing, round by round.

        Returns:
            Median, lowest and highest of the rounds' ratios; above 1 this takes longer.

        Example:
            >>> one, two = ((1.0,), (1.0,)), ((2.0,), (3.0,))
            >>> Timing(two, one).ratio_to(Timing(one, one))
            (2.5, 2.0, 3.0)
        """
        ratios = [float(np.median(a) / np.median(b)) for a, b in zip(self.rounds, other.rounds, strict=True)]
        return float(np.median(ratios)), min(ratios), max(ratios)

    def to_dict(self) -> dict[str, Any]:
        """Return the timing as JSON values; times in milliseconds."""
        return {
            "mean_ms": 1e3 * self.mean,
            "sd_ms": 1e3 * self.sd,
            **{f"{name}_ms": 1e3 * value for name, value in self.percentiles.items()},
            "images_per_second": self.images_per_second,
            "joules_per_image": self.joules_per_image,
            "cpu_p50_ms": 1e3 * self.processor.percentiles["p50"],
            "own_share": self.own_share,
            "runs_ms": [[1e3 * value for value in part] for part in self.rounds],
            "runs_cpu_ms": [[1e3 * value for value in part] for part in self.cpu],
        }


def split_runs(runs: int, rounds: int) -> list[int]:
    """Divide runs into rounds that differ by at most one; there are no empty rounds.

    Example:
        >>> split_runs(7, 3), split_runs(2, 10)
        ([3, 2, 2], [1, 1])
    """
    rounds = min(runs, rounds)
    return [runs // rounds + (number < runs % rounds) for number in range(rounds)]


def time_in_turns(
    calls: Mapping[str, Callable[[], object]],
    runs: int,
    rounds: int,
    warm_up: int,
    *,
    batch: int = 1,
    read_energy: Callable[[], float] | None = None,
    idle_watts: float = 0.0,
    on_round: Callable[[int, int], None] = lambda done, rounds: None,
) -> dict[str, Timing]:
    """Time each call in every round, beginning with another one each time.

    A turn begins with a run that is not timed, because the one before it left the caches full of something else.

    Args:
        calls: What to time.
        runs: Timed runs of each.
        rounds: As in `benchmark.protocol.Protocol`.
        warm_up: Runs of each before the first round.
        batch: Images of one run.
        read_energy: Returns joules used so far; None where the machine has no counter.
        idle_watts: Power that is taken off.
        on_round: Called with the rounds that are done and all of them.
    """
    names = list(calls)
    walls: dict[str, list[tuple[float, ...]]] = {name: [] for name in names}
    cpu: dict[str, list[tuple[float, ...]]] = {name: [] for name in names}
    joules: dict[str, list[float]] = {name: [] for name in names}
    with _without_garbage_collection():
        for call in calls.values():
            for _ in range(warm_up):
                call()
        sizes = split_runs(runs, rounds)
        for number, size in enumerate(sizes):
            for name in rotated(names, number):
                wall, own, energy = _turn(calls[name], size, read_energy)
                walls[name].append(wall)
                cpu[name].append(own)
                if read_energy is not None:
                    joules[name].append(max(0.0, energy - idle_watts * sum(wall)))
            on_round(number + 1, len(sizes))
    return {name: Timing(tuple(walls[name]), tuple(cpu[name]), batch, tuple(joules[name])) for name in names}


def _turn(
    call: Callable[[], object], runs: int, read_energy: Callable[[], float] | None
) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """Return wall time and processor time of each run, seconds, and the energy of all, joules."""
    call()
    walls, cpu = [], []
    before = read_energy() if read_energy is not None else 0.0
    for _ in range(runs):
        # reading the processor time takes longer, so it is not in the wall time
        begin_cpu, begin = time.process_time_ns(), time.perf_counter_ns()
        call()
        end, end_cpu = time.perf_counter_ns(), time.process_time_ns()
        walls.append((end - begin) / 1e9)
        cpu.append(max(1, end_cpu - begin_cpu) / 1e9)
    return tuple(walls), tuple(cpu), (read_energy() - before if read_energy is not None else 0.0)


def rotated(things: Sequence[Thing], by: int) -> list[Thing]:
    """Return things in turn, beginning with the one at `by`.

    Example:
        >>> rotated("abc", 4)
        ['b', 'c', 'a']
    """
    by %= len(things)
    return [*things[by:], *things[:by]]


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
