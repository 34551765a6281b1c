"""Which trials are trained again with other seeds: the base, and what nothing beats.

Of many trials that were trained once, those on the front are in part the lucky ones. So the front is looked at again
when its replicates have ended, with the mean of each trial that was chosen so far, and what it holds then that was
trained once is replicated too, until a front holds no such trial. Each choice rests on the results of the trials and
of the replicates that were chosen before it, so it is the same whenever the sweep is interrupted or continued.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

import pandas as pd

from gpscale import pareto
from gpscale.errors import FitError
from gpscale.replicates import averaged
from gpscale.run_dir import RunDir
from gpscale.study import Study
from gpscale.sweep.config import SweepConfig
from gpscale.trial import Trial


def next_replicates(
    config: SweepConfig, trials: Sequence[Trial], planned: Collection[Trial], run: RunDir
) -> list[Trial]:
    """Return the further trainings that a sweep asks for, as far as what has ended tells.

    Replicate k has the sweep's seed plus k, and with it weights, data order and augmentation of its own.

    Args:
        config: The sweep.
        trials: All its trials in order, the base first; all have ended.
        planned: What this function has returned so far in this run of the sweep; all have ended.
        run: Holds the records.

    Returns:
        Distinct trials, none of them `planned`, all first replicates before any second one; none when all is chosen.
    """
    if config.replicates == 1:
        return []
    study, begun = Study(run), {trial.id for trial in planned}
    chosen: set[str] = set()
    while True:
        # the first front is that of the first seeds alone
        known = {trial.id for trial in (*trials, *_replicates(trials, chosen, config))}
        grown = set(chosen)
        if "base" in config.replicated:
            grown.add(trials[0].id)
        if "front" in config.replicated:
            grown |= _front(config, study.trainings[study.trainings["id"].isin(known)], study.num_classes)
        new = [trial for trial in _replicates(trials, grown, config) if trial.id not in begun]
        if new or grown == chosen or config.fit.pareto_values == "first":
            return new
        chosen = grown


def _replicates(trials: Sequence[Trial], chosen: Collection[str], config: SweepConfig) -> list[Trial]:
    seeds = range(config.seed + 1, config.seed + config.replicates)
    return [dataclasses.replace(trial, seed=seed) for seed in seeds for trial in trials if trial.id in chosen]


def _front(config: SweepConfig, trainings: pd.DataFrame, num_classes: int) -> set[str]:
    """Return the ids, of the lowest seeds, of what no other beats on average; none at fixed MACs: no front there."""
    if config.sampler.make().fixed_macs:
        return set()
    table = averaged(trainings)
    floor = 1 / num_classes if config.fit.accuracy_floor is None else config.fit.accuracy_floor
    band = (config.band.low, config.band.high)
    try:
        selection = pareto.select(table["c"], table["top1"], share=config.fit.pareto_share, band=band, floor=floor)
    except FitError:
        return set()
    return set(table["id"].to_numpy()[selection.front])
