"""Commands to begin with: a starter sweep file, its schema, what is installed, which studies there are."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpscale.cli.output import console, print_json

if TYPE_CHECKING:
    from gpscale.comparison.comparison_list import ComparisonEntry
    from gpscale.run_dir import RunDir


def init(data: Path | None, base: str | None, output: Path | None, *, as_json: bool) -> None:
    """Write a starter sweep file and print what it was made from."""
    from gpscale.sweep.starter import starter, write_starter

    made = starter(data, base)
    written = write_starter(made, output or Path(f"{data.resolve().name if data else 'digits'}.yaml"))
    if as_json:
        images = {**dataclasses.asdict(made.images), "short_sides": made.images.short_sides}
        print_json({"files": [str(file) for file in written], "base": made.config.base, "images": images})
        return
    low, middle, high = made.images.short_sides
    print(
        f"{made.images.train_images:,} images to train, {made.images.validation_images:,} to validate, "
        f"{len(made.images.classes)} classes; shorter sides {low} to {high} px (median {middle})"
    )
    cap = made.config.data.train_images
    print(
        f"base {made.config.base}, {made.config.trials} trials of {made.config.recipe.epochs} epochs"
        f"{f' on {cap:,} of the images' if cap else ''}"
    )
    print(f"wrote {' and '.join(map(str, written))}; next: gpscale sweep {written[0]} --dry-run")


def schema() -> None:
    """Print the JSON schema of the sweep file."""
    from gpscale.sweep.schema import schema_text

    print(schema_text(), end="")


def info(*, as_json: bool) -> None:
    """Print what trials run on here."""
    from gpscale.execution.machine import describe_machine

    found = describe_machine()
    if as_json:
        print_json(found)
        return
    cores, cards = found["cores"], ", ".join(found["cards"])
    rows = {
        **found["packages"],
        "python": found["python"],
        "system": f"{found['system']}, {found['c_library'] or 'C library unknown'}",
        "cpu": f"{found['cpu']}, {cores['usable']} of {cores['all']} cores usable",
        "memory": f"{found['memory'] / 2**30:.1f} GiB, huge pages {found['huge_pages'] or 'unknown'}",
        "device": f"{found['device']}{f' ({cards})' if cards else ''}",
        "threads": f"{found['threads']} of torch in this process, 1 in each worker",
        "set here": _pairs(found["environment"]),
        "set in workers": _pairs(found["worker_environment"]),
    }
    for name, value in rows.items():
        print(f"{name:<16}{value}")


def studies(name: str | None, runs: Path | None, *, as_json: bool) -> None:
    """Print all studies and comparisons, or the card of one."""
    if name is not None:
        _card(name, runs, as_json=as_json)
        return
    from gpscale.comparison.comparison_list import list_comparisons
    from gpscale.study_list import list_studies

    entries, comparisons = list_studies(runs or Path("runs")), list_comparisons(runs or Path("runs"))
    if as_json:
        print_json(
            [
                *({"kind": "study", **dataclasses.asdict(entry), "verdict": entry.verdict} for entry in entries),
                *({"kind": "comparison", **dataclasses.asdict(entry)} for entry in comparisons),
            ]
        )
        return
    from rich.table import Table

    table = Table("study", "base", "images", "trials", "c", "fidelity", "top-1 surface", box=None, header_style="bold")
    for entry in entries:
        known = not entry.damage
        table.add_row(
            entry.name,
            entry.base,
            f"{entry.images} {entry.train_images:,} + {entry.validation_images:,}" if known else "",
            f"{entry.ended}/{entry.planned}" if known else "",
            f"{entry.c_range[0]:.2f} to {entry.c_range[1]:.2f}" if entry.c_range else "",
            "" if entry.fidelity is None else f"tau {entry.fidelity:.2f}",
            entry.verdict,
        )
    console().print(table)
    print("images: source, to train + to validate; c: MACs over the base's. One study's card: gpscale studies NAME")
    if comparisons:
        _print_comparisons(comparisons)


def _print_comparisons(entries: Sequence[ComparisonEntry]) -> None:
    from rich.table import Table

    from gpscale.units import format_macs

    print()
    table = Table("comparison", "images", "entrants", "budgets", "trainings", box=None, header_style="bold")
    for entry in entries:
        table.add_row(
            entry.name,
            entry.damage or f"{entry.images} {entry.train_images:,} + {entry.test_images:,}",
            str(entry.entrants or ""),
            ", ".join(map(format_macs, entry.budgets)),
            f"{entry.ended}/{entry.planned}" if entry.planned else "",
        )
    console().print(table)
    print("images: source, to train + to test. One comparison's card: gpscale studies NAME")


def _card(name: str, runs: Path | None, *, as_json: bool) -> None:
    from gpscale.comparison.comparison_list import find_comparison
    from gpscale.run_dir import RunDir, find_study

    # a directory that was asked for comes before what ships
    own = RunDir(runs / name) if runs is not None else None
    if own is not None and own.sweep_file.is_file():
        _study(own, as_json=as_json)
        return
    comparison = (find_comparison(own.path) if own is not None else None) or find_comparison(name)
    if comparison is not None:
        _comparison(comparison, as_json=as_json)
    else:
        _study(find_study(name), as_json=as_json)


def _comparison(run: RunDir, *, as_json: bool) -> None:
    from gpscale.cli import side_by_side
    from gpscale.comparison.side_by_side import Comparison

    card = run.card_file.read_text() if run.card_file.exists() else None
    comparison = Comparison(run)
    if as_json:
        print_json(
            {
                "comparison": run.name,
                "path": str(run.path),
                "card": card,
                "rows": side_by_side.json_rows(comparison.table),
            }
        )
    elif card is not None:
        _print_markdown(card)
    else:
        side_by_side.status(comparison, as_json=False)


def _study(run: RunDir, *, as_json: bool) -> None:
    from gpscale.study import Study

    card = run.card_file.read_text() if run.card_file.exists() else None
    if as_json:
        summary = Study(run).summary() if run.study_file.exists() else None
        print_json({"study": run.name, "path": str(run.path), "card": card, "summary": summary})
    elif card is not None:
        _print_markdown(card)
    elif run.study_file.exists():
        from gpscale.cli.sweeping import show_study

        show_study(Study(run), as_json=False)
    else:
        from gpscale.cli.show import status

        status(run.reference, as_json=False)


def _print_markdown(text: str) -> None:
    """Print Markdown: laid out on a terminal, as it is elsewhere."""
    screen = console()
    if screen.is_terminal:
        from rich.markdown import Markdown

        screen.print(Markdown(text))
    else:
        print(text, end="")


def _pairs(values: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items()) or "nothing"
