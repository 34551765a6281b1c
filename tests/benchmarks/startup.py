"""Commands in a fresh process, against a bare interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.benchmarks.measuring import Goal, Row, Side, interleaved, medians

REPOSITORY = Path(__file__).parents[2]
BARE = (sys.executable, "-c", "pass")
COMMAND = (sys.executable, "-c", "from gpscale.cli import main; main()")
COMMANDS = (
    ("gpscale --help", ("--help",), 0.15),
    ("gpscale recommend --macs 15M, cold", ("recommend", "--macs", "15M"), 0.4),
)


def measure(smoke: bool) -> list[Row]:
    """Return a row for each command."""
    rounds = 1 if smoke else 15
    rows = []
    for what, arguments, limit in COMMANDS:
        processor: dict[str, list[float]] = {"ours": [], "peer": []}
        sides = {
            "ours": _process([*COMMAND, *arguments], processor["ours"]),
            "peer": _process(BARE, processor["peer"]),
        }
        # the first round also writes the bytecode, as an installation does
        found = medians(interleaved(sides, rounds))
        spent = medians(processor)
        rows.append(
            Row(
                what=what,
                unit="s",
                ours=Side("fresh process", "1", found["ours"]),
                peer=Side("python -c pass", "1", found["peer"]),
                goal=Goal(f"at most {limit} s", lambda row, limit=limit: row.ours.value <= limit),
                rounds=rounds,
                details={"gpscale_cpu_seconds": spent["ours"], "peer_cpu_seconds": spent["peer"]},
            )
        )
    return rows


def _process(command: Sequence[str], processor: list[float]) -> Callable[[], float]:
    """Return a function that runs the command, returns its wall time and notes the processor time, seconds."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    # bytecode is kept wherever gpscale is really used
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def run() -> float:
        begin = time.perf_counter()
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{command} ended with {process.returncode}")
        processor.append(usage.ru_utime + usage.ru_stime)
        return seconds

    return run
