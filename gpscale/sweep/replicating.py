"""Which trials are trained again with other seeds: the base, and what nothing beats."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from gpscale import pareto
from gpscale.errors import FitError
from gpscale.run_dir import RunDir
from gpscale.study import Study
from gpscale.sweep.config import SweepConfig
from gpscale.trial import Trial


def plan_replicates(config: SweepConfig, trials: Sequence[Trial], run: RunDir) -> list[Trial]:
    """Return the further trainings that a sweep asks for, when all its trials have ended.

    Replicate k has the sweep's seed plus k, and with it weights, data order and augmentation of its own. The front is
    that of the first seeds alone, so that it does not depend on replicates that are there already.

    Args:
        config: The sweep.
        trials: All its trials in order, the base first.
        run: Holds their records.

    Returns:
        Distinct trials, all first replicates before any second one.
    """
    if config.replicates == 1:
        return []
    chosen = []
    if "base" in config.replicated:
        chosen.append(trials[0].id)
    if "front" in config.replicated:
        chosen += _front(config, trials, run)
    by_id = {trial.id: trial for trial in trials}
    return [
        dataclasses.replace(by_id[trial_id], seed=config.seed + replicate)
        for replicate in range(1, config.replicates)
        for trial_id in dict.fromkeys(chosen)
    ]


def _front(config: SweepConfig, trials: Sequence[Trial], run: RunDir) -> list[str]:
    """Return the ids of the trials that no other beats, by MACs; none at fixed MACs, where there is no front."""
    study = Study(run)
    table = study.trainings
    table = table[table["id"].isin([trial.id for trial in trials])]
    if config.sampler.make().fixed_macs:
        return []
    floor = 1 / study.num_classes if config.fit.accuracy_floor is None else config.fit.accuracy_floor
    band = (config.band.low, config.band.high)
    try:
        selection = pareto.select(table["c"], table["top1"], share=config.fit.pareto_share, band=band, floor=floor)
    except FitError:
        return []
    return [str(trial_id) for trial_id in table["id"].to_numpy()[selection.front]]
