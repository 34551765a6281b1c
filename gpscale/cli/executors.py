"""Which executor the options of a command ask for."""

from __future__ import annotations

import dataclasses
from typing import Any

from gpscale import execution
from gpscale.errors import ExecutorError
from gpscale.execution import Executor
from gpscale.execution.machine import training_device

_OWN = {"ray": ("address", "cpus", "gpus"), "replay": ("source",)}
"""Options that one executor alone has."""

ONE_AT_A_TIME = "this is for one trial at a time; how many share the graphics card is found when they start"


@dataclasses.dataclass(frozen=True)
class ExecutorOptions:
    """Options of a command that trains.

    Attributes:
        executor: Name of the executor.
        workers: Trials at a time; None for the executor's own default.
        address: `--address`, None where it is left out; for Ray alone, like the next two.
        cpus: `--cpus`.
        gpus: `--gpus`.
        source: `--from`, None where it is left out; for replay alone.
    """

    executor: str = "local"
    workers: int | None = None
    address: str | None = None
    cpus: float | None = None
    gpus: float | None = None
    source: str | None = None

    def make(self, **settings: Any) -> Executor:
        """Make the executor.

        Args:
            settings: Further ones, which every executor takes.

        Raises:
            UnknownNameError: There is none of that name.
            ExecutorError: An option is for another executor, or is missing.
            ClusterError: An option for a cluster cannot be.
        """
        kind = execution.get(self.executor)
        given: dict[str, Any] = {}
        for owner, names in _OWN.items():
            own = {name: value for name in names if (value := getattr(self, name)) is not None}
            if own and self.executor != owner:
                options = ", ".join("--from" if name == "source" else f"--{name}" for name in own)
                raise ExecutorError(
                    f"{options} must come with --executor {owner}. Got --executor {self.executor}. Add it, or leave "
                    "the rest out."
                )
            given |= own
        if self.executor == "replay" and self.source is None:
            raise ExecutorError(
                "--executor replay must come with --from. Got none. Name the study that answers the trials: its run "
                "directory, or a shipped one."
            )
        return kind(workers=self.workers, **given, **settings)

    def certain_workers(self) -> int:
        """Return how many trials at a time are certain before any has run: one where they share a graphics card.

        Raises:
            GpscaleError: As `make`.
        """
        if self.shares_card:
            return 1
        with self.make() as executor:
            return executor.workers

    @property
    def shares_card(self) -> bool:
        """Whether the sweep itself finds out, when it starts, how many trials share the graphics card."""
        return self.executor == "local" and self.workers is None and training_device() == "cuda"
