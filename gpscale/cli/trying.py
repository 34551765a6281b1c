"""The command that tries what each family can do."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence

import typer

from gpscale.cli.output import console, print_json
from gpscale.matrix import COLUMNS, COMPARED_IMAGES, IMAGES, PIXELS, Cell, try_families

_MARKS = {True: "", False: "FAILS: ", None: "not tried: "}


def matrix(families: Sequence[str], *, as_json: bool) -> None:
    """Print what each family can do; exit code 1 if anything fails."""
    rows = dict(try_families(families, _tell))
    if as_json:
        print_json(
            {name: {column: dataclasses.asdict(cell) for column, cell in row.items()} for name, row in rows.items()}
        )
    else:
        _print(rows)
    if any(cell.works is False for row in rows.values() for cell in row.values()):
        raise typer.Exit(1)


def _print(rows: dict[str, dict[str, Cell]]) -> None:
    from rich.table import Table

    table = Table("family", *COLUMNS, box=None, header_style="bold")
    for name, row in rows.items():
        table.add_row(name, *(f"{_MARKS[cell.works]}{cell.text}" for cell in row.values()))
    console().print(table)
    failures = sum(cell.works is False for row in rows.values() for cell in row.values())
    print(
        f"{failures or 'no'} failure{'' if failures == 1 else 's'}. Smallest stock model at {PIXELS} px. Count: closed "
        f"form, equal to torch's counter to the unit. Train: on {IMAGES} of scikit-learn's digits. ONNX: largest "
        f"difference of a logit from torch's, and the largest logit, on {COMPARED_IMAGES} digits, random weights. "
        "Bench: median of batch 1, one thread. Feature maps: their strides."
    )


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
