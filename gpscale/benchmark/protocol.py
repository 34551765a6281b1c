"""How models are timed: gpscale's own way, and those of three papers.

A paper's protocol fixes what the paper says; what it leaves open is gpscale's own. Their devices (a Galaxy S21, a Xeon
E5-2690 v4, an iPhone 12) are not this machine: the protocol makes numbers comparable with each other, not with theirs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

from gpscale.errors import RuntimeChoiceError, UnknownNameError

Statistic = Literal["median", "mean", "mean and sd", "images/s"]


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How a model is timed; always in float32, in the form that is deployed, with random weights and images.

    Attributes:
        name: Its name.
        statistic: The number that it is about.
        batch: Images at a time.
        threads: Threads of one operator on the CPU.
        runs: Timed runs of each model.
        warm_up: Runs of each model before, which are not timed.
        rounds: Parts that the runs are divided into; in each round every model has its turn, so that whatever else the
            machine does falls on all of them.
        fold: Whether torch runs models with their batch normalisations folded; ONNX Runtime always does.
        source: Paper and section; empty for gpscale's own.

    Example:
        >>> Protocol("mine", "median", batch=4, runs=20).batch
        4
    """

    name: str
    statistic: Statistic
    batch: int = 1
    threads: int = 1
    runs: int = 50
    warm_up: int = 10
    rounds: int = 10
    fold: bool = False
    source: str = ""

    def __post_init__(self) -> None:
        for field in ("batch", "threads", "runs", "rounds"):
            if getattr(self, field) < 1:
                raise RuntimeChoiceError(f"{field} must be at least 1. Got {getattr(self, field)}. Take more.")
        if self.warm_up < 0:
            raise RuntimeChoiceError(f"warm_up must not be negative. Got {self.warm_up}. Take 0 or more.")

    def describe(self) -> str:
        """Say in one line what is done.

        Example:
            >>> PROTOCOLS["msra"].describe()
            'msra: batch 16, 1 thread, float32, batch normalisations folded, 10 runs to warm up, 50 timed in 10 rounds'
        """
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        folded = "batch normalisations folded, " if self.fold else ""
        rounds = min(self.rounds, self.runs)
        return (
            f"{self.name}: batch {self.batch}, {threads}, float32, {folded}{self.warm_up} runs to warm up, {self.runs} "
            f"timed in {rounds} round{'s' if rounds > 1 else ''}"
        )


PROTOCOLS: Mapping[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol("gpscale", "median"),
        Protocol("edgevit", "mean and sd", source="Pan et al. (2022), section 4.1: batch 1, full precision, 50 runs"),
        Protocol(
            "msra",
            "images/s",
            batch=16,
            fold=True,
            source="Liu et al. (2023), section 4.1: batch 16, one thread; section 3.2: batch normalisations folded",
        ),
        Protocol("efficientformer", "mean", runs=1000, source="Li et al. (2022), section 5: mean of 1,000 runs"),
    )
}


def protocol_of(name: str, **changed: int | bool | None) -> Protocol:
    """Return a protocol, with some of its fields changed.

    Args:
        name: One of `PROTOCOLS`.
        changed: Fields and their values; None keeps the protocol's.

    Raises:
        RuntimeChoiceError: A number is too small.
        UnknownNameError: There is no such protocol.

    Example:
        >>> protocol_of("edgevit", threads=2, runs=None).threads
        2
    """
    if name not in PROTOCOLS:
        raise UnknownNameError.of("protocol", name, PROTOCOLS)
    own = {field: value for field, value in changed.items() if value is not None}
    return dataclasses.replace(PROTOCOLS[name], **own)  # type: ignore[arg-type]
