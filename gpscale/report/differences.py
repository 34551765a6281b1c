"""Rows of paired differences, the same in validations and comparisons."""

from __future__ import annotations

from typing import Any

import pandas as pd

from gpscale.units import format_macs

DIFFERENCE_COLUMNS = (
    "budget", "points of test top-1", "interval by seed", "p", "p, corrected", "won, tied, lost", "verdict",
)  # fmt: skip
"""Titles of the columns after that of the other side."""
HOW_SURE = (
    "Intervals are 95 %, over seeds and test images. An interval takes the luck of a seed as independent between "
    "budgets. The one by seed does not: it is of each seed's mean over the budgets, known where every seed has every "
    "budget. Where it says something else than the verdict does, the verdict rests on that independence."
)


def difference_cells(row: dict[str, Any], seeds: int) -> list[str]:
    """Return the cells of a difference, in the order of `DIFFERENCE_COLUMNS`.

    Args:
        row: Of a table of differences.
        seeds: How many seeds were to be trained.
    """
    known = not pd.isna(row["low"])
    unknown = "one seed" if seeds == 1 else "a budget has one pair alone"
    ends, by_seed = (_ends(row[f"low{kind}"], row[f"high{kind}"]) for kind in ("", "_by_seed"))
    return [
        format_macs(row["budget"]) if row["budget"] else "all",
        f"{100 * row['mean']:+.2f}" + (f" ({ends})" if ends else ""),
        by_seed or "-",
        f"{row['p_value']:.2g}" if known else "-",
        "-" if pd.isna(row["p_corrected"]) else f"{row['p_corrected']:.2g}",
        f"{row['wins']}, {row['ties']}, {row['losses']}",
        (row["verdict"] or "-") if known else unknown,
    ]


def _ends(low: float, high: float) -> str:
    return "" if pd.isna(low) else f"{100 * low:+.2f} to {100 * high:+.2f}"
