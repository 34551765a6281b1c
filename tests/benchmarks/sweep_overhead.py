"""What the local executor costs beyond trainings: its wall time against theirs, and two workers against one."""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path

from gpscale import families
from gpscale.execution import Ended, Job, LocalExecutor
from gpscale.training.data.config import DataConfig
from gpscale.training.data.store import ImageStore
from gpscale.training.recipe import Recipe
from gpscale.trial import Trial
from tests.benchmarks.measuring import Goal, Row, Side

BASE = "mobilevitv2_050@64"
STORED_PIXELS = 32
WORKERS = 2


def measure(smoke: bool) -> list[Row]:
    """Return a row for the overhead of two workers, and one for them against one worker."""
    base, epochs, per_worker = ("mobilevitv2_050@32", 1, 1) if smoke else (BASE, 12, 4)
    with tempfile.TemporaryDirectory() as directory:
        images = Path(directory) / "images"
        store = ImageStore.prepare(DataConfig(stored_pixels=STORED_PIXELS), images, STORED_PIXELS)
        recipe = Recipe(epochs=epochs, batch_size=128 if smoke else 32)
        runs = {
            workers: run(
                [_trial(base, recipe, store.fingerprint, seed) for seed in range(per_worker * workers)],
                Path(directory) / str(workers),
                images,
                workers,
            )
            for workers in (WORKERS, 1)
        }
    wall, training = runs[WORKERS]
    trials = per_worker * WORKERS
    each = training / trials
    return [
        Row(
            what=f"{trials} trials" + ("" if smoke else f" of {each:.0f} s") + " by the local executor",
            unit="s",
            ours=Side("wall time, the start of the workers included", f"{WORKERS} processes x 1", wall),
            peer=Side("sum of the training times over the workers", f"{WORKERS} processes x 1", training / WORKERS),
            goal=Goal("under 3 % more", lambda row: row.ours.value < 1.03 * row.peer.value),
            rounds=1,
        ),
        Row(
            what="trials a second of two workers",
            unit="1/s",
            ours=Side("two workers", f"{WORKERS} processes x 1", trials / wall),
            peer=Side("one worker", "1", per_worker / runs[1][0]),
            goal=Goal("at least 1.9 times", lambda row: row.ratio >= 1.9),
            rounds=1,
        ),
    ]


def run(trials: list[Trial], directory: Path, images: Path, workers: int) -> tuple[float, float]:
    """Train the trials; return the wall time and the sum of the training times, seconds."""
    begin, training = time.perf_counter(), 0.0
    with (
        LocalExecutor(workers=workers) as executor,
        contextlib.closing(executor.run([Job(trial, directory, images) for trial in trials])) as events,
    ):
        for event in events:
            if isinstance(event, Ended):
                if event.record.result is None:
                    raise RuntimeError(event.record.detail)
                training += event.record.measured["train_seconds"] + event.record.measured["evaluate_seconds"]
    return time.perf_counter() - begin, training


def _trial(base: str, recipe: Recipe, fingerprint: str, seed: int) -> Trial:
    parsed = families.parse_base(base)
    return Trial(parsed.family, parsed.architecture.to_dict(), 10, recipe.model_dump(mode="json"), fingerprint, seed)
