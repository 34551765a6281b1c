"""The trials of a study on disk, as answers to trials like them."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

from gpscale.errors import MissingTrialError
from gpscale.run_dir import RunDir, find_study
from gpscale.training.curve import CurveRow, read_curve
from gpscale.trial import Trial, TrialRecord

_NAMED = 3


class StoredTrials:
    """The trials of a study that have ended.

    Two trials are the same if their ids are equal, or if everything in their identity but the fingerprint of the images
    is: family, architecture, classes, recipe and seed. So a study also answers where its images are decoded anew from
    another place; that they are the same images is for the caller to know.

    Attributes:
        run: The study's run directory; it is read when it is first needed, once.

    Example:
        >>> stored = StoredTrials("quickstart")
        >>> record = stored.records[0]
        >>> elsewhere = dataclasses.replace(record.trial, data="fingerprint of the same images, decoded anew")
        >>> stored.find(elsewhere) == record
        True
    """

    def __init__(self, study: str | os.PathLike[str] | RunDir | None = None) -> None:
        """Find the study.

        Args:
            study: A run directory or the name of a shipped study; None for the default one.

        Raises:
            UnknownNameError: There is no such study.
        """
        self.run = study if isinstance(study, RunDir) else find_study(study)

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.run.name

    @functools.cached_property
    def images(self) -> Mapping[str, Any]:
        """What the study's provenance says of its images: `fingerprint`, `classes` and more, JSON values."""
        return self.run.described_images()

    @functools.cached_property
    def records(self) -> Sequence[TrialRecord]:
        """The records of all trials that have ended, failed and stopped ones among them, in order of their ids."""
        return list(self.run.records())

    def find(self, trial: Trial) -> TrialRecord | None:
        """Return the record of the same trial, None if the study has none."""
        return self._by_id.get(trial.id) or self._by_training.get(_training(trial))

    def curve(self, record: TrialRecord) -> list[CurveRow]:
        """Return the learning curve of one of the records; empty if it has none."""
        return read_curve(self.run.trial(record.id))

    def check(self, trials: Sequence[Trial]) -> None:
        """Refuse trials that the study does not hold.

        Raises:
            MissingTrialError: It lacks at least one.
        """
        missing = [place for place, trial in enumerate(trials) if self.find(trial) is None]
        if not missing:
            return
        ids = ", ".join(trials[place].id for place in missing[:_NAMED])
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise MissingTrialError(
            f"A study answers the trials that have ended in it. {self.run.path} lacks {len(missing)} of {len(trials)}: "
            f"{ids}{more}{self._difference(trials[missing[0]])}. "
            + (f"It holds the first {missing[0]}: lower --trials, or train" if missing[0] else "Train")
            + " with another executor."
        )

    @functools.cached_property
    def _by_id(self) -> Mapping[str, TrialRecord]:
        return {record.id: record for record in self.records}

    @functools.cached_property
    def _by_training(self) -> Mapping[str, TrialRecord]:
        return {_training(record.trial): record for record in self.records}

    def _difference(self, trial: Trial) -> str:
        """Say in what a trial differs from all that are held, if it is its recipe, its seed or its classes."""
        if not self.records:
            return ""
        own = self.records[0].trial
        pairs = [(f"recipe.{key}", own.recipe.get(key), value) for key, value in trial.recipe.items()]
        pairs += [(key, getattr(own, key), getattr(trial, key)) for key in ("num_classes", "seed")]
        said = [f"`{key}` is {there!r} there, {here!r} here" for key, there, here in pairs if there != here]
        return f" ({'; '.join(said)})" if said else ""


def _training(trial: Trial) -> str:
    """Return what names a trial whatever its images."""
    return dataclasses.replace(trial, data="").id
