"""A comparison's results: one row a training, and one row an entrant and budget."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gpscale.comparison.seed_intervals import SeedIntervals
from gpscale.comparison.side_by_side.entries import Entry
from gpscale.comparison.side_by_side.settings import ComparisonConfig
from gpscale.errors import RunDirError
from gpscale.factors import FACTOR_NAMES
from gpscale.run_dir import RunDir, read_stored
from gpscale.trial import TrialRecord, architecture_key

SETTINGS_FILE, ENTRIES_FILE, TIMINGS_FILE = "comparison.yaml", "entries.json", "timings.json"

ACCURACIES = ("test_top1", "test_top5", "top1", "top5")
"""Of a training: on the test images, and on the validation images."""
TIMES = ("latency_ms", "latency_p90_ms", "images_per_second", "latency_cpu_ms", "images_per_cpu_second")
"""Of a model: of wall time, and of processor time."""


class Comparison:
    """What a run directory of a comparison holds, however far it has come.

    Attributes:
        run: The run directory.

    Raises:
        RunDirError: It holds no comparison.

    Example:
        >>> Comparison(RunDir("runs/absent"))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        gpscale.errors.RunDirError: A comparison's run directory must hold comparison.yaml. ...
    """

    def __init__(self, run: RunDir) -> None:
        self.run = run
        if not self.settings_file_of(run).exists():
            raise RunDirError(
                f"A comparison's run directory must hold {SETTINGS_FILE}. Got {run.path}, which does not. Run "
                "`gpscale compare` on a comparison file first."
            )

    @staticmethod
    def settings_file_of(run: RunDir) -> Path:
        """Return where a run directory has the comparison file with all its defaults."""
        return run.path / SETTINGS_FILE

    @staticmethod
    def entries_file_of(run: RunDir) -> Path:
        """Return where a run directory has what is built for each entrant and budget."""
        return run.path / ENTRIES_FILE

    @staticmethod
    def timings_file_of(run: RunDir) -> Path:
        """Return where a run directory has the timings of what is built."""
        return run.path / TIMINGS_FILE

    @property
    def name(self) -> str:
        """The run directory's name."""
        return self.run.name

    @functools.cached_property
    def config(self) -> ComparisonConfig:
        """What was asked for."""
        return ComparisonConfig.load(self.settings_file_of(self.run))

    @functools.cached_property
    def entries(self) -> list[Entry]:
        """What is built for each entrant and budget."""
        return read_entries(self.run)

    @functools.cached_property
    def images(self) -> Mapping[str, Any]:
        """What was recorded of the images."""
        return self.run.described_images()

    @property
    def num_classes(self) -> int:
        """Outputs of the classifiers."""
        return len(self.images["classes"])

    @functools.cached_property
    def timings(self) -> dict[str, Any] | None:
        """Protocols, conditions and one row a model; None where nothing was timed."""
        return read_timings(self.run) if self.timings_file_of(self.run).exists() else None

    @property
    def note_on_times(self) -> str:
        """What to know of the timings if others used the cores meanwhile; else empty."""
        if self.timings is None or not self.timings.get("cores_shared", False):
            return ""
        return (
            "The cores were shared while the models were timed, and long runs wait more often than short ones: compare "
            "models by `latency_cpu_ms` and `images_per_cpu_second` in comparison.csv."
        )

    @functools.cached_property
    def records(self) -> list[TrialRecord]:
        """The records of all trainings that have ended."""
        return list(self.run.records())

    @functools.cached_property
    def trainings(self) -> pd.DataFrame:
        """One row a training that has ended: entrant, budget, seed, accuracies (fractions), reason of a failure."""
        by_model: dict[tuple[str, str], list[TrialRecord]] = {}
        for record in self.records:
            by_model.setdefault(_model_of(record.trial.family, record.trial.architecture), []).append(record)
        rows = [
            {
                "entrant": entry.entrant,
                "budget": entry.budget,
                "seed": record.trial.seed,
                "trial": record.id,
                **{name: getattr(record.result, name, np.nan) for name in ACCURACIES},
                "reason": str(record.failure) if record.failure else "",
            }
            for entry in self.entries
            for record in sorted(
                by_model.get(_model_of(entry.family, entry.architecture), ()), key=lambda one: one.trial.seed
            )
        ]
        return pd.DataFrame(rows, columns=["entrant", "budget", "seed", "trial", *ACCURACIES, "reason"])

    @functools.cached_property
    def table(self) -> pd.DataFrame:
        """One row an entrant and budget, in the order of the comparison file.

        Columns: what is built; `gap`, the share of the budget that is left; `seeds` that have finished; mean `top1` and
        `top5` of the test images with the ends of their 95 % intervals, fractions; times; `front` and `latency_front`,
        whether no other row of its kind is both cheaper and better. Rows that use their budget are equally cheap.
        """
        return summarise(self.entries, self.trainings, self.timings, self.config.least_share)


