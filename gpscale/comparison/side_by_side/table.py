"""What the trainings of a comparison say: one row an entrant and budget, and the first entrant less each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gpscale.comparison.seed_intervals import SeedIntervals
from gpscale.comparison.side_by_side.entries import Entry
from gpscale.factors import FACTOR_NAMES
from gpscale.units import format_macs

WALL_TIMES = ("latency_ms", "latency_p90_ms", "images_per_second")
PROCESSOR_TIMES = ("latency_cpu_ms", "images_per_cpu_second")


def summarise(
    entries: Sequence[Entry], trainings: pd.DataFrame, timings: Mapping[str, Any] | None, least_share: float
) -> pd.DataFrame:
    """Return `Comparison.table`.

    Args:
        entries: What is built.
        trainings: As `Comparison.trainings`.
        timings: As `Comparison.timings`.
        least_share: A model with at least this share of its budget uses it.
    """
    finished = trainings[trainings["test_top1"].notna()]
    intervals = {name: seed_intervals(finished, f"test_{name}") for name in ("top1", "top5")}
    timed = {} if timings is None else timings["models"]
    same = _same_models(entries)
    rows = []
    for entry in entries:
        own = finished[(finished["entrant"] == entry.entrant) & (finished["budget"] == entry.budget)]
        row: dict[str, Any] = {
            "entrant": entry.entrant,
            "budget": entry.budget,
            "family": entry.family,
            "from": entry.base,
            **{name: entry.factors.get(name, np.nan) for name in FACTOR_NAMES},
            "pixels": entry.architecture.get("pixels"),
            "macs": entry.macs or np.nan,
            "gap": 1 - entry.macs / entry.budget if entry.macs else np.nan,
            "params": entry.params or np.nan,
            "same_as": same[entry.key],
            "seeds": len(own),
        }
        for name, found in intervals.items():
            mean, low, high = found.around(own[f"test_{name}"].to_numpy(dtype=float))
            # Student's t knows nothing of the ends of an accuracy
            row |= {name: mean, f"{name}_low": np.maximum(low, 0.0), f"{name}_high": np.minimum(high, 1.0)}
        row |= dict.fromkeys((*WALL_TIMES, *PROCESSOR_TIMES), np.nan) | timed.get(entry.model_key, {})
        rows.append({**row, "missing": entry.missing})
    table = pd.DataFrame(rows)
    # the few per cent that a model leaves of a budget are chance, not thrift
    macs = table["budget"].where(table["macs"] >= least_share * table["budget"], table["macs"])
    for name, cost in (("front", macs), ("latency_front", table[latency_column(timings)])):
        table[name] = _is_on_front(cost.to_numpy(dtype=float), table["top1"].to_numpy(dtype=float))
    return table


def seed_intervals(finished: pd.DataFrame, outcome: str) -> SeedIntervals:
    """Pool the spread between the seeds of each model; entrants that build the same one share it."""
    distinct = finished.drop_duplicates("trial")
    return SeedIntervals.of(
        [group[outcome].to_numpy(dtype=float) for _, group in distinct.groupby(["entrant", "budget"], sort=False)]
    )


def latency_column(timings: Mapping[str, Any] | None) -> str:
    """Return which time ranks models: that of the processor where others used the cores meanwhile."""
    return "latency_cpu_ms" if timings is not None and timings.get("cores_shared") else "latency_ms"


def _same_models(entries: Sequence[Entry]) -> dict[tuple[str, int], str]:
    """Say of each entry which earlier one builds the same model; empty where none does."""
    first: dict[str, Entry] = {}
    same: dict[tuple[str, int], str] = {}
    for entry in entries:
        other = entry if entry.missing else first.setdefault(entry.model_key, entry)
        place = "" if other.budget == entry.budget else f" at {format_macs(other.budget)}"
        same[entry.key] = "" if other is entry else f"{other.entrant}{place}"
    return same


def _is_on_front(cost: np.ndarray[Any, Any], top1: np.ndarray[Any, Any]) -> list[bool]:
    """Say of each row whether no other is as good and as cheap, and better in one of the two."""
    return [
        bool(
            np.isfinite(own_cost + own)
            and not (((cost <= own_cost) & (top1 > own)) | ((cost < own_cost) & (top1 >= own))).any()
        )
        for own_cost, own in zip(cost, top1, strict=True)
    ]
