"""Sweeps to do harm to: `gpscale` as a real process that can be watched, signalled and starved.

A command is forked from a process that has imported everything, which spares it the seconds that the imports take; from
there on it is the process that the console script would be, with a process group of its own, as under a terminal.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import json
import os
import re
import signal
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gpscale.execution.fork_server import ForkServer
from gpscale.run_dir import RunDir
from gpscale.stored import write_atomically
from tests.execution.processes import eventually, marked
from tests.faults.stand_ins import HOLD_FILE, beside_sweep_file, stands_at, steps_of

SWEEP = """
base: mobilevitv2_050@32
trials: 4
space:
  resolution: {low: 0.5, high: 1.0}
data: {train_images: 60, validation_images: 60}
recipe: {epochs: 2, batch_size: 20, flip: false}
"""
"""Four trials are too few to fit, which spares the fit: a sweep that has trained them all ends by saying so."""

TRIALS = 4
PRELOAD = ("gpscale.cli.sweeping", "gpscale.cli.mending", "gpscale.doctor", "tests.faults.stand_ins")
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "COLUMNS": "160", "PYTHONUNBUFFERED": "1"}
MARK = "GPSCALE_TEST_MARK"
MINUTES = 60.0


@dataclasses.dataclass(frozen=True)
class Ran:
    """How a command has ended.

    Attributes:
        status: Exit code, or minus the number of the signal that killed it.
        out, err: What it printed.
    """

    status: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that says what went wrong."""
        assert "Traceback" not in self.err, self.err
        [line] = [line for line in self.err.splitlines() if re.match(r"\w+Error: ", line)]
        return line

    @property
    def is_complete(self) -> bool:
        """Every trial of the sweep has finished."""
        return self.status == 2 and f"finished trials. Got {TRIALS}." in self.error


class Commands:
    """Starts `gpscale` commands and tells how they end; a context manager that ends those that still run."""

    def __init__(self) -> None:
        self._server = ForkServer(PRELOAD, ENVIRONMENT)
        self._statuses: dict[str, int] = {}

    def __enter__(self) -> Commands:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def start(self, key: str, function: Callable[..., object], *arguments: object) -> None:
        self._server.start(key, function, *arguments)

    def status(self, key: str, seconds: float = 0.0) -> int | None:
        """Return the exit status of a command; None if it still runs after so many seconds."""
        deadline = time.monotonic() + seconds
        while key not in self._statuses and self._server.connection.poll(max(0.0, deadline - time.monotonic())):
            ended, status = self._server.next_exit()
            self._statuses[ended] = status
        return self._statuses.get(key)


class Command:
    """One `gpscale` command."""

    def __init__(
        self, commands: Commands, directory: Path, *arguments: object, prepare: Callable[[], None] | None = None
    ) -> None:
        """Start it.

        Args:
            commands: Start it.
            directory: To run in.
            arguments: Of `gpscale`.
            prepare: Importable; called in the process before the command.
        """
        self._commands, self._key = commands, uuid.uuid4().hex
        self._files = directory / f".{self._key}"
        self._files.mkdir()
        commands.start(self._key, _be_gpscale, directory, self._files, [*map(str, arguments)], self._key, prepare)
        assert eventually(lambda: (self._files / "pid").exists() or not self.is_running, MINUTES)
        self.pid = int((self._files / "pid").read_text())

    @property
    def is_running(self) -> bool:
        """It has not ended."""
        return self._commands.status(self._key) is None

    def interrupt(self) -> None:
        """Press Ctrl-C: the terminal signals the whole process group."""
        os.killpg(self.pid, signal.SIGINT)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Signal the process alone."""
        os.kill(self.pid, number)

    def descendants(self) -> set[int]:
        """Return the live processes that it has started, however far down."""
        return marked(f"{MARK}={self._key}") - {self.pid}

    def workers(self) -> list[int]:
        """Return the live processes that run a trial now: the children of the fork server."""
        started = self.descendants()
        return sorted(process for process in started if _parent(process) in started)

    def wait(self) -> Ran:
        """Wait for the end, and for the end of all that it has started."""
        status = self.wait_for_end()
        assert eventually(lambda: not self.descendants(), 20), "processes are left"
        return Ran(status, *((self._files / name).read_text() for name in ("out", "err")))

    def wait_for_end(self) -> int:
        """Wait for the end, whatever it leaves, and return the exit status."""
        status = self._commands.status(self._key, 5 * MINUTES)
        assert status is not None, "still running"
        return status

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait as long as it runs."""
        deadline = time.monotonic() + 2 * MINUTES
        while not condition():
            assert self.is_running, self.wait().err
            assert time.monotonic() < deadline
            time.sleep(0.002)


