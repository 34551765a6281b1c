"""What a sweep costs beyond its trainings: its wall time against theirs, and two workers against one.

A sweep plans, decodes its images and starts its workers before the first trial, and that counts as its cost; the start
of Python and of torch in the driver, once, and fitting, which comes after the last trial, do not. All trials are of one
architecture, so that no worker waits for another's longer one. One worker runs before and after the two, so that a
machine whose speed drifts favours neither.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from pathlib import Path

from gpscale import families
from gpscale.execution import Ended, Event, LocalExecutor, Progressed
from gpscale.run_dir import RunDir
from gpscale.sweep import Plan, SweepConfig
from gpscale.sweep.driver import prepare, run_plan
from tests.benchmarks.measuring import Goal, Row, Side

BASE = "mobilevitv2_050@64"
STORED_PIXELS = 32
WORKERS = 2


@dataclasses.dataclass(frozen=True)
class Ran:
    """One sweep.

    Attributes:
        wall: From its begin to the end of its last trial, seconds.
        trials_per_second: From the first word of a trial that trains to the end of the last: a short sweep pays no
            more for the start of its processes than a long one.
        training: Sum of the trials' training and evaluation times, seconds.
    """

    wall: float
    trials_per_second: float
    training: float


def measure(smoke: bool) -> list[Row]:
    """Return a row for the overhead of two workers, and one for them against one worker."""
    base, epochs, trials, alone = ("mobilevitv2_050@32", 1, WORKERS, 1) if smoke else (BASE, 10, 6 * WORKERS, 2)
    few = {"train_images": 100, "validation_images": 100} if smoke else {}
    config = SweepConfig.from_values(
        {
            "base": base,
            "data": {"stored_pixels": STORED_PIXELS, **few},
            "recipe": {"epochs": epochs, "batch_size": 50 if smoke else 32},
        }
    )
    before, two, after = (
        sweep(config, count, workers) for count, workers in ((alone, 1), (trials, WORKERS), (alone, 1))
    )
    return [
        Row(
            what=f"a sweep of {trials} trials" + ("" if smoke else f" of {two.training / trials:.0f} s"),
            unit="s",
            ours=Side("wall time with plan, images, start of workers", f"{WORKERS} processes x 1", two.wall),
            peer=Side("sum of the training times over the workers", f"{WORKERS} processes x 1", two.training / WORKERS),
            goal=Goal("under 3 % more", lambda row: row.ours.value < 1.03 * row.peer.value),
            rounds=1,
        ),
        Row(
            what="trials a second of two workers",
            unit="1/s",
            ours=Side("two workers", f"{WORKERS} processes x 1", two.trials_per_second),
            peer=Side(
                "one worker, before and after", "1", 2 / (1 / before.trials_per_second + 1 / after.trials_per_second)
            ),
            goal=Goal("at least 1.9 times", lambda row: row.ratio >= 1.9),
            rounds=1,
        ),
    ]


def sweep(config: SweepConfig, trials: int, workers: int) -> Ran:
    """Train the base so many times, each with a seed of its own, as a sweep does."""
    training, started, ended = 0.0, 0.0, 0.0

    def hear(event: Event) -> None:
        nonlocal training, started, ended
        if isinstance(event, Progressed):
            started = started or time.perf_counter()
        elif isinstance(event, Ended):
            ended = time.perf_counter()
            if event.record.result is None:
                raise RuntimeError(event.record.detail)
            training += event.record.measured["train_seconds"] + event.record.measured["evaluate_seconds"]

    with tempfile.TemporaryDirectory() as directory:
        run = RunDir(Path(directory) / "run")
        begin = time.perf_counter()
        planned = prepare(config, run).trials[0]
        base = families.parse_base(config.base).architecture.to_dict()
        plan = Plan.of([dataclasses.replace(planned, architecture=base, seed=seed) for seed in range(trials)], run)
        with run.locked():
            run_plan(plan, run, LocalExecutor(workers=workers), images=run.images, on_event=hear)
        wall = time.perf_counter() - begin
    return Ran(wall, trials / (ended - started), training)