def read_entries(run: RunDir) -> list[Entry]:
    """Read what the comparison of a run directory builds for each entrant and budget.

    Raises:
        RunDirError: It is absent or damaged.
    """
    return read_stored(
        Comparison.entries_file_of(run),
        "what a comparison builds",
        lambda entries: [Entry(**values) for values in entries],
    )


def read_timings(run: RunDir) -> dict[str, Any]:
    """Read the timings of a comparison, as `Comparison.timings` has them.

    Raises:
        RunDirError: They are absent or damaged.
    """
    # without its models nothing is timed
    return read_stored(
        Comparison.timings_file_of(run), "timings", lambda stored: {**stored, "models": dict(stored["models"])}
    )


def summarise(
    entries: list[Entry], trainings: pd.DataFrame, timings: Mapping[str, Any] | None, least_share: float
) -> pd.DataFrame:
    """Return `Comparison.table`."""
    finished = trainings[trainings["test_top1"].notna()]
    # entrants that build the same model share its trainings, which count once
    models = [group for _, group in finished.groupby(["entrant", "budget"], sort=False)]
    distinct = {tuple(group["trial"]): group for group in models}.values()
    intervals = {
        name: SeedIntervals.of([group[f"test_{name}"].to_numpy(dtype=float) for group in distinct])
        for name in ("top1", "top5")
    }
    timed = {} if timings is None else timings["models"]
    rows = []
    for entry in entries:
        own = finished[(finished["entrant"] == entry.entrant) & (finished["budget"] == entry.budget)]
        row: dict[str, Any] = {
            "entrant": entry.entrant,
            "budget": entry.budget,
            "family": entry.family,
            "base": entry.base,
            "pixels": entry.architecture.get("pixels"),
            "macs": entry.macs or np.nan,
            "gap": 1 - entry.macs / entry.budget if entry.macs else np.nan,
            "params": entry.params or np.nan,
            **{name: entry.factors.get(name, np.nan) for name in FACTOR_NAMES},
            "seeds": len(own),
        }
        for name, found in intervals.items():
            mean, low, high = found.around(own[f"test_{name}"].to_numpy(dtype=float))
            row |= {name: mean, f"{name}_low": low, f"{name}_high": high}
        model = "" if entry.missing else entry.model.name
        row |= dict.fromkeys(TIMES, np.nan) | timed.get(model, {})
        rows.append({**row, "missing": entry.missing})
    table = pd.DataFrame(rows)
    # the few per cent that a model leaves of a budget are chance, not thrift
    macs = table["budget"].where(table["macs"] >= least_share * table["budget"], table["macs"])
    for name, cost in (("front", macs), ("latency_front", table["latency_ms"])):
        table[name] = _is_on_front(cost.to_numpy(dtype=float), table["top1"].to_numpy(dtype=float))
    return table


def _is_on_front(cost: np.ndarray[Any, Any], top1: np.ndarray[Any, Any]) -> list[bool]:
    """Say of each row whether no other is as good and as cheap, and better in one of the two."""
    return [
        bool(
            np.isfinite(own_cost + own)
            and not (((cost <= own_cost) & (top1 > own)) | ((cost < own_cost) & (top1 >= own))).any()
        )
        for own_cost, own in zip(cost, top1, strict=True)
    ]


def _model_of(family: str, architecture: Mapping[str, Any]) -> tuple[str, str]:
    return family, architecture_key(architecture)
