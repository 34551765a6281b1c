"""The command that trains some trials for longer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gpscale.cli.executors import ONE_AT_A_TIME, ExecutorOptions
from gpscale.cli.output import console, print_json
from gpscale.cli.progress import listener
from gpscale.cli.sweeping import failure_reasons
from gpscale.comparison.fidelity import choose, run_fidelity
from gpscale.execution import LocalExecutor
from gpscale.report.card import write_card
from gpscale.run_dir import find_own_run, find_study


def fidelity(
    run: str,
    trials: int,
    factor: int,
    workers: int | None,
    overrides: Sequence[str],
    retry: Sequence[str],
    *,
    as_json: bool,
) -> None:
    """Train some of a study's trials for longer, then print how the rankings compare."""
    reasons = failure_reasons(retry)
    directory = find_own_run(run)
    executor = LocalExecutor(workers=workers)
    with listener(as_json=as_json, workers=lambda: executor.workers) as progress:
        study = run_fidelity(
            directory,
            executor,
            trials=trials,
            factor=factor,
            overrides=overrides,
            retry=reasons,
            on_plan=progress.plan,
            on_event=progress.event,
        )
    # a sweep that is still too short to fit may be checked too
    if study.run.study_file.exists():
        write_card(study)
    assert study.fidelity is not None
    if as_json:
        print_json(study.fidelity)
    else:
        _print(study.fidelity)


def dry_run(run: str, trials: int, factor: int, workers: int | None, *, as_json: bool) -> None:
    """Print which trials would be trained for longer and about how long that takes; write nothing."""
    directory = find_study(run)
    chosen = choose(directory, trials, factor)
    where = ExecutorOptions(workers=workers)
    at_once = where.certain_workers()
    costs = [0.0 if directory.fidelity.record(one.trial.id) else factor * one.seconds for one in chosen]
    seconds = max(*costs, sum(costs) / at_once)
    if as_json:
        rows = [{"id": one.short_id, "c": one.c, "depth": one.depth, "seconds": one.seconds} for one in chosen]
        print_json({"trials": rows, "workers": at_once, "seconds": seconds})
        return
    for one in chosen:
        print(f"{one.short_id}  c = {one.c:.3f}, depth {one.depth}, {one.trial.recipe['epochs']} epochs")
    print(
        f"estimated time: {seconds / 60:.1f} minutes with {at_once} worker{'s' if at_once > 1 else ''}, {factor} "
        "times what the short trainings took where they ran"
    )
    if where.shares_card:
        print(ONE_AT_A_TIME)


def _print(values: Mapping[str, Any]) -> None:
    from rich.table import Table

    table = Table(
        "trial",
        "c",
        "depth",
        f"top-1, {values['epochs']} epochs",
        f"top-1, {values['long_epochs']} epochs",
        box=None,
        header_style="bold",
    )
    for row in sorted(values["trials"], key=lambda row: row["c"]):
        long = f"{row['long_top1']:.1%}" if row["long_top1"] is not None else row["reason"] or row["state"]
        table.add_row(row["id"], f"{row['c']:.3f}", str(row["depth"]), f"{row['top1']:.1%}", long)
    console().print(table)
    print(values["verdict"])
