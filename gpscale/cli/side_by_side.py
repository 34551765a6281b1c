"""The command that compares families."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from gpscale.cli.executors import ExecutorOptions
from gpscale.cli.output import console, print_json
from gpscale.cli.progress import listener
from gpscale.cli.sweeping import failure_reasons, run_name
from gpscale.comparison.side_by_side import Comparison, ComparisonConfig, run_comparison
from gpscale.comparison.side_by_side.running import check
from gpscale.report.comparison_card import HEADER, cells, ranked, write_comparison_card
from gpscale.run_dir import RunDir
from gpscale.units import format_macs


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
    """Train, time and tabulate with progress, then print the tables."""
    reasons = failure_reasons(retry)
    config = ComparisonConfig.load(file, overrides)
    run = RunDir(runs / run_name(name or file.stem))
    with where.make() as executor, listener(as_json=as_json, workers=lambda: executor.workers) as progress:
        comparison = run_comparison(
            config, run, executor, retry=reasons, on_plan=progress.plan, on_event=progress.event, tell=_tell
        )
    write_comparison_card(comparison)
    show(comparison, as_json=as_json)


def dry_run(file: Path, overrides: Sequence[str], name: str | None, runs: Path, *, as_json: bool) -> None:
    """Print what would be built for each entrant and budget; write nothing."""
    config = ComparisonConfig.load(file, overrides)
    entries = check(config, RunDir(runs / run_name(name or file.stem)))
    if as_json:
        import dataclasses

        print_json([dataclasses.asdict(entry) for entry in entries])
        return
    from rich.table import Table

    from gpscale.factors import FACTOR_NAMES, FACTOR_SYMBOLS

    for budget in config.budgets:
        print(f"\n{format_macs(budget)} MACs")
        table = Table("model", "from", "MACs", "left", "parameters", "px", *FACTOR_SYMBOLS.values(), box=None)
        for entry in (one for one in entries if one.budget == budget):
            if entry.missing:
                table.add_row(entry.entrant, f"n/a: {entry.missing}")
                continue
            table.add_row(
                entry.entrant,
                entry.base,
                format_macs(entry.macs),
                f"{1 - entry.macs / budget:.1%}",
                format_macs(entry.params),
                str(entry.architecture["pixels"]),
                *(f"{entry.factors[name]:.2f}" for name in FACTOR_NAMES),
            )
        console().print(table)
    print(f"\n{config.seeds} seeds each, {config.recipe.epochs} epochs")


def show(comparison: Comparison, *, as_json: bool) -> None:
    """Print the tables of a comparison."""
    if as_json:
        # NaN is no JSON
        rows = comparison.table.astype(object).where(comparison.table.notna(), None).to_dict("records")
        print_json({"name": comparison.name, "rows": rows, "timings": comparison.timings})
        return
    from rich.table import Table

    for budget in comparison.config.budgets:
        print(f"\n{format_macs(budget)} MACs, top-1 and top-5 of the test images (95 % interval over seeds)")
        table = Table(*HEADER, box=None, header_style="bold")
        for row in ranked(comparison.table[comparison.table["budget"] == budget]):
            table.add_row(*(cell.replace("**", "") for cell in cells(row)))
        console().print(table)
    if comparison.note_on_times:
        print(f"\n{comparison.note_on_times}")
    print(f"\ncard: {comparison.run.card_file}\ntables: {comparison.run.path}/comparison.csv, trainings.csv")


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
