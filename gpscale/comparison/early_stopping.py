"""What a stopping rule would have saved, and lost, on a study whose trials were all trained to their end.

The stored learning curves are taken in the order of the plan, as the sweep would have taken them. The interval is from
a bootstrap over trials: drawn with replacement, in the order of the plan; a trial is not judged by copies of itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gpscale.errors import FitError
from gpscale.execution import StoredTrials
from gpscale.pareto import hypervolume
from gpscale.run_dir import RunDir
from gpscale.stopping import LEAST_TRIALS, Dominated, Trained
from gpscale.study import Study
from gpscale.sweep import SweepConfig, plan_trials
from gpscale.trial import Stop

BOOTSTRAP = 1000

_LEVELS = (2.5, 97.5)
_NOTHING = 1e-12

FloatArray = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class _Trial:
    """A trial with its whole curve.

    Attributes:
        id: Its id.
        trained: MACs, final top-1, curve.
    """

    id: str
    trained: Trained

    @property
    def epochs(self) -> int:
        assert self.trained.curve is not None
        return len(self.trained.curve)


def replay_stopping(
    run: RunDir, rule: Dominated, *, workers: int = 1, bootstrap: int = BOOTSTRAP, seed: int = 0
) -> dict[str, Any]:
    """Replay a study's learning curves under a stopping rule.

    Args:
        run: The study.
        rule: The rule.
        workers: Trials at a time. A trial is stopped when all earlier ones have ended, so with many it is late; epochs
            are taken to last as long as their MACs are many.
        bootstrap: Resamples of the trials.
        seed: Of the bootstrap.

    Returns:
        JSON values. `saved`: the share of the training's MACs (MACs of an image x images trained) that is not spent.
        `lost`: of the front by what is stopped, as `hypervolume` (in units of base MACs x fraction of images), its
        `hypervolume_share`, and `top1`, mean over log MACs from the smallest trial to the largest, a fraction. Each
        with its 95 % interval (`value`, `low`, `high`); and the share of `resamples` that lose any of it. `stopped`:
        one for each trial that stops, with its `final` top-1 and whether it `beats` the front that stopped it.

    Raises:
        FitError: Too few of the study's trials have a whole learning curve.
    """
    trials = _in_order(run)
    if len(trials) <= LEAST_TRIALS:
        raise FitError(
            f"A stopping rule needs more than {LEAST_TRIALS} finished trials with learning curves. Got {len(trials)} "
            f"in {run.path}. Replay a study that holds more."
        )
    study = Study(run)
    base, high = study.base.macs, float(study.settings["band"]["high"])
    stops = _stops(trials, rule)
    point = _figures(trials, stops, workers, base, high)
    generator = np.random.default_rng(seed)
    resamples = []
    for _ in range(bootstrap):
        places = np.sort(generator.integers(len(trials), size=len(trials)))
        drawn = [trials[place] for place in places]
        resamples.append(_figures(drawn, _stops(drawn, rule), workers, base, high))
    intervals = np.percentile(np.array(resamples), _LEVELS, axis=0)
    saved, volume, share, top1 = (
        {"value": float(value), "low": float(low), "high": float(high)}
        for value, low, high in zip(point, *intervals, strict=True)
    )
    return {
        "study": run.name,
        "rule": rule.name,
        "workers": workers,
        "trials": len(trials),
        "epochs": trials[0].epochs,
        "stopped": [
            {
                "id": trial.id,
                "macs": trial.trained.macs,
                **dataclasses.asdict(stop),
                "final": trial.trained.top1,
                "beats": trial.trained.top1 > stop.front,
            }
            for trial, stop in zip(trials, stops, strict=True)
            if stop is not None
        ],
        "saved": saved,
        "lost": {
            "hypervolume": volume,
            "hypervolume_share": share,
            "top1": top1,
            "resamples": float(np.mean([figures[1] > _NOTHING for figures in resamples])),
        },
        "bootstrap": bootstrap,
    }


def _in_order(run: RunDir) -> list[_Trial]:
    """Return the finished trials that have a whole curve, in the order of the plan."""
    config, stored = SweepConfig.load(run.sweep_file), StoredTrials(run)
    trials = []
    for planned in plan_trials(config, len(stored.images["classes"]), stored.images["fingerprint"]):
        record = stored.find(planned)
        if record is None or record.result is None:
            continue
        curve = np.array([row.ema_top1 for row in stored.curve(record)])
        if len(curve) == record.result.epochs:
            trials.append(_Trial(record.id, Trained(record.result.macs, record.result.top1, curve)))
    return trials


def _stops(trials: Sequence[_Trial], rule: Dominated) -> list[Stop | None]:
    """Judge each trial by those before it that are not stopped."""
    stops: list[Stop | None] = []
    kept: list[_Trial] = []
    for trial in trials:
        assert trial.trained.curve is not None
        earlier = [other.trained for other in kept if other.id != trial.id]
        stop = rule.judge(trial.trained.macs, trial.trained.curve.tolist(), trial.epochs, earlier)
        stops.append(stop)
        if stop is None:
            kept.append(trial)
    return stops


def _figures(
    trials: Sequence[_Trial], stops: Sequence[Stop | None], workers: int, base_macs: int, high: float
) -> tuple[float, float, float, float]:
    """Return the share of MACs saved, and of the front the hypervolume lost, its share, and the mean top-1 lost."""
    macs = np.array([trial.trained.macs for trial in trials], dtype=np.float64)
    top1 = np.array([trial.trained.top1 for trial in trials])
    epochs = np.array([trial.epochs for trial in trials], dtype=np.float64)
    kept = np.array([stop is None for stop in stops])
    stop_after = np.array([stop.epoch if stop else np.inf for stop in stops])
    saved = 1.0 - float((macs * _trained(macs, epochs, stop_after, workers)).sum() / (macs * epochs).sum())
    c = macs / base_macs
    reference = (high, 1.0)
    whole = hypervolume(c, top1, reference)
    volume = max(0.0, whole - hypervolume(c[kept], top1[kept], reference))
    grid = np.geomspace(macs.min(), macs.max(), 200)
    lost = float((_front(macs, top1, grid) - _front(macs[kept], top1[kept], grid)).mean())
    return saved, volume, volume / whole, lost


def _trained(macs: FloatArray, epochs: FloatArray, stop_after: FloatArray, workers: int) -> FloatArray:
    """Return how many epochs each trial is trained with so many workers.

    Args:
        macs: Of an image, (n,) float64, in the order in which they start; an epoch takes so long.
        epochs: Of a whole training, (n,) float64.
        stop_after: Epoch after which a trial counts as stopped, (n,) float64; infinity for never.
        workers: Trials at a time.

    Returns:
        (n,) float64, no more than `epochs`.
    """
    free = np.zeros(workers)
    settled = 0.0
    trained = np.empty(len(macs))
    for place in range(len(macs)):
        worker = int(free.argmin())
        start = free[worker]
        finish = start + epochs[place] * macs[place]
        end = min(finish, max(start + stop_after[place] * macs[place], settled))
        free[worker], settled = end, max(settled, end)
        trained[place] = (end - start) / macs[place]
    return trained


def _front(macs: FloatArray, top1: FloatArray, grid: FloatArray) -> FloatArray:
    """Return the best top-1 with so many MACs or fewer, at each of `grid`, (k,) float64."""
    order = np.argsort(macs, kind="stable")
    best = np.maximum.accumulate(top1[order])
    return np.asarray(best[np.searchsorted(macs[order], grid, side="right") - 1], dtype=np.float64)
