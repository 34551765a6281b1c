"""What a measurement is, and how two sides are timed against each other."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

Unit = Literal["s", "1/s", "MiB", "GFLOP/s"]


@dataclasses.dataclass(frozen=True)
class Side:
    """One of the two that are compared.

    Attributes:
        name: What runs.
        threads: Its processes and threads, as a reader needs them: "1", "2 processes x 1".
        value: What was measured, in the row's unit.
    """

    name: str
    threads: str
    value: float


@dataclasses.dataclass(frozen=True)
class Goal:
    """What is to be reached.

    Attributes:
        text: The goal as it is printed.
        holds: Says whether a row reaches it.
    """

    text: str
    holds: Callable[[Row], bool]


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: What was measured.
        unit: Seconds and mebibytes are better when they are fewer, whatever is per second when it is more.
        ours: gpscale's side.
        peer: The other side.
        goal: What gpscale's side is to reach; None where the number is there to be known.
        rounds: Rounds that the medians are of.
        details: Further numbers, for the JSON output.
    """

    what: str
    unit: Unit
    ours: Side
    peer: Side
    goal: Goal | None
    rounds: int
    details: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """How many times as good as the peer: 2.0 is twice as fast, or half the memory."""
        more_is_better = self.unit in ("1/s", "GFLOP/s")
        return self.ours.value / self.peer.value if more_is_better else self.peer.value / self.ours.value

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        return self.goal.holds(self) if self.goal else None

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        return {
            "what": self.what,
            "unit": self.unit,
            "gpscale": dataclasses.asdict(self.ours),
            "peer": dataclasses.asdict(self.peer),
            "ratio": self.ratio,
            "goal": self.goal.text if self.goal else None,
            "reached": self.reached,
            "rounds": self.rounds,
            "details": dict(self.details),
        }


def interleaved(sides: Mapping[str, Callable[[], float]], rounds: int, *, warm_up: int = 1) -> dict[str, list[float]]:
    """Measure every side once a round, so that whatever else the machine does falls on all of them.

    Args:
        sides: What to measure; each call returns one measurement.
        rounds: Rounds that count.
        warm_up: Rounds before, which do not.

    Returns:
        The measurements of each side, one a round.
    """
    found: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(-warm_up, rounds):
        for name, measure in sides.items():
            value = measure()
            if number >= 0:
                found[name].append(value)
    return found


def medians(found: Mapping[str, list[float]]) -> dict[str, float]:
    """Return the median of each side."""
    return {name: statistics.median(values) for name, values in found.items()}


def timed(call: Callable[[], object]) -> Callable[[], float]:
    """Return a function that makes the call and returns its wall time, seconds."""

    def measure() -> float:
        begin = time.perf_counter()
        call()
        return time.perf_counter() - begin

    return measure
