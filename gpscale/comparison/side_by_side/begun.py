"""What a comparison was to train before any of its results were seen: that alone decides verdicts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from gpscale.comparison.comparison_list import SETTINGS_FILE
from gpscale.comparison.side_by_side.entries import asked_by, names_of
from gpscale.comparison.side_by_side.settings import ComparisonConfig
from gpscale.errors import RunDirError
from gpscale.run_dir import RunDir
from gpscale.stored import read_stored, write_json
from gpscale.units import format_macs

BEGUN_FILE = "begun.json"


@dataclasses.dataclass(frozen=True)
class Begun:
    """Entrants, budgets and seeds of a comparison when its first results came.

    Attributes:
        entrants: What they were called, the first of the comparison file first.
        asked: Each as the file had it, every default written out, as JSON values: what tells it from others.
        budgets: Multiply-accumulates.
        seed: The first seed.
        seeds: How many.
    """

    entrants: tuple[str, ...]
    asked: tuple[Mapping[str, Any], ...]
    budgets: tuple[int, ...]
    seed: int
    seeds: int

    @classmethod
    def of(cls, config: ComparisonConfig) -> Self:
        """Return all that a comparison file asks for."""
        return cls(tuple(names_of(config)), tuple(asked_by(config)), config.budgets, config.seed, config.seeds)

    @classmethod
    def _from_dict(cls, stored: Mapping[str, Any]) -> Self:
        lists = {name: tuple(stored[name]) for name in ("entrants", "asked", "budgets")}
        return cls(**lists, seed=stored["seed"], seeds=stored["seeds"])

    @property
    def seed_range(self) -> range:
        """The seeds."""
        return range(self.seed, self.seed + self.seeds)

    def beyond(self, other: Begun) -> str:
        """Return what this has and another has not, in words; empty where there is nothing.

        Example:
            >>> few = ComparisonConfig.from_values({"budgets": ["20M"], "entrants": ["edgevit"], "seeds": 1})
            >>> more = few.model_copy(update={"budgets": (20_000_000, 30_000_000), "seeds": 3})
            >>> Begun.of(more).beyond(Begun.of(few))
            'budgets 30.0M; seeds 1, 2'
        """
        names = [name for name, asked in zip(self.entrants, self.asked, strict=True) if asked not in other.asked]
        budgets = [format_macs(budget) for budget in self.budgets if budget not in other.budgets]
        seeds = [str(seed) for seed in self.seed_range if seed not in other.seed_range]
        parts = (("entrants", names), ("budgets", budgets), ("seeds", seeds))
        return "; ".join(f"{what} {', '.join(values)}" for what, values in parts if values)

    def note(self, now: Begun) -> str:
        """Say what has been added and left out since results were seen; empty where nothing was."""
        said = [
            f"{what} after its results were seen: {values}."
            for what, values in (("Added", now.beyond(self)), ("Left out", self.beyond(now)))
            if values
        ]
        if not said:
            return ""
        return " ".join(
            [*said, "Verdicts, and differences over all budgets, are of the budgets and seeds that it was begun with."]
        )


def read_begun(run: RunDir) -> Begun | None:
    """Read what a comparison was begun with; None where it is what it has now.

    Raises:
        RunDirError: It is damaged.
    """
    file = run.path / BEGUN_FILE
    return read_stored(file, "what a comparison was begun with", Begun._from_dict) if file.exists() else None


def find_begun(run: RunDir) -> Begun | None:
    """Return what a comparison was begun with, if any of its results have been seen; else None.

    Raises:
        RunDirError: It is damaged.
    """
    if found := read_begun(run):
        return found
    file = run.path / SETTINGS_FILE
    seen = file.exists() and any(record.result is not None for record in run.records())
    return Begun.of(ComparisonConfig.load(file)) if seen else None


def check_first(run: RunDir, config: ComparisonConfig) -> None:
    """Refuse another first entrant once results are seen: that with which the others are compared is named before.

    Raises:
        RunDirError: It is another.
    """
    begun, now = find_begun(run), Begun.of(config)
    if begun is not None and begun.asked[0] != now.asked[0]:
        raise RunDirError(
            f"The entrant with which the others are compared is named before results are seen. {run.path} has results, "
            f"and was begun with {begun.entrants[0]!r} as the first of `entrants`; here it is {now.entrants[0]!r}. Put "
            "that one first again, or give this comparison another --name."
        )


def keep_begun(run: RunDir, config: ComparisonConfig) -> None:
    """Write down what a comparison was begun with, where it has results and is about to become another."""
    begun = find_begun(run)
    if begun is not None and begun != Begun.of(config):
        write_json(run.path / BEGUN_FILE, dataclasses.asdict(begun))
