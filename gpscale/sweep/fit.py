"""Fit a run directory: surfaces, diagnostics, Pareto set, rule, figures."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gpscale import families, pareto
from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES
from gpscale.replicates import averaged, seed_noise
from gpscale.rules.fit import fit_rule
from gpscale.rules.gp_rule import GPRule
from gpscale.rules.surface_front import fit_rule_to_surface
from gpscale.run_dir import STUDY_SCHEMA, RunDir
from gpscale.sampling.fixed_macs import Grid, Line
from gpscale.search_space import check_pixel_step
from gpscale.stored import write_atomically, write_json
from gpscale.study import Study
from gpscale.surrogate.diagnostics import diagnose
from gpscale.surrogate.surface import MIN_OBSERVATIONS, Surface
from gpscale.sweep.config import SweepConfig
from gpscale.trial import OUTCOMES, TrialState

FRONT_DRAWS = 4000
"""Surfaces that are drawn for the probability of being on the front: its error is then below one percent."""


def fit_run(run: RunDir, config: SweepConfig | None = None, *, figures: bool = True) -> Study:
    """Fit everything that a study holds on its finished trials, and store it beside them.

    Args:
        run: A run directory with trials; `study.json`, `surfaces/`, `pareto.csv`, `rule*.json` and `figures/` are
            written anew.
        config: Its sweep; None reads it from the directory.
        figures: Draw the figures too.

    Returns:
        The fitted study.

    Raises:
        FitError: Too few finished trials, or accuracies that do not differ.

    Example:
        >>> fit_run(RunDir("runs/absent"))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        gpscale.errors.SweepFileError: A sweep file must be readable. Got ...
    """
    config = config or SweepConfig.load(run.sweep_file)
    study = Study(run)
    names = surface_names(config)
    # replicates are observations of their own: how they differ tells the surface what one training is worth
    trainings = _observed(study.trainings, config)
    surfaces = {outcome: fit_surface(trainings, names, outcome, config.fit.seed) for outcome in OUTCOMES}
    facts = _facts(study, config, names)
    facts["surface_ids"] = averaged(trainings)["id"].tolist()
    places = trainings["architecture"].map({name: k for k, name in enumerate(trainings["architecture"].unique())})
    groups = [np.flatnonzero(places == k) for k in range(places.nunique())]
    diagnostics = {
        outcome: diagnose(surface, trainings["macs"], groups, config.fit.seed) if surface else None
        for outcome, surface in surfaces.items()
    }
    facts["diagnostics"] = {outcome: found.to_dict() if found else None for outcome, found in diagnostics.items()}
    for outcome, found in diagnostics.items():
        surface = surfaces[outcome]
        surfaces[outcome] = surface.recalibrated(found.recalibration) if surface and found else None
    noise = {outcome: seed_noise(trainings, outcome) for outcome in OUTCOMES}
    facts["seed_noise"] = {outcome: found.to_dict() if found else None for outcome, found in noise.items()}
    for outcome, surface in surfaces.items():
        if surface is None:
            run.surface_file(outcome).unlink(missing_ok=True)
        else:
            write_json(run.surface_file(outcome), surface.to_dict())
    _fit_pareto_and_rule(run, study, config, facts, surfaces["top1"])
    write_json(run.study_file, facts)
    fitted = Study(run)
    if facts["pareto"] is not None:
        write_atomically(run.pareto_file, fitted.pareto.to_csv(index=False))
    if figures:
        # matplotlib takes long to import, and a fit without figures does without it
        from gpscale.plotting import draw_all

        draw_all(fitted, run.figures)
    return fitted


def surface_names(config: SweepConfig) -> tuple[str, ...]:
    """Return the factors of a sweep's surfaces: those that a design at fixed MACs varies, else all four."""
    sampler = config.sampler.make()
    if isinstance(sampler, Line):
        return (sampler.factor,)
    if isinstance(sampler, Grid):
        return tuple(sampler.factors)
    return FACTOR_NAMES


