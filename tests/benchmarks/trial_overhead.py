"""What a trial costs beyond its training: a trainer that sleeps, against Ray Tune and Optuna with the same trainer.

The figure is the time from the begin of a trial to the begin of the one that takes its place, less the sleep. Whatever
comes before the first trial, such as the start of Ray, is in none of the figures.
"""

from __future__ import annotations

import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gpscale import execution
from gpscale.execution import Ended, Job
from gpscale.execution.worker import PRELOAD
from gpscale.run_dir import RunDir
from gpscale.trial import Progress, Result, Trial, TrialRecord
from tests.benchmarks.measuring import Goal, Row, Side, interleaved, medians

GOALS = {"local": 0.05, "ray": 0.1}
WORKERS = 2
SCALING = (1, 4, 16)


def sleep(job: Job, report: Callable[[Progress], None]) -> TrialRecord:
    """Be the trial: note when it begins, sleep, or wait until every worker has a trial, and write a record."""
    begin = time.monotonic()
    time.sleep(job.trial.recipe["seconds"])
    while len(list(job.directory.glob("trials/*"))) < job.trial.recipe["workers"]:
        time.sleep(0.01)
    result = Result(0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 1, 1000, 100)
    record = TrialRecord(job.trial.id, job.trial, result, measured={"begin": begin})
    RunDir(job.directory).write_record(record)
    return record


def measure(smoke: bool) -> list[Row]:
    """Return a row for each executor and each peer, then how each executor scales."""
    # torch takes seconds to import, which is too long for a test of the benchmark
    preload = () if smoke else PRELOAD
    seconds, trials, rounds = (0.05, 3 * WORKERS, 1) if smoke else (0.2, 15 * WORKERS, 3)
    with local_ray(2 if smoke else max(SCALING)):
        sides: dict[str, Callable[[], float]] = {
            **{
                name: lambda name=name: overhead(_ours(name, WORKERS, trials, seconds, preload), WORKERS, seconds)
                for name in GOALS
            },
            "Optuna": lambda: overhead(_optuna(trials, seconds), WORKERS, seconds),
            "Ray Tune": lambda: overhead(_tune(trials, seconds), WORKERS, seconds),
        }
        found = medians(interleaved(sides, rounds, warm_up=0))
        rows = [
            Row(
                what=f"a trial beyond its training, {name}",
                unit="s",
                ours=Side("isolated process, record on disk", f"{WORKERS} processes", found[name]),
                peer=Side(f"{peer}{how}", threads, found[peer]),
                goal=Goal(f"at most {1000 * goal:g} ms", lambda row, goal=goal: row.ours.value <= goal),
                rounds=rounds,
            )
            for name, goal in GOALS.items()
            for peer, how, threads in (
                ("Optuna", ", threads of one process, SQLite", f"{WORKERS} threads"),
                ("Ray Tune", ", reused actors", f"{WORKERS} processes"),
            )
        ]
        counts, seconds, rounds = ((1, 2), 0.1, 1) if smoke else (SCALING, 1.0, 3)
        return [*rows, *(_scaling(name, counts, seconds, rounds, preload) for name in GOALS)]


def overhead(begins: Sequence[float], workers: int, seconds: float) -> float:
    """Return the median time from a trial's begin to that of the trial that takes its place, less the training.

    Args:
        begins: When each trial began, seconds of one clock.
        workers: Trials at a time.
        seconds: What a training takes.
    """
    ordered = sorted(begins)
    return (
        statistics.median(later - earlier for earlier, later in zip(ordered, ordered[workers:], strict=False)) - seconds
    )


@contextmanager
def local_ray(cpus: int) -> Iterator[None]:
    """Connect to a Ray of this machine, on which Ray Tune and our executor run alike."""
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # the newer output of Ray Tune cannot be silenced
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    ray.init(address="local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()


def _ours(name: str, workers: int, trials: int, seconds: float, preload: Sequence[str]) -> list[float]:
    """Return when each trial began."""
    return _run(name, workers, trials, seconds, preload)[0]


def _wall(name: str, workers: int, trials: int, seconds: float, preload: Sequence[str]) -> float:
    """Return how long all trials took together, seconds."""
    return _run(name, workers, trials, seconds, preload)[1]


def _run(name: str, workers: int, trials: int, seconds: float, preload: Sequence[str]) -> tuple[list[float], float]:
    """Run trials that sleep, on workers that are up; return when each began, and the wall time of all."""
    with (
        tempfile.TemporaryDirectory() as directory,
        execution.get(name)(workers=workers, run_trial=sleep, preload=preload) as executor,
    ):
        # all workers are up before the first trial that counts
        for _ in executor.run(_jobs(Path(directory) / "warm-up", workers, {"seconds": 0.0, "workers": workers})):
            pass
        start = time.monotonic()
        events = list(executor.run(_jobs(Path(directory) / "run", trials, {"seconds": seconds, "workers": 0})))
        wall = time.monotonic() - start
        return [event.record.measured["begin"] for event in events if isinstance(event, Ended)], wall


def _jobs(directory: Path, trials: int, recipe: dict[str, Any]) -> list[Job]:
    return [
        Job(Trial("sleeping", {"pixels": 8}, 10, recipe, "none", seed), directory, directory / "images")
        for seed in range(trials)
    ]


def _optuna(trials: int, seconds: float) -> list[float]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    begins: list[float] = []

    def objective(trial: optuna.Trial) -> float:
        begins.append(time.monotonic())
        width = trial.suggest_float("width", 0.4, 1.0)
        time.sleep(seconds)
        return width

    with tempfile.TemporaryDirectory() as directory:
        study = optuna.create_study(
            storage=f"sqlite:///{directory}/study.db", sampler=optuna.samplers.RandomSampler(seed=0)
        )
        study.optimize(objective, n_trials=trials, n_jobs=WORKERS)
    return begins


def _tune(trials: int, seconds: float) -> list[float]:
    from ray import tune

    def trainable(config: dict[str, Any]) -> None:
        begin = time.monotonic()
        time.sleep(seconds)
        tune.report({"begin": begin, "width": config["width"]})

    with tempfile.TemporaryDirectory() as directory:
        tuner = tune.Tuner(
            tune.with_resources(trainable, {"cpu": 1}),
            param_space={"width": tune.uniform(0.4, 1.0)},
            tune_config=tune.TuneConfig(num_samples=trials, max_concurrent_trials=WORKERS, reuse_actors=True),
            run_config=tune.RunConfig(storage_path=directory, verbose=0),
        )
        return [result.metrics["begin"] for result in tuner.fit()]


def _scaling(name: str, counts: Sequence[int], seconds: float, rounds: int, preload: Sequence[str]) -> Row:
    """Return the row that compares the most workers with one; the numbers between are its details."""
    per_worker = 4
    sides = {
        str(count): lambda count=count: count * per_worker / _wall(name, count, count * per_worker, seconds, preload)
        for count in counts
    }
    rates = medians(interleaved(sides, rounds, warm_up=0))
    most = max(counts)
    return Row(
        what=f"trials of {seconds:g} s that sleep, {name}",
        unit="1/s",
        ours=Side(f"{most} workers, wall time of {most * per_worker}", f"{most} processes", rates[str(most)]),
        peer=Side(f"one worker, wall time of {per_worker}", "1 process", rates["1"]),
        goal=Goal(f"at least {0.9 * most:.3g} times", lambda row: row.ratio >= 0.9 * most),
        rounds=rounds,
        details={f"{workers} workers, trials per second": rate for workers, rate in rates.items()},
    )
