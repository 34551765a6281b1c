"""Find what is damaged in a run directory, and move it out of the way.

Every file of a run directory is written whole or not at all, so damage comes from outside: a failing disk, a copy that
broke off, an editor. What is damaged is moved to `quarantine/` inside the run directory, never deleted.
"""

from __future__ import annotations

import csv
import dataclasses
import datetime
from collections.abc import Callable, Iterator
from pathlib import Path

from gpscale.errors import GpscaleError, RunDirError
from gpscale.run_dir import RunDir, read_json

QUARANTINE = "quarantine"

_FIT_AGAIN = "run `gpscale fit` on the run directory: it is written anew"
_SWEEP_AGAIN = "run the sweep again"
_TRAIN_AGAIN = f"{_SWEEP_AGAIN}: the trial is trained again"
_OR_WITHOUT = (
    ", and all is fitted anew; or run `gpscale fit` on the run directory, to go on without it. Until then `recommend` "
    "and `studies` answer from the last fit, which had it"
)


@dataclasses.dataclass(frozen=True)
class Finding:
    """A damaged file, or a damaged directory.

    Attributes:
        path: Where it was, relative to the run directory.
        damage: What is wrong with it.
        advice: What to do, now that it is out of the way.
        moved_to: Where it is now, relative to the run directory; None when it was left where it was.
    """

    path: str
    damage: str
    advice: str
    moved_to: str | None


def examine(run: RunDir, *, move: bool = True) -> list[Finding]:
    """Read every file of a run directory that gpscale reads, and quarantine those that are damaged.

    Args:
        run: A run directory, whether or not its sweep has ended.
        move: Move what is damaged to `quarantine/<time>/` in the run directory; False only reports.

    Returns:
        What is damaged, in the order of the run directory's listing; empty when all is well.

    Raises:
        RunDirError: There is no such directory, or a sweep is running in it.

    Example:
        >>> from gpscale.run_dir import find_study
        >>> examine(find_study("quickstart"), move=False)
        []
    """
    if not run.path.is_dir():
        raise RunDirError(f"A run directory must exist. {run.path} does not. Give the directory of a sweep.")
    if not move:
        return [Finding(_inside(run, path), damage, advice, None) for path, damage, advice in _damaged(run)]
    with run.locked():
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
        return [
            Finding(_inside(run, path), damage, advice, _quarantine(run, path, stamp))
            for path, damage, advice in list(_damaged(run))
        ]


def _inside(run: RunDir, path: Path) -> str:
    return path.relative_to(run.path).as_posix()


def _quarantine(run: RunDir, path: Path, stamp: str) -> str:
    target = run.path / QUARANTINE / stamp / path.relative_to(run.path)
    target.parent.mkdir(parents=True, exist_ok=True)
    path.rename(target)
    return _inside(run, target)


def _damaged(run: RunDir) -> Iterator[tuple[Path, str, str]]:
    """Yield path, damage and advice."""
    for path, read, advice in _readers(run):
        if not path.exists():
            continue
        try:
            read()
        except Exception as error:  # a damaged file makes its reader raise almost anything
            yield path, f"{type(error).__name__}: {' '.join(str(error).split())}"[:300], advice
    for trial_id in run.trial_ids():
        yield from _damaged_in_trial(run, trial_id)
    if run.fidelity.path.is_dir():
        yield from _damaged(run.fidelity)


def _readers(run: RunDir) -> Iterator[tuple[Path, Callable[[], object], str]]:
    """Yield each file outside the trials' directories, how it is read, and what to do without it."""
    from gpscale.rules.gp_rule import GPRule
    from gpscale.surrogate.surface import Surface
    from gpscale.sweep import SweepConfig
    from gpscale.trial import OUTCOMES

    yield (
        run.sweep_file,
        lambda: SweepConfig.load(run.sweep_file),
        f"copy the file that the sweep was started with to {run.sweep_file}, then {_SWEEP_AGAIN}",
    )
    yield (
        run.provenance_file,
        lambda: read_json(run.provenance_file)["data"]["fingerprint"],
        f"{_SWEEP_AGAIN}: it is written anew",
    )
    yield run.study_file, lambda: read_json(run.study_file)["schema"], _FIT_AGAIN
    for outcome in OUTCOMES:
        file = run.surface_file(outcome)
        yield file, lambda file=file: Surface.from_dict(read_json(file)), _FIT_AGAIN  # type: ignore[misc]
    yield run.rule_file, lambda: GPRule.from_dict(read_json(run.rule_file)), _FIT_AGAIN
    yield (
        run.fidelity_file,
        lambda: read_json(run.fidelity_file)["trials"],
        "run `gpscale fidelity` again: it chooses anew, and keeps what it has trained of that choice",
    )
    yield run.pareto_file, lambda: _read_table(run.pareto_file), _FIT_AGAIN
    yield run.images, lambda: _read_images(run.images), f"{_SWEEP_AGAIN}: the images are decoded anew"


def _damaged_in_trial(run: RunDir, trial_id: str) -> Iterator[tuple[Path, str, str]]:
    from gpscale.training.curve import CURVE_FILE, read_curve

    curve = run.trial(trial_id) / CURVE_FILE
    record = None
    try:
        record = run.record(trial_id)
        damage = f"it is the record of trial {record.id}" if record is not None and record.id != trial_id else ""
    except GpscaleError as error:
        damage = str(error)
    if damage:
        # all of the trial: a curve that stayed behind would be that of one which was cut off
        yield run.trial(trial_id), damage, f"{_TRAIN_AGAIN}{_OR_WITHOUT if run.study_file.exists() else ''}"
        return
    if curve.exists():
        try:
            _read_table(curve)
            read_curve(curve.parent)
        except (ValueError, GpscaleError) as error:
            kept = "nothing: the trial's record is whole, only its learning curve is lost"
            yield curve, str(error), kept if record else f"{_SWEEP_AGAIN}: it is written anew"
    # a finished or stopped trial has no checkpoint, and torch, which reads them, takes seconds to import
    if record is None or record.failure is not None:
        yield from _damaged_checkpoint(run, trial_id)


def _damaged_checkpoint(run: RunDir, trial_id: str) -> Iterator[tuple[Path, str, str]]:
    from gpscale.training.checkpoint import CHECKPOINT_FILE, read_checkpoint

    file = run.trial(trial_id) / CHECKPOINT_FILE
    if file.exists():
        try:
            read_checkpoint(file, trial_id)
        except GpscaleError as error:
            yield file, str(error), f"{_SWEEP_AGAIN}: the trial starts over, with the same result"


def _read_images(directory: Path) -> None:
    """Open the store of decoded images, whose parts must fit each other."""
    from gpscale.training.data.store import ImageStore

    store = ImageStore.open(directory)
    store.batch(store.train_indices[:1])
    store.batch(store.validation_indices[-1:])


def _read_table(path: Path) -> None:
    """Read a CSV file with a header and rows of its length.

    Raises:
        ValueError: It is something else.
    """
    try:
        rows = list(csv.reader(path.read_text().splitlines(), strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"it is no table: {error}") from None
    if len(rows) < 2 or any(len(row) != len(rows[0]) for row in rows):
        raise ValueError("it is no table: rows are missing or cut short")
