"""A comparison's results: one row a training, one row an entrant and budget, and what the differences between are."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gpscale.comparison.comparison_list import ENTRIES_FILE, SETTINGS_FILE
from gpscale.comparison.side_by_side.begun import Begun, read_begun
from gpscale.comparison.side_by_side.entries import Entry, model_key
from gpscale.comparison.side_by_side.settings import ComparisonConfig
from gpscale.comparison.side_by_side.table import latency_column, summarise
from gpscale.comparison.validation.differences import difference_table
from gpscale.comparison.validation.evidence import Arm, Hits
from gpscale.errors import RunDirError
from gpscale.run_dir import RunDir
from gpscale.stored import read_stored
from gpscale.training.test_hits import read_test_hits
from gpscale.trial import TrialRecord

TIMINGS_FILE = "timings.json"

ACCURACIES = ("test_top1", "test_top5", "top1", "top5")
"""Of a training: on the test images, and on the validation images."""
_TRAINING_COLUMNS = [
    "entrant", "budget", "seed", "trial", "judged", "test_images", "top1_hits", "top5_hits", *ACCURACIES,
    "reason", "detail",
]  # fmt: skip


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

    @property
    def entrants(self) -> list[str]:
        """What the entrants are called, in the order of the comparison file."""
        return list(dict.fromkeys(entry.entrant for entry in self.entries))

    @property
    def first(self) -> str:
        """The entrant that the file names first, with which the others are compared."""
        return self.entries[0].entrant

    @functools.cached_property
    def judged(self) -> Begun:
        """What was asked for before any result was seen: its budgets and seeds alone decide verdicts."""
        return read_begun(self.run) or Begun.of(self.config)

    @property
    def judged_seeds(self) -> list[int]:
        """The seeds that decide verdicts, without those that were left out later."""
        return [seed for seed in self.config.seed_range if seed in self.judged.seed_range]

    @functools.cached_property
    def added(self) -> set[str]:
        """What entrants are called that were added after results were seen."""
        now = Begun.of(self.config)
        return {name for name, asked in zip(now.entrants, now.asked, strict=True) if asked not in self.judged.asked}

    @property
    def note_on_additions(self) -> str:
        """What was added, or left out, after results were seen; else empty."""
        return self.judged.note(Begun.of(self.config))

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
    def by_processor(self) -> bool:
        """Whether models are shown and ranked by processor time, because others used the cores meanwhile."""
        return latency_column(self.timings) == "latency_cpu_ms"

    @property
    def note_on_times(self) -> str:
        """What to know of the timings if others used the cores meanwhile; else empty."""
        if not self.by_processor:
            return ""
        return (
            "The cores were shared with other work while the models were timed, and long runs wait more often than "
            "short ones: shown and ranked by is processor time. Wall times are in comparison.csv."
        )

    @functools.cached_property
    def records(self) -> list[TrialRecord]:
        """The records of all trainings that have ended and have a seed of the comparison file."""
        seeds = self.config.seed_range
        return [record for record in self.run.records() if record.trial.seed in seeds]

    @functools.cached_property
    def trainings(self) -> pd.DataFrame:
        """One row an entrant, budget and seed whose training has ended.

        Columns: `judged`, whether its budget and seed were asked for before any result was seen; `test_images`, how
        many there are, and how many of them are right (`top1_hits`) or have their class among the five likeliest
        (`top5_hits`); the same as fractions, `test_top1` and `test_top5`; those of the validation images, `top1` and
        `top5`; `reason` and `detail` of a failure.
        """
        by_model: dict[str, list[TrialRecord]] = {}
        for record in self.records:
            by_model.setdefault(model_key(record.trial.family, record.trial.architecture), []).append(record)
        rows = [
            {
                "entrant": entry.entrant,
                "budget": entry.budget,
                "judged": entry.budget in self.judged.budgets and record.trial.seed in self.judged_seeds,
                **_training_row(record, self.images["test_images"]),
            }
            for entry in self.entries
            for record in sorted(by_model.get(entry.model_key, ()), key=lambda one: one.trial.seed)
        ]
        # whole numbers, though a failed training has none
        return pd.DataFrame(rows, columns=_TRAINING_COLUMNS).astype({"top1_hits": "Int64", "top5_hits": "Int64"})

    @property
    def failures(self) -> pd.DataFrame:
        """The rows of `trainings` that failed; entrants that build the same model share one."""
        return self.trainings[self.trainings["reason"] != ""].drop_duplicates("trial")

    @functools.cached_property
    def table(self) -> pd.DataFrame:
        """One row an entrant and budget, in the order of the comparison file.

        Columns: whether it was `added` after results were seen; what is built, `from` which model, with which factors;
        `gap`, the share of the budget that is left; `same_as`, the earlier row that builds the same model; `seeds` that
        have finished; mean `top1` and `top5` of the test images with the ends of their 95 % intervals over seeds,
        fractions; times; `front` and `latency_front`, whether no other row of its kind is both cheaper and better. Rows
        that use their budget are equally cheap.
        """
        table = summarise(self.entries, self.trainings, self.timings, self.config.least_share)
        added = table["entrant"].isin(self.added) | ~table["budget"].isin(self.judged.budgets)
        table.insert(2, "added", added)
        return table

    @functools.cached_property
    def arms(self) -> Mapping[str, Arm]:
        """By entrant, then by budget and seed: which test images each finished training gets right."""
        return self._arms(self.trainings)

    @functools.cached_property
    def judged_arms(self) -> Mapping[str, Arm]:
        """As `arms`, of the trainings that are `judged`: verdicts are of these alone."""
        return self._arms(self.trainings[self.trainings["judged"]])

    @functools.cached_property
    def _hits(self) -> Mapping[str, Hits]:
        """By trial: which test images it gets right."""
        finished = self.trainings.loc[self.trainings["reason"] == "", "trial"]
        return {trial: read_test_hits(self.run.trial(trial)) for trial in finished.unique()}

    def _arms(self, trainings: pd.DataFrame) -> Mapping[str, Arm]:
        found: dict[str, dict[tuple[int, int], Hits]] = {name: {} for name in self.entrants}
        for row in trainings[trainings["reason"] == ""].to_dict("records"):
            found[row["entrant"]][row["budget"], row["seed"]] = self._hits[row["trial"]]
        return found

    @functools.cached_property
    def differences(self) -> pd.DataFrame:
        """One row for each other entrant: the first less it, over all budgets (`budget` 0), and then at each.

        Pairs of trainings have the same seed, and the same test images; those over all budgets are `judged`. Columns
        are those of `difference_table`.
        """
        others = [name for name in self.entrants if name != self.first]
        return difference_table(self.first, others, self.judged_arms, self.arms)

    def status(self) -> dict[str, Any]:
        """Return how far it is, as JSON values."""
        models = {entry.model_key for entry in self.entries if not entry.missing}
        ended = self.trainings.drop_duplicates("trial")
        failed = self.failures
        best = self.table.dropna(subset=["top1"]).sort_values("top1").drop_duplicates("budget", keep="last")
        return {
            "comparison": self.name,
            "entrants": self.entrants,
            "budgets": list(self.config.budgets),
            "running": self.run.is_locked(),
            "planned": len(models) * self.config.seeds,
            "finished": len(ended) - len(failed),
            "failed": len(failed),
            "failures": failed[["entrant", "budget", "seed", "trial", "reason", "detail"]].to_dict("records"),
            "timed": self.timings is not None,
            "best": best.sort_values("budget")[["budget", "entrant", "top1", "seeds"]].to_dict("records"),
        }


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


def _training_row(record: TrialRecord, test_images: int) -> dict[str, Any]:
    result = record.result
    tested: dict[str, int | None] = {"top1_hits": None, "top5_hits": None}
    if result is not None and result.test_top1 is not None and result.test_top5 is not None:
        tested = {
            "top1_hits": round(result.test_top1 * test_images),
            "top5_hits": round(result.test_top5 * test_images),
        }
    return {
        "seed": record.trial.seed,
        "trial": record.id,
        "test_images": test_images,
        **tested,
        **{name: getattr(result, name, np.nan) for name in ACCURACIES},
        "reason": str(record.failure) if record.failure else "",
        "detail": record.detail,
    }
