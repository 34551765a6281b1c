"""Commands that train and fit."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gpscale.cli.executors import ONE_AT_A_TIME, ExecutorOptions
from gpscale.cli.output import console, print_json
from gpscale.cli.progress import listener
from gpscale.comparison.fidelity import measure_fidelity
from gpscale.errors import ExecutorError, RunDirError
from gpscale.factors import FACTOR_NAMES
from gpscale.replicates import SeedNoise
from gpscale.report.card import write_card
from gpscale.rules.gp_rule import GPRule
from gpscale.run_dir import RunDir, find_own_run
from gpscale.study import Study
from gpscale.sweep import SweepConfig, fewest_trials, fit_run, run_sweep
from gpscale.sweep.estimate import Estimate, estimate
from gpscale.trial import FailureReason, TrialState
from gpscale.units import format_macs

SHARES = (0.25, 0.5, 0.75, 1.0)


def run_name(name: str) -> str:
    """Return the name of a run directory if it is one.

    Raises:
        RunDirError: It would leave the directory of the runs.
    """
    if name in ("", ".", "..") or Path(name).name != name:
        raise RunDirError(f"--name must be a plain name. Got {name!r}. Choose another directory with --runs.")
    return name


def sweep(
    sweep_file: Path,
    overrides: Sequence[str],
    run: Path,
    where: ExecutorOptions,
    retry: Sequence[str],
    timeout: float | None,
    max_failures: int | None,
    *,
    as_json: bool,
) -> None:
    """Run a sweep with progress, then print what it found."""
    config = SweepConfig.load(sweep_file, overrides)
    _warn_of_too_few(config)
    with (
        where.make(timeout=None if timeout is None else 60 * timeout) as executor,
        listener(as_json=as_json, workers=lambda: executor.workers) as progress,
    ):
        study = run_sweep(
            config,
            RunDir(run),
            executor,
            retry=failure_reasons(retry),
            max_failures=max_failures,
            on_plan=progress.plan,
            on_event=progress.event,
        )
    write_card(study)
    show_study(study, as_json=as_json)


def failure_reasons(names: Sequence[str]) -> list[FailureReason]:
    """Return the reasons of these names, which the option has checked."""
    return [FailureReason(name) for name in names]


def dry_run(sweep_file: Path, overrides: Sequence[str], run: Path, where: ExecutorOptions, *, as_json: bool) -> None:
    """Print what a sweep would do and about how long it takes; write nothing."""
    if where.executor == "replay":
        raise ExecutorError(
            "--dry-run estimates how long trainings take. --executor replay trains nothing. Leave one of them out."
        )
    config = SweepConfig.load(sweep_file, overrides)
    _warn_of_too_few(config)
    found = estimate(config, RunDir(run), where.certain_workers(), _tell_of_timing)
    if as_json:
        print_json(found.to_dict())
        return
    _print_estimate(found, config, where)


def _tell_of_timing(models: int) -> None:
    print(f"timing {models} models ...", file=sys.stderr, flush=True)


def _print_estimate(found: Estimate, config: SweepConfig, where: ExecutorOptions) -> None:
    print(f"base {config.base}: {found.trials} trials, {found.done} of them done, {found.pending} to train")
    print(f"MACs of an image: {format_macs(found.macs_low)} to {format_macs(found.macs_high)}")
    train, validation, images = (
        "unknown" if count is None else f"{'' if found.present else 'at most '}{count:,}"
        for count in (found.train_images, found.validation_images, found.images)
    )
    if not found.present:
        print(f"{config.data.source} is not in {config.data.root} yet: the sweep will fetch it, a dry run does not")
    print(f"images: {train} train, {validation} validate; {images} training images over all epochs and pending trials")
    if found.seconds is None:
        print("estimated time: unknown, as is how many images train")
    else:
        print(
            f"estimated time: {found.seconds / 60:.1f} minutes with {found.workers} "
            f"worker{'s' if found.workers > 1 else ''}"
            f"{', evaluations left out' if found.validation_images is None else ''}, from a calibration of "
            f"{len(found.calibration)} models on this machine ({found.device})"
        )
        if where.shares_card:
            print(ONE_AT_A_TIME)
        if where.executor == "ray":
            print("this is the speed of this machine; nodes of a cluster may be faster or slower")
    if config.replicates > 1:
        print(
            f"afterwards, not estimated: {' and '.join(config.replicated)} with {config.replicates - 1} more "
            f"seed{'s' if config.replicates > 2 else ''} each"
        )


def _warn_of_too_few(config: SweepConfig) -> None:
    needed = fewest_trials(config)
    if config.trials < needed:
        print(
            f"Note: {config.trials} trials will be trained but not fitted: that takes at least {needed}.",
            file=sys.stderr,
        )


def fit(run: str, *, as_json: bool) -> None:
    """Fit a run directory again, compare its long trainings again, and print what was found."""
    directory = find_own_run(run)
    with directory.locked():
        measure_fidelity(directory)
        study = fit_run(directory)
        write_card(study)
    show_study(study, as_json=as_json)


def show_study(study: Study, *, as_json: bool) -> None:
    """Print the front, the rule and recommendations at a quarter, half, three quarters and all of the base's MACs."""
    summary = study.summary(SHARES)
    if as_json:
        print_json(summary)
        return
    trials = summary["trials"]
    stopped = f"{trials['stopped']} stopped and not fitted, " if trials["stopped"] else ""
    print(
        f"\n{study.name}: base {study.base.name}, {format_macs(study.base.macs)} MACs; {trials['finished']} trials "
        f"finished, {trials['failed']} failed, {stopped}{summary['seconds'] / 60:.1f} minutes of training in "
        "all"
    )
    failed = study.trials[study.trials["state"] == TrialState.FAILED]
    replicates = int((failed["seed"] != study.settings["seed"]).sum())
    if replicates:
        print(f"{replicates} of the replicates failed: their means are of fewer trainings.")
    for verdict in summary["verdicts"]:
        print(verdict)
    if summary["seed_noise"]["top1"]:
        print(f"Noise between seeds, top-1: {SeedNoise(**summary['seed_noise']['top1'])}.")
    if summary["fidelity"]:
        print(summary["fidelity"]["verdict"])
    if summary["pareto"] is not None:
        _print_front(study)
    if summary["rule_missing"]:
        print(f"No rule: {summary['rule_missing']}")
    else:
        _print_rule(study.rule, summary["rule"])
        _print_recommendations(summary["recommendations"])
    print(f"\ncard: {study.run.card_file}\nfigures: {study.run.figures}")


