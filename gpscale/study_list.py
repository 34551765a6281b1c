"""Which studies there are: those that ship with the package and those in a directory of runs.

Read from the few files that say it, so that a long list opens no study.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from gpscale.errors import RunDirError
from gpscale.run_dir import SHIPPED_STUDIES, RunDir, shipped_studies
from gpscale.stored import read_json


@dataclasses.dataclass(frozen=True)
class StudyEntry:
    """One study in a list.

    Attributes:
        name: What commands call it: a shipped study's name, else the path of its run directory.
        shipped: Whether it ships with the package.
        base: Name of its base model.
        images: Their source.
        train_images, validation_images: How many images train and validate.
        ended: Trials that have finished or failed.
        planned: Trials of its sweep.
        c_range: Lowest and highest reduction factor of the finished trials; None before the first fit.
        knows_more_than_macs: Whether its surface of top-1 does; None before the first fit.
        fidelity: Kendall's tau between the ranking of its trials and that of longer trainings, in [-1, 1]; None where
            none were made.
        damage: Why nothing else is known of it, else empty.
    """

    name: str
    shipped: bool
    base: str = ""
    images: str = ""
    train_images: int = 0
    validation_images: int = 0
    ended: int = 0
    planned: int = 0
    c_range: tuple[float, float] | None = None
    knows_more_than_macs: bool | None = None
    fidelity: float | None = None
    damage: str = ""

    @property
    def verdict(self) -> str:
        """What to think of it, in a few words."""
        if self.damage:
            return self.damage
        if self.knows_more_than_macs is None:
            return "not fitted"
        return f"knows {'more' if self.knows_more_than_macs else 'no more'} than MACs do"


def list_studies(runs: Path) -> list[StudyEntry]:
    """List the shipped studies, then those in a directory of runs, by name.

    One that is damaged is listed with what is wrong.

    Args:
        runs: Directory of run directories; it need not exist.

    Example:
        >>> "quickstart" in [entry.name for entry in list_studies(Path("runs"))]
        True
    """
    shipped = [_entry(name, RunDir(SHIPPED_STUDIES / name), shipped=True) for name in shipped_studies()]
    entries = sorted(runs.iterdir()) if runs.is_dir() else []
    own = [_entry(str(path), RunDir(path), shipped=False) for path in entries if (path / "sweep.yaml").is_file()]
    return shipped + own


def _entry(name: str, run: RunDir, *, shipped: bool) -> StudyEntry:
    try:
        settings = yaml.safe_load(run.sweep_file.read_text())
        images = run.described_images()
        return StudyEntry(
            name=name,
            shipped=shipped,
            base=settings["base"],
            images=settings["data"]["source"],
            train_images=images["train_images"],
            validation_images=images["validation_images"],
            ended=sum(run.record_file(trial_id).exists() for trial_id in run.trial_ids()),
            planned=settings["trials"],
            **_fitted(run),
        )
    except (RunDirError, OSError, yaml.YAMLError, KeyError, TypeError) as error:
        return StudyEntry(name, shipped, damage=f"damaged ({type(error).__name__}): run `gpscale doctor` on it")


def _fitted(run: RunDir) -> Mapping[str, Any]:
    """Return what is known since the last fit."""
    if not run.study_file.exists():
        return {}
    facts = read_json(run.study_file)
    compared = read_json(run.fidelity_file)["overall"] if run.fidelity_file.exists() else None
    return {
        "c_range": tuple(facts["c_range"]),
        "knows_more_than_macs": facts["diagnostics"]["top1"]["knows_more_than_macs"],
        "fidelity": compared and compared["tau"],
    }
