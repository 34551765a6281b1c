"""Which comparisons there are: those that ship with the package and those in a directory of runs.

A shipped comparison is its run directory without images, checkpoints and logs. Read from the few files that say it, so
that a long list opens none.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import yaml

from gpscale.errors import RunDirError
from gpscale.run_dir import RunDir
from gpscale.stored import read_stored
from gpscale.trial import architecture_key

SHIPPED_COMPARISONS = Path(__file__).parents[1] / "shipped_comparisons"
SETTINGS_FILE, ENTRIES_FILE = "comparison.yaml", "entries.json"
"""Of a run directory: the comparison file with all its defaults, and what is built for each entrant and budget."""


@dataclasses.dataclass(frozen=True)
class ComparisonEntry:
    """One comparison in a list.

    Attributes:
        name: What commands call it: a shipped comparison's name, else the path of its run directory.
        shipped: Whether it ships with the package.
        images: Their source.
        train_images, test_images: How many images train and test.
        entrants: How many meet.
        budgets: Multiply-accumulates at which they do.
        ended: Trainings that have finished or failed.
        planned: Trainings in all.
        damage: Why nothing else is known of it, else empty.
    """

    name: str
    shipped: bool
    images: str = ""
    train_images: int = 0
    test_images: int = 0
    entrants: int = 0
    budgets: tuple[int, ...] = ()
    ended: int = 0
    planned: int = 0
    damage: str = ""


def shipped_comparisons() -> list[str]:
    """Return the names of the comparisons that ship with the package."""
    return sorted(file.parent.name for file in SHIPPED_COMPARISONS.glob(f"*/{SETTINGS_FILE}"))


def find_comparison(name: str | os.PathLike[str]) -> RunDir | None:
    """Find a comparison by the name of a shipped one, or by its run directory, also below `runs`; None if none is.

    Example:
        >>> find_comparison("runs/absent") is None
        True
    """
    places = [SHIPPED_COMPARISONS / name] if str(name) in shipped_comparisons() else [Path(name), Path("runs") / name]
    return next((RunDir(place) for place in places if (place / SETTINGS_FILE).is_file()), None)


def list_comparisons(runs: Path) -> list[ComparisonEntry]:
    """List the shipped comparisons, then those in a directory of runs, by name.

    One that is damaged is listed with what is wrong.

    Args:
        runs: Directory of run directories; it need not exist.

    Example:
        >>> [entry.name for entry in list_comparisons(Path("absent")) if not entry.shipped]
        []
    """
    shipped = [_entry(name, RunDir(SHIPPED_COMPARISONS / name), shipped=True) for name in shipped_comparisons()]
    own = sorted(file.parent for file in runs.glob(f"*/{SETTINGS_FILE}"))
    return shipped + [_entry(str(path), RunDir(path), shipped=False) for path in own]


def _entry(name: str, run: RunDir, *, shipped: bool) -> ComparisonEntry:
    try:
        settings = yaml.safe_load((run.path / SETTINGS_FILE).read_text())
        images = run.described_images()
        models = read_stored(run.path / ENTRIES_FILE, "what a comparison builds", _models)
        seeds = range(settings["seed"], settings["seed"] + settings["seeds"])
        return ComparisonEntry(
            name=name,
            shipped=shipped,
            images=settings["data"]["source"],
            train_images=images["train_images"],
            test_images=images["test_images"],
            entrants=len(settings["entrants"]),
            budgets=tuple(settings["budgets"]),
            ended=sum(
                (record.trial.family, architecture_key(record.trial.architecture)) in models
                and record.trial.seed in seeds
                for record in run.records()
            ),
            planned=len(models) * len(seeds),
        )
    except (RunDirError, OSError, yaml.YAMLError, KeyError, TypeError) as error:
        return ComparisonEntry(name, shipped, damage=f"damaged ({type(error).__name__}): run `gpscale doctor` on it")


def _models(entries: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Return what is built, by family and architecture."""
    return {(entry["family"], architecture_key(entry["architecture"])) for entry in entries if not entry["missing"]}
