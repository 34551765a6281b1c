"""Which executor the options of a command ask for."""

from __future__ import annotations

import dataclasses
from typing import Any

from gpscale import execution
from gpscale.errors import ClusterError
from gpscale.execution import Executor


@dataclasses.dataclass(frozen=True)
class ExecutorOptions:
    """Options of a command that trains.

    Attributes:
        executor: Name of the executor.
        workers: Trials at a time; None for the executor's own default.
        address: `--address`, None where it is left out; for Ray alone, like the next two.
        cpus: `--cpus`.
        gpus: `--gpus`.
    """

    executor: str = "local"
    workers: int | None = None
    address: str | None = None
    cpus: float | None = None
    gpus: float | None = None

    def make(self, **settings: Any) -> Executor:
        """Make the executor.

        Args:
            settings: Further ones, which every executor takes.

        Raises:
            UnknownNameError: There is none of that name.
            ClusterError: An option is for another executor, or cannot be.
        """
        kind = execution.get(self.executor)
        given = {name: value for name in ("address", "cpus", "gpus") if (value := getattr(self, name)) is not None}
        if given and self.executor != "ray":
            raise ClusterError(
                f"{', '.join(f'--{name}' for name in given)} must come with --executor ray. Got --executor "
                f"{self.executor}. Add it, or leave the rest out."
            )
        return kind(workers=self.workers, **given, **settings)