def fewest_trials(config: SweepConfig) -> int:
    """Return how many finished trials the surfaces of a sweep need at least.

    Example:
        >>> fewest_trials(SweepConfig(base="mobilevitv2_050@64"))
        6
    """
    return max(MIN_OBSERVATIONS, len(surface_names(config)) + 2)


def _observed(trainings: pd.DataFrame, config: SweepConfig) -> pd.DataFrame:
    """Return the trainings that a surface may rest on: at fixed MACs not the base, where it costs something else."""
    sampler = config.sampler.make()
    if isinstance(sampler, Line | Grid):
        return trainings[(trainings["c"] / sampler.c - 1).abs() <= sampler.tolerance].reset_index(drop=True)
    return trainings


def fit_surface(trainings: pd.DataFrame, names: tuple[str, ...], outcome: str, seed: int) -> Surface | None:
    """Fit a surface to trainings; None where top-5 is the same in all."""
    values = trainings[outcome].to_numpy(dtype=float)
    if outcome == "top5" and len(values) and values.min() == values.max():
        # with five classes or fewer every top-5 is 1: nothing to fit, and no reason to refuse top-1
        return None
    return Surface.fit(trainings[list(names)].to_numpy(dtype=float), names, values, outcome=outcome, seed=seed)


def _facts(study: Study, config: SweepConfig, names: tuple[str, ...]) -> dict[str, Any]:
    base = families.parse_base(config.base)
    finished, trials = study.finished, study.trials
    # architectures, as those that finished are: a replicate that failed has cost none
    lost = trials[~trials["architecture"].isin(finished["architecture"])].drop_duplicates("architecture")
    return {
        "schema": STUDY_SCHEMA,
        "base": config.base,
        "family": base.family,
        "num_classes": study.num_classes,
        "base_macs": study.base.macs,
        "bounds": {name: list(bound) for name, bound in config.space.bounds.to_dict().items()},
        "pixel_step": check_pixel_step(base, config.space.pixel_step),
        "band": [config.band.low, config.band.high],
        "sampler": config.sampler.name,
        "surface_names": list(names),
        "chance": 1 / study.num_classes,
        "trials": {
            "planned": config.trials,
            "finished": len(finished),
            "failed": int((lost["state"] == TrialState.FAILED).sum()),
            "stopped": int((lost["state"] == TrialState.STOPPED).sum()),
        },
        "c_range": [float(finished["c"].min()), float(finished["c"].max())],
        "seconds": float(finished["seconds"].sum()),
    }


def _fit_pareto_and_rule(
    run: RunDir, study: Study, config: SweepConfig, facts: dict[str, Any], surface: Surface | None
) -> None:
    """Store the rule, and say in `facts` which trials survive, or why there is no Pareto set or no rule."""
    finished = study.finished
    facts["pareto"], facts["rule_missing"] = None, ""
    run.pareto_file.unlink(missing_ok=True)
    run.rule_file.unlink(missing_ok=True)
    run.trials_rule_file.unlink(missing_ok=True)
    if config.sampler.make().fixed_macs:
        facts["rule_missing"] = f"sampler {config.sampler.name!r} holds MACs fixed, so there is nothing to trade."
        return
    assert surface is not None, "only top-5 may be without a surface"
    try:
        c, top1 = finished["c"].to_numpy(dtype=float), chosen_by(finished, config, surface)
        selection = pareto.select(c, top1, **selection_settings(config, facts["chance"]))
        facts["pareto"] = _describe(selection, finished["id"].to_numpy(), top1, config.fit.pareto_values)
        facts["pareto"]["on_front"] = _on_front(finished, surface, config.fit.seed)
    except FitError as error:
        facts["rule_missing"] = str(error)
        return
    try:
        write_json(run.rule_file, find_rule(finished, config, surface, study.num_classes).to_dict())
    except FitError as error:
        facts["rule_missing"] = str(error)
    if config.fit.rule_from != "trials":
        # a rival of the study's own rule; too few trials for one are no fault of the study
        with contextlib.suppress(FitError):
            rule = _rule_of_trials(finished, config, surface, study.num_classes, config.fit.bootstrap)
            write_json(run.trials_rule_file, rule.to_dict())


