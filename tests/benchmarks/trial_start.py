"""Starting an isolated trial from the fork server, against a fresh interpreter that imports as much."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence

from gpscale.execution.fork_server import ForkServer
from gpscale.execution.machine import ENVIRONMENT
from gpscale.execution.worker import PRELOAD
from tests.benchmarks.measuring import Goal, Row, Side, interleaved, medians, timed
from tests.benchmarks.startup import REPOSITORY


def tell_time(handle: int) -> None:
    """Write the time of the clock that all processes share to a pipe; runs in the child."""
    os.write(handle, f"{time.monotonic_ns()}\n".encode())


def measure(smoke: bool) -> list[Row]:
    """Return one row."""
    # torch takes seconds to import, which is too long for a test of the benchmark
    preload = ("json",) if smoke else PRELOAD
    rounds = 1 if smoke else 7
    read_end, write_end = os.pipe()
    server = ForkServer(preload, ENVIRONMENT, keep=[write_end])

    def start_trial() -> float:
        begin = time.monotonic_ns()
        server.start("trial", tell_time, write_end)
        begun = int(os.read(read_end, 64))
        server.next_exit()
        return (begun - begin) / 1e9

    try:
        start_trial()  # returns when the server has imported its modules
        found = medians(interleaved({"ours": start_trial, "peer": timed(lambda: _import(preload))}, rounds))
    finally:
        server.close()
        os.close(read_end)
        os.close(write_end)
    return [
        Row(
            what="start of an isolated trial",
            unit="s",
            ours=Side("forked, the server being up", "1", found["ours"]),
            peer=Side("fresh interpreter that imports the same", "1", found["peer"]),
            goal=Goal("at most 50 ms", lambda row: row.ours.value <= 0.05),
            rounds=rounds,
        )
    ]


def _import(modules: Sequence[str]) -> None:
    subprocess.run(
        [sys.executable, "-c", f"import {', '.join(modules)}"],
        cwd=REPOSITORY,
        env={**os.environ, **ENVIRONMENT},
        check=True,
    )
