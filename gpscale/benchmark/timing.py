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

Thing = TypeVar("Thing")


@dataclasses.dataclass(frozen=True)
class Timing:
    """Wall times of one thing.

    Attributes:
        rounds: Seconds of each run, by round.
        batch: Images of one run.
        joules: Energy of each round where it was measured, idle power taken off, else empty.
    """

    rounds: tuple[tuple[float, ...], ...]
    batch: int = 1
    joules: tuple[float, ...] = ()

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
            >>> Timing(((0.1, 0.2, 0.3),)).percentiles["p50"]
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
            >>> Timing(((2.0,), (3.0,))).ratio_to(Timing(((1.0,), (1.0,))))
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
            "runs_ms": [[1e3 * value for value in part] for part in self.rounds],
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
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in names}
    joules: dict[str, list[float]] = {name: [] for name in names}
    with _without_garbage_collection():
        for call in calls.values():
            for _ in range(warm_up):
                call()
        sizes = split_runs(runs, rounds)
        for number, size in enumerate(sizes):
            for name in rotated(names, number):
                times, energy = _turn(calls[name], size, read_energy)
                found[name].append(times)
                if read_energy is not None:
                    joules[name].append(max(0.0, energy - idle_watts * sum(times)))
            on_round(number + 1, len(sizes))
    return {name: Timing(tuple(found[name]), batch, tuple(joules[name])) for name in names}


def _turn(
    call: Callable[[], object], runs: int, read_energy: Callable[[], float] | None
) -> tuple[tuple[float, ...], float]:
    call()
    times = []
    before = read_energy() if read_energy is not None else 0.0
    for _ in range(runs):
        begin = time.perf_counter_ns()
        call()
        times.append((time.perf_counter_ns() - begin) / 1e9)
    return tuple(times), (read_energy() - before if read_energy is not None else 0.0)


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
