"""The run directory: one directory per trial is the truth, every file of it written atomically.

    <run>/
      sweep.yaml provenance.json
      trials/<trial id>/record.json  curve.csv  checkpoint.pt (while training)  log.txt
      images/                        the decoded images, shared by the workers; absent from a shipped study
      study.json surfaces/ pareto.csv rule.json rule_of_trials.json figures/ card.md
      diagnostics.json regret.json   what `gpscale diagnose` and `gpscale regret` found, and of which fit
      fidelity/                      a run directory of its own: some of the trials, trained for longer; fidelity.json
      validations/<number>/          the same for picks of several rules, scored on the test images; validation.json
      NOTES.md                       written by hand, where there is one; the card quotes it

A shipped study is the same files without checkpoints and images.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gpscale.atomic import TEMPORARY_SUFFIX
from gpscale.errors import RunDirError, StorageError, UnknownNameError, nearest_to
from gpscale.stored import read_stored, write_json
from gpscale.trial import TrialRecord

SHIPPED_STUDIES = Path(__file__).parent / "shipped_studies"
RUNS = Path("runs")
"""Where run directories lie unless a command is told otherwise."""

DEFAULT_STUDY = "cifar10_96px"
LOCK_FILE = ".lock"
_LOCK_SECONDS = 0.5

STUDY_SCHEMA = 4
"""Form of what a fit stores: 2 added each trial's left-out predictions, 3 the noise between seeds, and stopped trials;
4 renamed the points that a rule was fitted to."""


class RunDir:
    """One run directory, or one shipped study.

    Attributes:
        path: The directory.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"RunDir({str(self.path)!r})"

    @property
    def name(self) -> str:
        """The directory's own name."""
        return self.path.resolve().name

    @property
    def is_shipped(self) -> bool:
        """Whether it lies among the studies that ship with the package."""
        return self.path.resolve().parent == SHIPPED_STUDIES.resolve()

    @property
    def reference(self) -> str:
        """What to call it by, so that `find_study` finds this one: a shipped study's name, else its path from here."""
        if self.is_shipped:
            return self.name
        path, here = self.path.resolve(), Path.cwd()
        text = str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
        # a bare name would be taken for the shipped study's
        return os.path.join(os.curdir, text) if text in shipped_studies() else text

    @property
    def sweep_file(self) -> Path:
        """The sweep with all defaults written out."""
        return self.path / "sweep.yaml"

    @property
    def provenance_file(self) -> Path:
        """Versions, host and data of the sweep."""
        return self.path / "provenance.json"

    @property
    def images(self) -> Path:
        """Directory of the decoded images."""
        return self.path / "images"

    @property
    def study_file(self) -> Path:
        """What `gpscale fit` found: base, ranges, diagnostics."""
        return self.path / "study.json"

    @property
    def diagnostics_file(self) -> Path:
        """What `gpscale diagnose` found."""
        return self.path / "diagnostics.json"

    @property
    def regret_file(self) -> Path:
        """What `gpscale regret` found."""
        return self.path / "regret.json"

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of the fit: of its rule and its surface of top-1."""
        # imported here because a recommendation, which does without it, should not wait for it
        import hashlib

        digest = hashlib.sha256()
        for file in (self.rule_file, self.surface_file("top1")):
            digest.update(file.read_bytes() if file.exists() else b"")
        return digest.hexdigest()[:16]

    @property
    def rule_file(self) -> Path:
        """The fitted scaling rule."""
        return self.path / "rule.json"

    @property
    def trials_rule_file(self) -> Path:
        """The scaling rule that follows the trials' Pareto set, where `rule.json` is another."""
        return self.path / "rule_of_trials.json"

    @property
    def pareto_file(self) -> Path:
        """The Pareto set, one architecture a row."""
        return self.path / "pareto.csv"

    @property
    def figures(self) -> Path:
        """Directory of the figures."""
        return self.path / "figures"

    @property
    def card_file(self) -> Path:
        """The card: what the study says and how far to trust it, in words."""
        return self.path / "card.md"

    @property
    def notes_file(self) -> Path:
        """What a person has written about the study."""
        return self.path / "NOTES.md"

    @property
    def fidelity(self) -> RunDir:
        """The run directory, inside this one, of the trials that are trained for longer."""
        return RunDir(self.path / "fidelity")

    def validation(self, number: int) -> RunDir:
        """The run directory, inside this one, of a version of its validation; the first is 1."""
        return RunDir(self.path / "validations" / str(number))

    def validations(self) -> list[RunDir]:
        """Return the run directories of all versions of its validation, the oldest first."""
        versions = map(self.validation, self._validation_numbers())
        return [version for version in versions if version.validation_file.exists()]

    def next_validation(self) -> RunDir:
        """Return where another version goes; a directory that has lost what says its version is not used again.

        One in which a start was killed before it chose what to train is taken up.
        """
        number = max(self._validation_numbers(), default=0)
        latest = self.validation(number)
        begun = number == 0 or latest.validation_file.exists() or latest.trial_ids()
        return self.validation(number + 1) if begun else latest

    def _validation_numbers(self) -> list[int]:
        return sorted(int(found.name) for found in (self.path / "validations").glob("*/") if found.name.isdecimal())

    @property
    def validation_file(self) -> Path:
        """Of the run directory of a validation: what is trained there."""
        return self.path / "validation.json"

    @property
    def fidelity_file(self) -> Path:
        """Which trials are trained for longer, and how the two rankings compare."""
        return self.fidelity.path / "fidelity.json"

    def surface_file(self, outcome: str) -> Path:
        """The joint surface of `outcome` (`"top1"` or `"top5"`)."""
        return self.path / "surfaces" / f"{outcome}.json"

    def trial(self, trial_id: str) -> Path:
        """Directory of one trial."""
        return self.path / "trials" / trial_id

    def record_file(self, trial_id: str) -> Path:
        """The final record of one trial."""
        return self.trial(trial_id) / "record.json"

    def described_images(self) -> Mapping[str, Any]:
        """Return what the provenance says of the images: `fingerprint`, `classes` and more, as JSON values.

        Raises:
            RunDirError: The provenance is absent or damaged.
        """
        if not self.provenance_file.exists():
            raise RunDirError(
                f"{self.provenance_file} must exist. It does not. Run the sweep again: it is written anew."
            )
        return read_stored(self.provenance_file, "the provenance of a sweep", _images_of)

    def read_facts(self) -> Mapping[str, Any]:
        """Return what the last fit has found, as JSON values.

        Raises:
            RunDirError: There was none, or one by another version of gpscale, or its file is damaged.
        """
        values: Mapping[str, Any] = read_stored(self.study_file, "what a fit has found", dict)
        if values.get("schema") != STUDY_SCHEMA:
            raise RunDirError(
                f"{self.study_file} must be of schema {STUDY_SCHEMA}. Got {values.get('schema')}, of another version "
                f"of gpscale. Run `gpscale fit {self.path}`, which trains nothing."
            )
        return values

    def write_record(self, record: TrialRecord, *, durable: bool = True) -> None:
        """Write the record of a trial that has ended, atomically.

        Args:
            record: The record.
            durable: As in `atomic_file`.
        """
        write_json(self.record_file(record.id), record.to_dict(), durable=durable)

    def record(self, trial_id: str) -> TrialRecord | None:
        """Return the record of one trial, None while it has none.

        Raises:
            RunDirError: The record is damaged.
        """
        file = self.record_file(trial_id)
        if not file.exists():
            return None
        return read_stored(file, "a trial record", TrialRecord.from_dict)

    def records(self) -> Iterator[TrialRecord]:
        """Yield the records of every trial that has ended, in order of their ids."""
        for trial_id in self.trial_ids():
            record = self.record(trial_id)
            if record is not None:
                yield record

    def trial_ids(self) -> list[str]:
        """Return the ids of all trials that have a directory, sorted."""
        trials = self.path / "trials"
        return sorted(entry.name for entry in trials.iterdir() if entry.is_dir()) if trials.is_dir() else []

    def remove_leftovers(self, trial_id: str | None = None) -> None:
        """Remove the temporary files that a killed process has left; only for the holder of the lock.

        Args:
            trial_id: A trial that does not run; None for all files, while none does.
        """
        directory = self.path if trial_id is None else self.trial(trial_id)
        for leftover in directory.rglob(f".*{TEMPORARY_SUFFIX}"):
            leftover.unlink(missing_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory for one driver; the lock goes with the process, however it ends.

        Raises:
            RunDirError: Another driver holds it.
            StorageError: It cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = open(self.path / LOCK_FILE, "a")  # noqa: SIM115
        except OSError as error:
            raise StorageError.of(self.path, error) from error
        with lock:
            try:
                _lock_within(_LOCK_SECONDS, lock.fileno())
            except BlockingIOError:
                raise RunDirError(
                    f"Only one sweep may run in {self.path}. Another one is running there. "
                    "Wait for it, or give this one another --name."
                ) from None
            yield

    def is_locked(self) -> bool:
        """Say whether a driver holds the directory now."""
        import fcntl

        try:
            with open(self.path / LOCK_FILE) as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False


def _images_of(provenance: Mapping[str, Any]) -> Mapping[str, Any]:
    images: Mapping[str, Any] = provenance["data"]
    fingerprint, classes = images["fingerprint"], images["classes"]
    if not (isinstance(fingerprint, str) and isinstance(classes, list) and classes):
        raise ValueError(f"`data` needs a `fingerprint` and `classes`, which are {fingerprint!r} and {classes!r}")
    return images


def _lock_within(seconds: float, handle: int) -> None:
    """Lock a file, waiting out the instant for which `is_locked` holds it.

    Raises:
        BlockingIOError: Somebody holds it for longer.
    """
    # imported here because Windows lacks it, where studies can still be read
    import fcntl

    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def shipped_studies() -> list[str]:
    """Return the names of the studies that ship with the package."""
    return sorted(entry.name for entry in SHIPPED_STUDIES.iterdir() if (entry / "sweep.yaml").is_file())


def find_own_run(run: str) -> RunDir:
    """Find a run directory to write into, which a study that ships with the package is only by its path.

    Raises:
        RunDirError: It is the name of a shipped study.
        UnknownNameError: There is no such run directory.
    """
    if run in shipped_studies():
        raise RunDirError(
            f"What is written into must be a run directory of yours. Got {run!r}, which ships with gpscale. Give the "
            f"path of a run, such as {Path('runs', run)}, or of a copy of {SHIPPED_STUDIES / run}."
        )
    return find_study(run)


def find_study(study: str | os.PathLike[str] | None = None) -> RunDir:
    """Find a study by the name of a shipped one, or by its run directory.

    Args:
        study: None for the default shipped study.

    Raises:
        UnknownNameError: Neither a shipped study nor a run directory.
    """
    if study is None:
        study = DEFAULT_STUDY
    if not isinstance(study, str | os.PathLike):
        raise UnknownNameError.of("study or run directory", study, [*shipped_studies(), *_own_runs()])
    if str(study) in shipped_studies():
        return RunDir(SHIPPED_STUDIES / study)
    for directory in (Path(study), RUNS / study):
        if (directory / "sweep.yaml").is_file():
            return RunDir(directory)
    raise _unknown_study(str(study))


def _own_runs() -> list[str]:
    """Return the paths of the run directories below `runs`."""
    return sorted(str(file.parent) for file in RUNS.glob("*/sweep.yaml"))


def _unknown_study(study: str) -> UnknownNameError:
    own, path = _own_runs(), Path(study)
    known = [*shipped_studies(), *own]
    if path.name == study:
        return UnknownNameError.of("study or run directory", study, known)
    # who gives a path means a run: a shipped study of that name would be another one
    sweep_file = Path("sweeps", f"{path.name}.yaml")
    if path.parent == RUNS and sweep_file.is_file():
        hint = f" `gpscale sweep {sweep_file}` makes it."
    else:
        hint = nearest_to(study, own)
    why = ": it has no sweep.yaml" if path.is_dir() else ""
    return UnknownNameError(f"No run directory {study!r}{why}. Known: {', '.join(known)}.{hint}")
