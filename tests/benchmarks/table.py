"""The rows as a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.benchmarks.measuring import Row, Unit

HEADER = ("what", "gpscale", "threads", "peer", "threads", "times as good", "rounds", "goal", "")


def as_markdown(machine: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """Return the table, and below it what it was measured on."""
    lines = [HEADER, ("---",) * len(HEADER), *(_cells(row) for row in rows)]
    table = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    footer = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in machine.items())
    return f"{table}\n\n{footer}."


def format_value(value: float, unit: Unit) -> str:
    """Write a measurement with three digits."""
    if unit == "1/s":
        return f"{float(f'{value:.3g}'):,.10g} /s"
    if unit in ("MiB", "GFLOP/s"):
        return f"{value:.3g} {unit}"
    return f"{value:.3g} s" if value >= 1 else f"{float(f'{1e3 * value:.3g}'):g} ms"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.what,
        f"{format_value(row.ours.value, row.unit)} ({row.ours.name})",
        row.ours.threads,
        f"{format_value(row.peer.value, row.unit)} ({row.peer.name})",
        row.peer.threads,
        f"{float(f'{row.ratio:.3g}'):,.10g}",
        str(row.rounds),
        row.goal.text if row.goal else "",
        {True: "reached", False: "missed", None: ""}[row.reached],
    )
