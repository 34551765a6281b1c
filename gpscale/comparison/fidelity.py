"""Do short trainings rank architectures as long ones do?

Some of a study's trials are trained again, everything the same but the number of epochs, and the two rankings are
compared. The long trainings lie in `fidelity/` of the run directory, itself a run directory: they go on after a kill,
and they ship with a study.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gpscale import families
from gpscale.comparison.choice import spread
from gpscale.comparison.ranking import Agreement, BinnedAgreement, agreement, agreement_within_bins
from gpscale.errors import FitError, RunDirError
from gpscale.execution import Event, Executor
from gpscale.run_dir import RunDir
from gpscale.stored import read_stored, write_json
from gpscale.study import Study
from gpscale.sweep import Plan, SweepConfig, count_classes
from gpscale.sweep.config import FREE_TO_CHANGE
from gpscale.sweep.driver import describe, image_facts, open_images, run_plan
from gpscale.trial import FailureReason, Trial, TrialState

SCHEMA = 1
TRIALS = 8
EPOCHS_FACTOR = 4
LEAST_TAU = 0.6
"""Below it a study is no advice for deployment."""

_LARGEST_P = 0.05


@dataclasses.dataclass(frozen=True)
class LongTrial:
    """A finished trial of a study that is trained for longer.

    Attributes:
        short_id: The finished trial.
        trial: The longer training.
        c: MACs over the base's.
        depth: Inverted-residual blocks and attention layers together.
        seconds: What the short training took.
    """

    short_id: str
    trial: Trial
    c: float
    depth: int
    seconds: float


def choose(run: RunDir, count: int = TRIALS, factor: int = EPOCHS_FACTOR) -> list[LongTrial]:
    """Choose which finished trials are trained for longer: spread over log c and over depth.

    The choice depends on nothing but the trials that have finished when it is first made. Those trials then stay
    chosen, in their order, whatever finishes later: asking for more adds to them, asking for fewer leaves none out.

    Args:
        run: The study's run directory.
        count: Trials in all.
        factor: Epochs over those of the study.

    Raises:
        FitError: There are not so many finished trials.
        RunDirError: The choice was made for another factor.
    """
    finished = Study(run).finished
    if len(finished) < count:
        raise FitError(
            f"Only finished trials can be trained for longer. Got {len(finished)} in {run.path}, asked for {count}. "
            "Run the sweep further, or lower --trials."
        )
    begun: dict[str, Any] = _stored(run) if run.fidelity_file.exists() else {"factor": factor, "trials": []}
    if begun["factor"] != factor:
        raise RunDirError(
            f"All long trainings of a study are equally long. {run.fidelity.path} holds {begun['factor']} times the "
            f"study's epochs, asked for {factor}. Give --epochs-factor {begun['factor']}, or move that directory away."
        )
    candidates = [_lengthened(run, row, factor) for row in finished.sort_values("id").to_dict("records")]
    places = {candidate.short_id: place for place, candidate in enumerate(candidates)}
    kept = [places[row["id"]] for row in begun["trials"] if row["id"] in places]
    points = np.array([(np.log(candidate.c), candidate.depth) for candidate in candidates])
    return [candidates[place] for place in spread(points, max(count, len(kept)), kept)]


def run_fidelity(
    run: RunDir,
    executor: Executor,
    *,
    trials: int = TRIALS,
    factor: int = EPOCHS_FACTOR,
    overrides: Iterable[str] = (),
    retry: Collection[FailureReason] = (),
    on_plan: Callable[[Plan], None] = lambda plan: None,
    on_event: Callable[[Event], None] = lambda event: None,
) -> Study:
    """Train some of a study's trials for longer, those that are not yet, and compare the rankings.

    Args:
        run: The study's run directory.
        executor: Where the trainings run.
        trials: How many trials in all.
        factor: Epochs over those of the study.
        overrides: `"data.root=..."` and the like, where the images lie elsewhere than the sweep says.
        retry: Long trainings that failed with one of these reasons are run again.
        on_plan: Called once with the plan, before the first training starts.
        on_event: Called with every event of the executor.

    Returns:
        The study, with its `fidelity`.

    Raises:
        GpscaleError: Bad input, before any work starts: as `choose` does; or an override changes more than where the
            images lie; or the images are not those of the study.
    """
    config = SweepConfig.load(run.sweep_file, overrides)
    check_overrides(config, run)
    choose(run, trials, factor)
    num_classes = count_classes(config)
    with run.locked(), run.fidelity.locked():
        run.remove_leftovers()
        store = open_images(config, run, num_classes)
        chosen = choose(run, trials, factor)
        describe(_long_config(run, chosen), run.fidelity.sweep_file, image_facts(config.data, store), run.fidelity)
        # the choice is on disk before the first training starts, so that a kill does not change it
        rows = [{"id": one.short_id, "long_id": one.trial.id, "c": one.c, "depth": one.depth} for one in chosen]
        write_json(run.fidelity_file, _compare(run, rows, factor))
        plan = Plan.of([one.trial for one in chosen], run.fidelity)
        run_plan(plan, run.fidelity, executor, images=run.images, retry=retry, on_plan=on_plan, on_event=on_event)
        measure_fidelity(run)
    return Study(run)


def measure_fidelity(run: RunDir) -> None:
    """Compare the rankings anew from the records that there are; without long trainings nothing is written.

    Args:
        run: The study's run directory; its `fidelity/fidelity.json` is written anew.
    """
    if run.fidelity_file.exists():
        stored = _stored(run)
        write_json(run.fidelity_file, _compare(run, stored["trials"], stored["factor"]))


def _stored(run: RunDir) -> dict[str, Any]:
    return read_stored(
        run.fidelity_file, "a fidelity check", lambda values: {key: values[key] for key in ("factor", "trials")}
    )


def _lengthened(run: RunDir, row: Mapping[Hashable, Any], factor: int) -> LongTrial:
    record = run.record(row["id"])
    assert record is not None
    family = families.get(record.trial.family)
    integers = family.row(family.architecture_from_dict(record.trial.architecture))
    depth = sum(int(integers[family.columns[name]].sum()) for name in ("ir_depth", "vit_depth"))
    recipe = {**record.trial.recipe, "epochs": factor * record.trial.recipe["epochs"]}
    return LongTrial(
        row["id"], dataclasses.replace(record.trial, recipe=recipe), float(row["c"]), depth, float(row["seconds"])
    )


def check_overrides(config: SweepConfig, run: RunDir) -> None:
    """Refuse overrides that would change what a study's further trainings train, or that would have no effect.

    Raises:
        RunDirError: One does.
    """
    free = [name for name in FREE_TO_CHANGE if name.startswith("data.")]
    differences = SweepConfig.load(run.sweep_file).differences(config, free)
    if differences:
        raise RunDirError(
            f"Further trainings keep the settings of their study, but for {', '.join(free)}. "
            f"Got other values of {', '.join(differences)}. Leave those out."
        )


def _long_config(run: RunDir, chosen: Sequence[LongTrial]) -> SweepConfig:
    """Return the study's sweep with the long trainings' epochs and number, none of which is stopped.

    The images stay where the study has them.
    """
    return SweepConfig.load(
        run.sweep_file, [f"recipe.epochs={chosen[0].trial.recipe['epochs']}", f"trials={len(chosen)}", "stop=null"]
    )


def _compare(run: RunDir, rows: Sequence[Mapping[str, Any]], factor: int) -> dict[str, Any]:
    """Return what is stored: each chosen trial with both of its accuracies, and how the two rankings compare."""
    trials = [_row(run, row) for row in rows]
    compared = [row for row in trials if row["state"] == TrialState.FINISHED]
    c, short, long = (np.array([row[key] for row in compared], dtype=float) for key in ("c", "top1", "long_top1"))
    overall, within = agreement(short, long), agreement_within_bins(c, short, long)
    epochs = Study(run).settings["recipe"]["epochs"]
    return {
        "schema": SCHEMA,
        "factor": factor,
        "epochs": epochs,
        "long_epochs": factor * epochs,
        "trials": trials,
        "compared": len(compared),
        "overall": dataclasses.asdict(overall) if overall else None,
        "within": dataclasses.asdict(within) if within else None,
        "for_deployment": _fault(overall, within) == "",
        "verdict": _verdict(overall, within, (epochs, factor * epochs), (len(compared), len(trials))),
    }


def _row(run: RunDir, row: Mapping[str, Any]) -> dict[str, Any]:
    short, long = run.record(row["id"]), run.fidelity.record(row["long_id"])
    short_result, long_result = short and short.result, long and long.result
    return {
        **{key: row[key] for key in ("id", "long_id", "c", "depth")},
        "state": str(long.state if long and short_result else TrialState.PENDING),
        "reason": str(long.failure) if long and long.failure else "",
        "top1": short_result.top1 if short_result else None,
        "long_top1": long_result.top1 if long_result else None,
    }


def _verdict(
    overall: Agreement | None, within: BinnedAgreement | None, epochs: tuple[int, int], counts: tuple[int, int]
) -> str:
    """Say in one sentence how far the short trainings can be trusted."""
    of = f" of {counts[1]} chosen" if counts[0] < counts[1] else ""
    said = f"Fidelity, {epochs[0]} against {epochs[1]} epochs, {counts[0]}{of} trials: "
    if overall is None:
        return f"{said}nothing to compare yet; not for deployment."
    interval = "" if overall.low is None else f"95 % interval {overall.low:.2f} to {overall.high:.2f}, "
    said += f"Kendall's tau {overall.tau:.2f} ({interval}p = {overall.p_value:.2g})"
    if within is not None:
        said += f", within bins of c {within.tau:.2f} ({within.pairs} pairs)"
    return f"{said}. {_fault(overall, within) or 'Short trainings rank as long ones do.'}"


def _fault(overall: Agreement | None, within: BinnedAgreement | None) -> str:
    """Say why a study is not for deployment; empty where the rankings agree."""
    if overall is None or within is None:
        return "Too few trials to say: not for deployment."
    if overall.tau < LEAST_TAU:
        return f"Below {LEAST_TAU}: not for deployment."
    if overall.p_value > _LARGEST_P:
        return "Too few trials to be sure: not for deployment yet."
    if within.tau < LEAST_TAU:
        return f"At about equal MACs below {LEAST_TAU}: not for deployment."
    return ""
