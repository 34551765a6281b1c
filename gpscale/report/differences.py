"""Rows of paired differences, the same in validations and comparisons."""

from __future__ import annotations

from typing import Any

import pandas as pd

from gpscale.units import format_macs

DIFFERENCE_COLUMNS = ("budget", "points of test top-1", "p", "p, corrected", "won, tied, lost", "verdict")
"""Titles of the columns after that of the other side."""


def difference_cells(row: dict[str, Any]) -> list[str]:
    """Return the cells of a difference, in the order of `DIFFERENCE_COLUMNS`."""
    known = not pd.isna(row["low"])
    ends = f" ({100 * row['low']:+.2f} to {100 * row['high']:+.2f})" if known else ""
    return [
        format_macs(row["budget"]) if row["budget"] else "all",
        f"{100 * row['mean']:+.2f}{ends}",
        f"{row['p_value']:.2g}" if known else "-",
        "-" if pd.isna(row["p_corrected"]) else f"{row['p_corrected']:.2g}",
        f"{row['wins']}, {row['ties']}, {row['losses']}",
        (row["verdict"] or "-") if known else "one seed",
    ]
