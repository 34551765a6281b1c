"""The command that compares families, and what others print of a comparison."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from gpscale.cli.executors import ExecutorOptions
from gpscale.cli.output import console, print_json
from gpscale.cli.progress import listener
from gpscale.cli.sweeping import failure_reasons, run_name
from gpscale.comparison.side_by_side import Comparison, ComparisonConfig, run_comparison
from gpscale.comparison.side_by_side.entries import Entry
from gpscale.comparison.side_by_side.foresight import Foresight, foresee
from gpscale.factors import FACTOR_NAMES, FACTOR_SYMBOLS
from gpscale.report.comparison_card import (
    DIFFERENCES,
    cells,
    difference_row,
    failure_lines,
    header,
    missing_lines,
    ranked,
    write_comparison_card,
)
from gpscale.run_dir import RunDir
from gpscale.units import format_macs

_ON_FRONT = "*"


def compare(
    file: Path,
    overrides: Sequence[str],
    name: str | None,
    runs: Path,
    where: ExecutorOptions,
    retry: Sequence[str],
    *,
    as_json: bool,
) -> None:
    """Train, time and tabulate with progress, then print the tables; exit code 1 if no training has finished."""
    reasons = failure_reasons(retry)
    config = ComparisonConfig.load(file, overrides)
    run = RunDir(runs / run_name(name or file.stem))
    with where.make() as executor, listener(as_json=as_json, workers=lambda: executor.workers) as progress:
        comparison = run_comparison(
            config,
            run,
            executor,
            retry=reasons,
            on_plan=progress.plan,
            on_event=progress.event,
            on_results=write_comparison_card,
            tell=_tell,
        )
    show(comparison, as_json=as_json)
    if comparison.table["top1"].isna().all():
        _tell("no training has finished, so there is nothing to compare; --retry REASON runs those that failed again")
        raise typer.Exit(1)


def dry_run(
    file: Path, overrides: Sequence[str], name: str | None, runs: Path, where: ExecutorOptions, *, as_json: bool
) -> None:
    """Print what would be built for each entrant and budget, and what that takes; write nothing."""
    config = ComparisonConfig.load(file, overrides)
    found = foresee(config, RunDir(runs / run_name(name or file.stem)), where.certain_workers())
    if as_json:
        print_json({**dataclasses.asdict(found), "pending": found.pending})
        return
    for budget in config.budgets:
        _print_plan(budget, [entry for entry in found.entries if entry.budget == budget])
    _print_effort(found, config)


def show(comparison: Comparison, *, as_json: bool) -> None:
    """Print the tables of a comparison."""
    if as_json:
        print_json(
            {
                "name": comparison.name,
                "rows": json_rows(comparison.table),
                "differences": json_rows(comparison.differences),
                "added": comparison.note_on_additions,
                "failures": json_rows(comparison.failures),
                "timings": comparison.timings,
            }
        )
        return
    from rich.table import Table

    for budget in comparison.config.budgets:
        print(f"\n{format_macs(budget)} MACs, top-1 and top-5 of the test images (95 % interval over seeds)")
        found = Table("", *header(comparison), box=None, header_style="bold")
        for row in ranked(comparison, budget):
            found.add_row(_ON_FRONT if row["front"] else "", *cells(row, by_processor=comparison.by_processor))
        console().print(found)
        for line in missing_lines(comparison, budget):
            print(line)
    print(f"\n{_ON_FRONT} on the front: no other model of any budget has both fewer MACs and a higher top-1")
    if comparison.note_on_times:
        print(comparison.note_on_times)
    _print_differences(comparison)
    if comparison.note_on_additions:
        print(comparison.note_on_additions)
    if failed := failure_lines(comparison):
        print("\nfailed trainings:")
        for line in failed:
            print(f"  {line}")
    path = comparison.run.path
    print(f"\ncard: {comparison.run.card_file}\ntables: {path}/comparison.csv, trainings.csv, differences.csv")


def status(comparison: Comparison, *, as_json: bool) -> None:
    """Print how far a comparison is."""
    values = comparison.status()
    if as_json:
        print_json(values)
        return
    pending = values["planned"] - values["finished"] - values["failed"]
    budgets = ", ".join(map(format_macs, values["budgets"]))
    print(
        f"{values['comparison']}: {len(values['entrants'])} entrants at {budgets} MACs, {values['planned']} trainings "
        f"planned: {values['finished']} finished, {values['failed']} failed, {pending} to do"
    )
    print("a comparison is running here" if values["running"] else "no comparison is running here")
    for line in failure_lines(comparison):
        print(f"failed {line}")
    for best in values["best"]:
        seeds = f"{best['seeds']} seed{'s' if best['seeds'] > 1 else ''}"
        print(f"best at {format_macs(best['budget'])} so far: {best['entrant']}, top-1 {best['top1']:.1%} ({seeds})")


def _print_plan(budget: int, entries: Sequence[Entry]) -> None:
    from rich.table import Table

    print(f"\n{format_macs(budget)} MACs")
    found = Table("model", "from", "MACs", "left", "parameters", "px", *FACTOR_SYMBOLS.values(), box=None)
    for entry in entries:
        if not entry.missing:
            found.add_row(
                entry.entrant,
                entry.base,
                format_macs(entry.macs),
                f"{1 - entry.macs / budget:.1%}",
                format_macs(entry.params),
                str(entry.architecture["pixels"]),
                *(f"{entry.factors[name]:.2f}" for name in FACTOR_NAMES),
            )
    console().print(found)
    for entry in entries:
        if entry.missing:
            print(f"{entry.entrant}: n/a: {entry.missing}")


def _print_effort(found: Foresight, config: ComparisonConfig) -> None:
    epochs = config.recipe.epochs
    print(
        f"\n{found.models} models, {config.seeds} seed{'s' if config.seeds > 1 else ''} each, {epochs} "
        f"epoch{'s' if epochs > 1 else ''}: {found.trainings} trainings, {found.done} done, "
        f"{found.pending} to do"
    )
    if found.pending and found.seconds is not None:
        print(
            f"estimated time: {found.seconds / 60:.1f} minutes with {found.workers} worker"
            f"{'s' if found.workers > 1 else ''}, from the trainings that have ended"
        )
    if found.added:
        print(found.added)


def _print_differences(comparison: Comparison) -> None:
    if comparison.differences.empty:
        return
    from rich.table import Table

    print(
        f"\n{comparison.first} less the others, same seeds and test images (95 % interval over both; that by seed "
        "takes nothing as independent between budgets)"
    )
    found = Table(*DIFFERENCES, box=None, header_style="bold")
    # those at single budgets, which only describe, are on the card
    for row in _records(comparison.differences[comparison.differences["budget"] == 0]):
        found.add_row(*difference_row(row, comparison))
    console().print(found)


def _records(frame: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = frame.to_dict("records")
    return found


def json_rows(frame: Any) -> list[dict[str, Any]]:
    """Return the rows of a data frame as JSON values; NaN, which is none, is None."""
    return _records(frame.astype(object).where(frame.notna(), None))


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
