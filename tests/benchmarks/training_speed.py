"""Training images a second on all cores: against other loops, against one core, and against what the cores can do."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TextIO

from gpscale.execution import usable_cores
from gpscale.execution.fork_server import ForkServer
from gpscale.execution.machine import ENVIRONMENT
from gpscale.execution.worker import PRELOAD
from gpscale.training.data.config import DataConfig
from gpscale.training.data.store import ImageStore
from tests.benchmarks.floating_point_peak import OPERATIONS_PER_STEP, SIDE
from tests.benchmarks.measuring import Goal, Row, Side, interleaved, medians
from tests.benchmarks.startup import REPOSITORY
from tests.benchmarks.training_ours import Variant, serve
from tests.benchmarks.training_peer import PeerSettings
from tests.benchmarks.training_workload import STORED_PIXELS, Workload

BASE = "mobilevitv2_050@64"
LOADER_WORKERS = 2


@dataclasses.dataclass(frozen=True)
class Process:
    """One process that trains.

    Attributes:
        requests, answers: The channels to it.
        ended: Readable when it has ended, where the end of its answers does not say so.
    """

    requests: TextIO
    answers: TextIO
    ended: Connection | None = None

    def train(self, seconds: float) -> None:
        """Ask it to train for so long."""
        self.requests.write(f"{seconds}\n")
        self.requests.flush()

    def steps_per_second(self) -> float:
        """Wait for the answer."""
        ready = wait([self.answers, *([self.ended] if self.ended else [])])
        answer = self.answers.readline() if self.answers in ready else ""
        if not answer:
            raise RuntimeError("A process that trains ended early; its message is above.")
        return float(answer)


def measure(smoke: bool) -> list[Row]:
    """Return a row for each other loop, one for the cores, and one for the share of their floating-point peak."""
    cores = 1 if smoke else usable_cores()
    rounds, seconds = (1, 0.0) if smoke else (7, 6.0)
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        ImageStore.prepare(DataConfig(stored_pixels=STORED_PIXELS), Path(directory), STORED_PIXELS)
        workload = Workload(directory, "mobilevitv2_050@32" if smoke else BASE, 4 if smoke else 64)
        like = [json.dumps(dataclasses.asdict(PeerSettings(0, tuned=True)))]
        user = [json.dumps(dataclasses.asdict(PeerSettings(LOADER_WORKERS, tuned=False)))]
        task = [json.dumps(dataclasses.asdict(workload))]
        ours = stack.enter_context(forked([(workload, Variant.OURS)] * cores, ENVIRONMENT))
        sides = {
            "ours": ours,
            "one": ours[:1],
            "like": stack.enter_context(_programs("training_peer", task + like, cores, ENVIRONMENT)),
            "user": stack.enter_context(_programs("training_peer", task + user, 1, {})),
            "timm": stack.enter_context(_programs("training_timm", [*task, str(LOADER_WORKERS)], 1, {})),
            "peak": stack.enter_context(_programs("floating_point_peak", [], cores, ENVIRONMENT)),
        }
        speeds = {name: steps_per_second(processes, seconds) for name, processes in sides.items()}
        found = medians(interleaved(speeds, rounds, warm_up=0 if smoke else 1))
    return _rows(workload, found, cores, rounds)


def _rows(workload: Workload, found: Mapping[str, float], cores: int, rounds: int) -> list[Row]:
    what = f"training {workload.base}, batches of {workload.batch_size}"
    each = f"{cores} processes x 1" if cores > 1 else "1"
    usual = f"{cores} and {LOADER_WORKERS} loading processes"
    speed = {name: workload.batch_size * steps for name, steps in found.items() if name != "peak"}
    ours = Side("a sweep's workers", each, speed["ours"])
    as_fast = Goal("as fast", lambda row: row.ratio >= 1)
    rows = [
        Row(f"{what}: {kind}", "1/s", ours, Side(name, threads, speed[peer]), as_fast, rounds)
        for kind, peer, name, threads in (
            ("like for like", "like", "torch DataLoader, PIL transforms, else the same", each),
            ("as a user would", "user", "torch DataLoader, PIL transforms, torch's defaults", usual),
            ("timm's parts", "timm", "timm's loader, transforms (which jitter colours), optimizer, schedule", usual),
        )
    ]
    scaling = Goal(f"at least {0.95 * cores:.3g} times", lambda row: row.ratio >= 0.95 * cores)
    rows.append(Row(f"{what}: all cores", "1/s", ours, Side("one worker", "1", speed["one"]), scaling, rounds))
    # a step multiplies and adds once forward, and twice backward: by inputs and by weights
    achieved = 3 * 2 * workload.macs * speed["ours"] / 1e9
    peak = found["peak"] * OPERATIONS_PER_STEP / 1e9
    return [
        *rows,
        Row(
            what=f"{what}: share of the floating-point peak",
            unit="GFLOP/s",
            ours=Side("a sweep's workers, 6 per MAC and image", each, achieved),
            peer=Side(f"float32 products of {SIDE} x {SIDE} matrices", each, peak),
            goal=None,
            rounds=rounds,
        ),
    ]


def steps_per_second(processes: Sequence[Process], seconds: float) -> Callable[[], float]:
    """Return a function that lets the processes train together, and returns the sum of their speeds."""

    def run() -> float:
        for process in processes:
            process.train(seconds)
        return sum(process.steps_per_second() for process in processes)

    return run


@contextlib.contextmanager
def forked(variants: Sequence[tuple[Workload, Variant]], environment: Mapping[str, str]) -> Iterator[list[Process]]:
    """Start processes of gpscale's side as a sweep starts its workers: all from one server, which imports once."""
    pipes = [(os.pipe(), os.pipe()) for _ in variants]
    theirs = [(requests[0], answers[1]) for requests, answers in pipes]
    server = ForkServer(PRELOAD, environment, keep=[handle for pair in theirs for handle in pair])
    processes = [
        Process(os.fdopen(requests[1], "w"), os.fdopen(answers[0]), server.connection) for requests, answers in pipes
    ]
    try:
        for number, ((workload, variant), pair) in enumerate(zip(variants, theirs, strict=True)):
            server.start(str(number), serve, workload, variant, *pair)
        yield processes
    finally:
        server.close()
        for process, pair in zip(processes, theirs, strict=True):
            process.requests.close()
            process.answers.close()
            for handle in pair:
                os.close(handle)


@contextlib.contextmanager
def _programs(module: str, arguments: Sequence[str], count: int, extra: Mapping[str, str]) -> Iterator[list[Process]]:
    """Start programs of this package, with the settings of threads and allocator that are given, and no others."""
    environment = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT} | dict(extra)
    programs = [
        subprocess.Popen(
            [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    try:
        yield [Process(program.stdin, program.stdout) for program in programs if program.stdin and program.stdout]
    finally:
        # the end of its requests ends a program and its loaders
        for program in programs:
            program.communicate()
