"""The table of differences: ours less each other, over all budgets and at each."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from gpscale.comparison.validation.evidence import Arm, difference, holm

_COLUMNS = [
    "budget", "ours", "theirs", "budgets", "trainings", "mean", "low", "high", "low_by_seed", "high_by_seed",
    "p_value", "p_corrected", "wins", "ties", "losses", "coinciding", "verdict",
]  # fmt: skip


def difference_table(
    ours: str, others: Sequence[str], judged: Mapping[str, Arm], arms: Mapping[str, Arm], primary: str = ""
) -> pd.DataFrame:
    """Return one row for each other arm, over all budgets (`budget` 0), and then at each, where there are several.

    Args:
        ours: The arm that the others are compared with.
        others: The others, in the order of the rows.
        judged: By arm, the trainings that were asked for before any result was seen: rows over all budgets are of
            these alone.
        arms: By arm, all trainings, which rows at single budgets are of.
        primary: The one of the others whose p-value needs no correction; empty where there is none.

    Returns:
        Columns as the fields of `Difference`; `p_corrected`, for the number of comparisons (Holm), and `verdict` of
        those over all budgets.
    """
    pooled = [found for other in others if (found := difference(ours, other, judged)) is not None]
    secondary = [found for found in pooled if found.theirs != primary]
    corrected = dict(
        zip((found.theirs for found in secondary), holm([found.p_value for found in secondary]), strict=True)
    )
    rows: list[dict[str, Any]] = []
    for found in pooled:
        p_value = corrected.get(found.theirs, math.nan)
        rows.append(
            {"budget": 0, **dataclasses.asdict(found), "p_corrected": p_value, "verdict": found.verdict_at(p_value)}
        )
    budgets = sorted({budget for arm in arms.values() for budget, _ in arm})
    # one budget is not told twice
    told = len(budgets) < 2 and all(arms[name].keys() == arm.keys() for name, arm in judged.items())
    for budget in [] if told else budgets:
        here = {name: {key: hits for key, hits in arm.items() if key[0] == budget} for name, arm in arms.items()}
        # so many comparisons would find something by chance: they describe, and judge nothing
        rows += [
            {"budget": budget, **dataclasses.asdict(found), "p_corrected": math.nan, "verdict": ""}
            for other in others
            if (found := difference(ours, other, here)) is not None
        ]
    return pd.DataFrame(rows, columns=_COLUMNS)