def find_rule(
    finished: pd.DataFrame, config: SweepConfig, surface: Surface, num_classes: int, bootstrap: int | None = None
) -> GPRule:
    """Fit the rule of a sweep whose MACs vary, from what `fit.rule_from` says.

    Args:
        finished: Its finished architectures, as `Study.finished`.
        config: The sweep.
        surface: The joint surface of their top-1.
        num_classes: Classes of its images.
        bootstrap: Draws or resamples behind the band; None takes `fit.bootstrap`.

    Raises:
        FitError: There is too little to fit a rule to.
    """
    count = config.fit.bootstrap if bootstrap is None else bootstrap
    if config.fit.rule_from == "trials":
        return _rule_of_trials(finished, config, surface, num_classes, count)
    c = finished["c"].to_numpy(dtype=np.float64)
    # where no Pareto set can be chosen, as of trials that have learned nothing, a surface has no best to follow
    pareto.select(c, chosen_by(finished, config, surface), **selection_settings(config, 1 / num_classes))
    return fit_rule_to_surface(
        surface,
        config.search_space(num_classes),
        (float(c.min()), float(c.max())),
        band=(config.band.low, config.band.high),
        seed=config.fit.seed,
        draws=count,
    )


def _rule_of_trials(
    finished: pd.DataFrame, config: SweepConfig, surface: Surface, num_classes: int, bootstrap: int
) -> GPRule:
    return fit_rule(
        finished["c"].to_numpy(dtype=np.float64),
        finished[list(FACTOR_NAMES)].to_numpy(dtype=np.float64),
        chosen_by(finished, config, surface),
        **selection_settings(config, 1 / num_classes),
        seed=config.fit.seed,
        bootstrap=bootstrap,
    )


def chosen_by(finished: pd.DataFrame, config: SweepConfig, surface: Surface) -> NDArray[np.float64]:
    """Return the top-1 of each architecture that a sweep's Pareto set is chosen by, (n,) float64, fractions."""
    if config.fit.pareto_values == "posterior":
        return surface.predict(finished[list(surface.names)].to_numpy(dtype=float)).mean
    column = "top1_first" if config.fit.pareto_values == "first" else "top1"
    return finished[column].to_numpy(dtype=np.float64)


def selection_settings(config: SweepConfig, chance: float) -> dict[str, Any]:
    """Return share, band and floor that a sweep's Pareto set is chosen with."""
    floor = chance if config.fit.accuracy_floor is None else config.fit.accuracy_floor
    return {"share": config.fit.pareto_share, "band": (config.band.low, config.band.high), "floor": floor}


def _on_front(finished: pd.DataFrame, surface: Surface, seed: int) -> dict[str, float]:
    """Return how likely each finished architecture is on the front of all of them, were its noise averaged away."""
    factors = finished[list(surface.names)].to_numpy(dtype=float)
    draws = surface.draw(factors, FRONT_DRAWS, np.random.default_rng(seed))
    found = pareto.front_probability(finished["macs"].to_numpy(), draws)
    return dict(zip(finished["id"].tolist(), found.tolist(), strict=True))


def _describe(
    selection: pareto.ParetoSelection, ids: NDArray[Any], top1: NDArray[np.float64], values: str
) -> dict[str, Any]:
    return {
        "values": values,
        "top1": {str(trial_id): float(value) for trial_id, value in zip(ids, top1, strict=True)},
        "survivors": [str(trial_id) for trial_id in ids[selection.indices]],
        "front": [str(trial_id) for trial_id in ids[selection.front]],
        "ranks": {str(trial_id): int(rank) for trial_id, rank in zip(ids, selection.ranks, strict=True)},
        "inside": selection.n_inside,
        "hypervolume": selection.hypervolume,
        "reference": list(selection.reference),
        "share": selection.share,
        "floor": selection.floor,
    }