class Sweep:
    """A sweep in a directory of its own.

    Attributes:
        run: Its run directory.
    """

    def __init__(self, commands: Commands, directory: Path, executor: str) -> None:
        """Write the sweep file.

        Args:
            commands: Start its drivers.
            directory: For the sweep file and the run directory; made if absent.
            executor: `"counting"`, `"training"` or `"local"`.
        """
        self.directory, self.run = directory, RunDir(directory / "runs" / "tiny")
        self._commands, self._executor = commands, executor
        directory.mkdir(exist_ok=True, parents=True)
        (directory / "tiny.yaml").write_text(SWEEP)

    def start(self, *options: object, workers: int = 1, prepare: Callable[[], None] | None = None) -> Command:
        """Start a driver."""
        where = ("--executor", self._executor, "--workers", workers)
        return Command(self._commands, self.directory, "sweep", "tiny.yaml", *where, *options, prepare=prepare)

    def doctor(self) -> Ran:
        """Have the run directory examined."""
        return Command(self._commands, self.directory, "doctor", self.run.path).wait()

    def steps(self) -> int:
        """Return how many steps all counting trials have taken together."""
        return steps_of(self.run)

    def hold_at(self, number: int | None) -> None:
        """Let the trials wait, as `HOLD_FILE` says; None for no more waiting."""
        file = beside_sweep_file(self.run, HOLD_FILE)
        if number is None:
            file.unlink(missing_ok=True)
        else:
            write_atomically(file, str(number))

    def is_held(self) -> bool:
        """Tell whether the counting trials wait."""
        file = beside_sweep_file(self.run, HOLD_FILE)
        return file.exists() and self.steps() >= int(file.read_text())

    def begun(self) -> list[str]:
        """Return the counting trials that have taken a step and have no record."""
        trials = [directory.name for directory in self.run.path.glob("trials/*")]
        return [one for one in trials if stands_at(self.run, one)[0] and not self.run.record_file(one).exists()]

    def finished(self) -> dict[str, bytes]:
        """Return the records of the trials that have finished, byte for byte, by trial id."""
        files = {file.parent.name: file.read_bytes() for file in self.run.path.glob("trials/*/record.json")}
        return {trial: content for trial, content in files.items() if json.loads(content)["result"]}

    def results(self) -> Mapping[str, Any]:
        """Return the results of the trials that have finished, by trial id."""
        return {trial: json.loads(content)["result"] for trial, content in self.finished().items()}

    def failures(self) -> dict[str, str]:
        """Return why trials have failed, by trial id."""
        return {record.id: str(record.failure) for record in self.run.records() if record.failure}


def may_not_write_everywhere() -> None:
    """Take from this process, if it is root's, and from its children the right to write what permissions forbid."""
    libc = ctypes.CDLL(None, use_errno=True)
    override = 1  # CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable, low halves first
    if os.geteuid() == 0:
        # from the bounding set first, which takes a right that the second step leaves
        for done in (libc.prctl(24, override, 0, 0, 0), libc.capget(header, sets)):  # PR_CAPBSET_DROP
            assert done == 0, os.strerror(ctypes.get_errno())
        for place in range(3):
            sets[place] &= ~(1 << override)
        assert libc.capset(header, sets) == 0, os.strerror(ctypes.get_errno())


def _be_gpscale(
    directory: Path, files: Path, arguments: list[str], key: str, prepare: Callable[[], None] | None
) -> None:
    """Become the console script, with two more executors to choose from."""
    from gpscale.cli import main
    from gpscale.execution.base import register
    from tests.faults import stand_ins

    register(stand_ins.CountingExecutor)
    register(stand_ins.TrainingExecutor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, name in ((1, "out"), (2, "err")):
        handle = os.open(files / name, os.O_WRONLY | os.O_CREAT)
        os.dup2(handle, number)
        os.close(handle)
    os.environ[MARK] = key
    os.chdir(directory)
    sys.argv = ["gpscale", *arguments]
    if prepare is not None:
        prepare()
    temporary = files / "pid.tmp"
    temporary.write_text(str(os.getpid()))
    temporary.rename(files / "pid")
    main()


def _parent(process: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return 0