def _print_front(study: Study) -> None:
    from rich.table import Table

    facts = study.facts["pareto"]
    print(
        f"\nPareto set: {len(facts['survivors'])} survive of {facts['inside']} trials inside the band with top-1 above "
        f"{facts['floor']:.0%}, {len(facts['front'])} are not dominated; hypervolume {facts['hypervolume']:.4f} "
        f"(reference c = {facts['reference'][0]:g}, error {facts['reference'][1]:.3g})"
    )
    table = Table(
        "c", "MACs", "top-1", "px", "r", "d_i", "d_m", "w", "rank", "on the front", box=None, header_style="bold"
    )
    for row in study.pareto.to_dict("records"):
        table.add_row(
            f"{row['c']:.3f}",
            format_macs(row["macs"]),
            f"{row['top1']:.1%}",
            str(row["pixels"]),
            *(f"{row[name]:.2f}" for name in FACTOR_NAMES),
            str(row["rank"]),
            f"{row['on_front']:.0%}" if "on_front" in row else "-",
        )
    console().print(table)


def _print_rule(rule: GPRule, rows: Sequence[dict[str, Any]]) -> None:
    from rich.table import Table

    print(f"\nRule: factors by c, fitted to {rule.follows}, with 95 % band ({rule.band_from}); * beyond these")
    table = Table("c", "r", "d_i", "d_m", "w", box=None, header_style="bold")
    for row in rows:
        cells = (f"{mean:.2f} ({low:.2f} to {high:.2f})" for mean, low, high in (row[name] for name in FACTOR_NAMES))
        table.add_row(f"{row['c']:.2f}{'*' if row['extrapolated'] else ''}", *cells)
    console().print(table)


def _print_recommendations(rows: Sequence[dict[str, Any]]) -> None:
    from rich.table import Table

    print("\nRecommendations (validation top-1 of one new training, 95 % interval)")
    table = Table(
        "budget", "MACs", "parameters", "px", "channels", "blocks", "layers", "top-1", box=None, header_style="bold"
    )
    for row in rows:
        if "error" in row:
            table.add_row(f"c = {row['c']:g}", row["error"])
            continue
        built, top1 = row["architecture"], row["top1"]
        lists = (" ".join(map(str, value)) for value in built.values() if isinstance(value, list))
        table.add_row(
            f"c = {row['c']:g}",
            format_macs(row["macs"]),
            format_macs(row["params"]),
            str(built["pixels"]),
            *lists,
            f"{top1['mean']:.1%} ({top1['low']:.1%} to {top1['high']:.1%})" if top1 else "-",
        )
    console().print(table)
