"""Find what is damaged in a run directory, and move it out of the way.

Every file of a run directory is written whole or not at all, so damage comes from outside: a failing disk, a copy that
broke off, an editor. What is damaged is moved to `quarantine/` inside the run directory, never deleted.
"""

from __future__ import annotations

import csv
import dataclasses
import datetime
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from gpscale import families
from gpscale.errors import GpscaleError, RunDirError
from gpscale.execution.base import detail_of
from gpscale.run_dir import RunDir
from gpscale.stored import read_json
from gpscale.training.curve import CURVE_FILE, read_curve
from gpscale.trial import TrialRecord

QUARANTINE = "quarantine"
_TRIAL = re.compile("[0-9a-f]{16}")
_STAMP = "%Y-%m-%dT%H-%M-%SZ"

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
        RunDirError: There is no such directory, it is no run's, or a sweep is running in it.

    Example:
        >>> from gpscale.run_dir import find_study
        >>> examine(find_study("quickstart"), move=False)
        []
    """
    if not run.path.is_dir():
        raise RunDirError(f"A run directory must exist. {run.path} does not. Give the directory of a sweep.")
    if not _is_a_runs(run):
        raise RunDirError(
            f"Only run directories are examined. {run.path} holds neither settings nor trials of one. Give the "
            "directory of a sweep."
        )
    if not move:
        return [Finding(_inside(run, path), damage, advice, None) for path, damage, advice in _damaged(run)]
    with run.locked():
        stamp = datetime.datetime.now(datetime.UTC).strftime(_STAMP)
        return [
            Finding(_inside(run, path), damage, advice, _quarantine(run, path, stamp))
            for path, damage, advice in list(_damaged(run))
        ]


def _is_a_runs(run: RunDir) -> bool:
    """Tell whether a directory is that of a run, even of one whose settings are lost."""
    if any(file.is_file() for file, *_ in _settings(run)):
        return True
    trials = [entry.name for entry in (run.path / "trials").glob("*/")]
    quarantined = [entry.name for entry in (run.path / QUARANTINE).glob("*/")]
    return any(map(_TRIAL.fullmatch, trials)) or any(map(_is_stamp, quarantined))


def _is_stamp(name: str) -> bool:
    try:
        return bool(datetime.datetime.strptime(name, _STAMP))
    except ValueError:
        return False


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
            yield path, detail_of(error), advice
    stops = _stops_trials(run)
    for trial_id in filter(_TRIAL.fullmatch, run.trial_ids()):
        yield from _damaged_in_trial(run, trial_id, stops=stops)
    for inside in (run.fidelity, *run.validations()):
        if inside.path.is_dir():
            yield from _damaged(inside)


def _settings(run: RunDir) -> Iterator[tuple[Path, Callable[[], object], str]]:
    """Yield the files that say what a run is, one of which it has; as `_readers` does."""
    from gpscale.comparison.full_training import SETTINGS_FILE, TrainingSettings
    from gpscale.comparison.side_by_side import Comparison, ComparisonConfig
    from gpscale.comparison.validation.version import Version
    from gpscale.sweep import SweepConfig

    comparison, training = Comparison.settings_file_of(run), run.path / SETTINGS_FILE
    yield (
        run.sweep_file,
        lambda: SweepConfig.check_whole(run.sweep_file),
        f"copy the file that the sweep was started with to {run.sweep_file}, then {_SWEEP_AGAIN}",
    )
    yield (
        comparison,
        lambda: ComparisonConfig.check_whole(comparison),
        f"copy the file that the comparison was started with to {comparison}, then run it again",
    )
    yield (
        training,
        lambda: TrainingSettings.check_whole(training),
        f"put {training} back as it was; or move {run.path} away, and train again",
    )
    yield (
        run.validation_file,
        lambda: Version.read(run),
        f"put {run.validation_file} back as it was; or begin another version with `gpscale validate --new`",
    )


def _stops_trials(run: RunDir) -> bool:
    """Tell whether trials of a run are stopped by the learning curves of others."""
    from gpscale.sweep import SweepConfig

    try:
        return SweepConfig.load(run.sweep_file).stop is not None
    except GpscaleError:
        return False


def _readers(run: RunDir) -> Iterator[tuple[Path, Callable[[], object], str]]:
    """Yield each file outside the trials' directories, how it is read, and what to do without it."""
    from gpscale.comparison.side_by_side.begun import BEGUN_FILE, read_begun
    from gpscale.comparison.side_by_side.comparison import Comparison, read_entries, read_timings
    from gpscale.rules.gp_rule import GPRule
    from gpscale.surrogate.surface import Surface
    from gpscale.training.data.preparing import is_store
    from gpscale.trial import OUTCOMES

    yield from _settings(run)
    yield run.provenance_file, run.described_images, f"{_SWEEP_AGAIN}: it is written anew"
    yield run.study_file, lambda: read_json(run.study_file)["schema"], _FIT_AGAIN
    for outcome in OUTCOMES:
        file = run.surface_file(outcome)
        yield file, lambda file=file: Surface.from_dict(read_json(file)), _FIT_AGAIN  # type: ignore[misc]
    for file in (run.rule_file, run.trials_rule_file):
        yield file, lambda file=file: GPRule.from_dict(read_json(file)), _FIT_AGAIN  # type: ignore[misc]
    yield (
        run.fidelity_file,
        lambda: read_json(run.fidelity_file)["trials"],
        "run `gpscale fidelity` again: it chooses anew, and keeps what it has trained of that choice",
    )
    for file, again in ((run.diagnostics_file, "diagnose"), (run.regret_file, "regret")):
        yield file, lambda file=file: read_json(file)["fit"], f"run `gpscale {again}` again"  # type: ignore[misc]
    entries, timings = Comparison.entries_file_of(run), Comparison.timings_file_of(run)
    yield entries, lambda: read_entries(run), "run the comparison again: it is chosen anew"
    yield timings, lambda: read_timings(run), "run the comparison again: all is timed anew"
    yield (
        run.path / BEGUN_FILE,
        lambda: read_begun(run),
        "put it back as it was; without it, what the comparison has now passes for what it was begun with",
    )
    yield run.pareto_file, lambda: _read_table(run.pareto_file), _FIT_AGAIN
    # a directory of that name with other files is none of ours
    if is_store(run.images):
        yield run.images, lambda: _read_images(run.images), f"{_SWEEP_AGAIN}: the images are decoded anew"


