"""Kill workers and drivers at random, and count what is lost: `python -m tests.faults.soak --kills 200 --seed 0`.

Sweeps of tiny real trials run one after the other; while they run, now a worker and now the driver is killed with
SIGKILL. Whatever is killed is started again, so that every sweep completes, and its results are compared with those
of one that nothing has disturbed.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.execution.processes import eventually
from tests.faults.harness import TRIALS, Command, Commands, Sweep

DRIVER_SHARE = 0.2
"""Probability that a kill takes the driver and not a worker."""

IDLE_DRIVER_SHARE = 0.02
"""The same while there is no worker: a sweep begins with seconds of imports, and most kills shall come later."""


@dataclasses.dataclass
class Outcome:
    """What a soak has seen.

    Attributes:
        workers_killed, drivers_killed: Processes that were killed.
        sweeps, trials: Completed.
        lost: Finished trials whose record was gone or changed later on.
        orphans: Processes that were there 20 seconds after their driver had ended.
        unequal: Results that differ from an undisturbed sweep's.
    """

    workers_killed: int = 0
    drivers_killed: int = 0
    sweeps: int = 0
    trials: int = 0
    lost: int = 0
    orphans: int = 0
    unequal: int = 0

    @property
    def kills(self) -> int:
        """All processes that were killed."""
        return self.workers_killed + self.drivers_killed

    def __str__(self) -> str:
        return (
            f"{self.kills} kills ({self.workers_killed} of workers, {self.drivers_killed} of drivers), "
            f"{self.sweeps} sweeps with {self.trials} trials: {self.lost} finished trials lost, "
            f"{self.orphans} orphan processes, {self.unequal} results unequal to an undisturbed sweep's"
        )


def soak(
    commands: Commands, directory: Path, *, kills: int, seed: int, executor: str = "local", pause: float = 1.0
) -> Outcome:
    """Run sweeps until so many processes have been killed and the last sweep has completed.

    Args:
        commands: Start the drivers.
        directory: For the sweeps.
        kills: At least as many.
        seed: Decides whom each kill takes and how long it waits.
        executor: As in `Sweep`.
        pause: Mean time between kills, seconds.
    """
    outcome, generator = Outcome(), np.random.default_rng(seed)
    undisturbed = Sweep(commands, directory / "undisturbed", executor)
    assert undisturbed.start(workers=2).wait().is_complete
    while outcome.kills < kills:
        sweep = Sweep(commands, directory / f"sweep-{outcome.sweeps}", executor)
        finished: dict[str, bytes] = {}
        while len(finished) < TRIALS:
            driver = sweep.start("--retry", "crashed", workers=2)
            while driver.is_running and outcome.kills < kills:
                time.sleep(generator.exponential(pause))
                _strike(driver, generator, outcome)
            finished = _take_stock(driver, sweep, finished, outcome)
        _compare(sweep.results(), undisturbed.results(), outcome)
        print(outcome, file=sys.stderr, flush=True)
    return outcome


def _strike(driver: Command, generator: np.random.Generator, outcome: Outcome) -> None:
    """Kill the driver or one of its workers, if there is one."""
    workers = driver.workers()
    # whoever is meant may have ended meanwhile
    with contextlib.suppress(ProcessLookupError):
        if generator.random() < (DRIVER_SHARE if workers else IDLE_DRIVER_SHARE):
            if driver.is_running:
                driver.kill()
                outcome.drivers_killed += 1
        elif workers:
            os.kill(int(generator.choice(workers)), signal.SIGKILL)
            outcome.workers_killed += 1


def _take_stock(driver: Command, sweep: Sweep, before: dict[str, bytes], outcome: Outcome) -> dict[str, bytes]:
    """Wait for the end of a driver, and return the trials that have finished."""
    driver.wait_for_end()
    if not eventually(lambda: not driver.descendants(), 20):
        outcome.orphans += len(driver.descendants())
    finished = sweep.finished()
    outcome.lost += sum(finished.get(trial) != content for trial, content in before.items())
    return finished


def _compare(results: Mapping[str, Any], undisturbed: Mapping[str, Any], outcome: Outcome) -> None:
    outcome.sweeps += 1
    outcome.trials += len(results)
    outcome.unequal += sum(results.get(trial) != result for trial, result in undisturbed.items())


def main() -> None:
    """Do as the command line says; exit code 1 if anything was lost, left or unequal."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200, help="processes to kill (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="decides whom and when (default: %(default)s)")
    parser.add_argument("--pause", type=float, default=1.0, help="mean seconds between kills (default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, Commands() as commands:
        outcome = soak(commands, Path(directory), kills=arguments.kills, seed=arguments.seed, pause=arguments.pause)
    print(outcome)
    sys.exit(bool(outcome.lost or outcome.orphans or outcome.unequal))


if __name__ == "__main__":
    main()
