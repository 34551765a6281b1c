"""A sweep of real trainings that takes seconds, and a driver that tests can watch and kill."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from gpscale.run_dir import RunDir
from tests.cli.command import ENVIRONMENT
from tests.execution.processes import marked

SWEEP = """
base: mobilevitv2_050@32
trials: 6
space:
  resolution: {low: 0.5, high: 1.0}
data: {train_images: 100, validation_images: 100}
recipe: {epochs: 2, batch_size: 25, learning_rate: 0.008, flip: false}
fit: {pareto_share: 0.8, accuracy_floor: 0.0, bootstrap: 5}
"""

# what the installer puts beside the interpreter: the real entry point
CONSOLE_SCRIPT = Path(sys.executable).parent / "gpscale"


def write_sweep(directory: Path) -> Path:
    file = directory / "tiny.yaml"
    file.write_text(SWEEP)
    return file


class Driver:
    """`gpscale sweep`, or another command that trains, as a process that is ended with its `with` block.

    Its descendants can be found by their mark.
    """

    def __init__(
        self, directory: Path, name: str | Path, *options: object, runs: str = "runs", command: str = "sweep"
    ) -> None:
        """Start it.

        Args:
            directory: Holds the sweep file and the run directories.
            name: Of the run; of `compare`, its file.
            options: Of the command.
            runs: Directory of the run directories, below `directory`.
            command: `"sweep"`, `"compare"`, or one that takes the run directory alone.
        """
        self.run = RunDir(directory / runs / name)
        self.mark = f"GPSCALE_TEST_MARK={uuid.uuid4()}"
        key, value = self.mark.split("=")
        if command == "sweep":
            where = [write_sweep(directory), "--runs", runs, "--name", name]
        else:
            where = [name] if command == "compare" else [self.run.path]
        self.process = subprocess.Popen(
            list(map(str, [CONSOLE_SCRIPT, command, *where, *options])),
            cwd=directory,
            env={**ENVIRONMENT, key: value},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def wait(self, code: int = 0) -> tuple[str, str]:
        """Wait for the end and return what it printed on standard output and standard error."""
        out, err = self.process.communicate(timeout=500)
        assert self.process.returncode == code, err
        return out, err

    def descendants(self) -> set[int]:
        """Return the live processes that it has started, however far down."""
        return marked(self.mark) - {self.process.pid}


def results(run: RunDir) -> Mapping[str, Any]:
    """Return the part of each record that is equal bit for bit when a trial is repeated, by trial id."""
    return {file.parent.name: json.loads(file.read_text())["result"] for file in run.path.glob("trials/*/record.json")}


def trial_process(run: RunDir, trial_id: str) -> int:
    """Return the process that trains a trial, from the first line of its log."""
    return int((run.trial(trial_id) / "log.txt").read_text().split()[2].rstrip(","))


def mid_trial(run: RunDir) -> list[str]:
    """Return the trials that have trained an epoch and have not ended."""
    return [
        trial
        for trial in run.trial_ids()
        if (run.trial(trial) / "checkpoint.pt").exists() and not run.record_file(trial).exists()
    ]