def _damaged_in_trial(run: RunDir, trial_id: str, *, stops: bool) -> Iterator[tuple[Path, str, str]]:
    record, damage = None, ""
    try:
        record = run.record(trial_id)
        if record is not None:
            damage = _fault(record, trial_id)
    except GpscaleError as error:
        damage = str(error)
    damage = damage or _damaged_hits(run, trial_id)
    lost = "" if damage else _lost_curve(run, trial_id, record)
    if lost and (record is None or not stops):
        curve = run.trial(trial_id) / CURVE_FILE
        if curve.exists():
            kept = "nothing: the trial's record is whole, only its learning curve is lost"
            yield curve, lost, kept if record else f"{_SWEEP_AGAIN}: it is written anew"
    elif damage or lost:
        # all of the trial: a curve that stayed behind would be that of one which was cut off; and where trials are
        # stopped by the curves of others, one that is lost would change what was decided
        yield run.trial(trial_id), damage or lost, f"{_TRAIN_AGAIN}{_OR_WITHOUT if run.study_file.exists() else ''}"
        return
    # a finished or stopped trial has no checkpoint, and torch, which reads them, takes seconds to import
    if record is None or record.failure is not None:
        yield from _damaged_checkpoint(run, trial_id)


def _fault(record: TrialRecord, trial_id: str) -> str:
    """Say what is wrong with a record that could be read; empty if nothing is."""
    if record.id != trial_id:
        return f"it is the record of trial {record.id}"
    if record.stopped and "epochs" not in record.measured.get("trained", ()):
        return "it is of a stopped trial and does not say in `measured` what was `trained`"
    family = families.get(record.trial.family)
    try:
        family.row(family.architecture_from_dict(record.trial.architecture))
    except (LookupError, TypeError, ValueError) as error:
        return f"its architecture is none of {family.name}: {detail_of(error)}"
    return ""


def _damaged_hits(run: RunDir, trial_id: str) -> str:
    """Say what is wrong with the record of which test images are right; empty if nothing is, or there is none."""
    from gpscale.training.test_hits import TEST_HITS_FILE, read_test_hits

    try:
        if (run.trial(trial_id) / TEST_HITS_FILE).exists():
            read_test_hits(run.trial(trial_id))
    except RunDirError as error:
        return str(error)
    return ""


def _lost_curve(run: RunDir, trial_id: str, record: TrialRecord | None) -> str:
    """Say what is wrong with a learning curve, a lost one included; empty if nothing is."""
    epochs = record.result.epochs if record and record.result else None
    try:
        if (run.trial(trial_id) / CURVE_FILE).exists():
            _read_table(run.trial(trial_id) / CURVE_FILE)
        rows = read_curve(run.trial(trial_id), epochs)
    except (ValueError, GpscaleError) as error:
        return str(error)
    least = record.measured["trained"]["epochs"] if record and record.stopped else epochs
    # what was taken from elsewhere may have come without
    if record is None or least is None or len(rows) >= least or (not rows and "replayed_from" in record.measured):
        return ""
    return f"it has {len(rows)} epochs in {CURVE_FILE}, not {least}"


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
