"""The driver: check, prepare, train what is not trained yet, fit, draw."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import platform
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gpscale.errors import DataError, RunDirError
from gpscale.execution import Event, Executor, Job, StoredTrials
from gpscale.execution.machine import versions
from gpscale.run_dir import RunDir
from gpscale.stopping import Dominated
from gpscale.stored import write_atomically, write_json
from gpscale.study import Study
from gpscale.sweep.config import FREE_TO_CHANGE, SweepConfig
from gpscale.sweep.failures import FailureLimit
from gpscale.sweep.file import SettingsFile
from gpscale.sweep.fit import fit_run
from gpscale.sweep.place import check_apart, is_unused, leave_nothing, remove_images
from gpscale.sweep.plan import check_classes, count_classes, plan_architectures, plan_trials
from gpscale.sweep.replicating import next_replicates
from gpscale.sweep.settling import Settling
from gpscale.training.data.config import DataConfig
from gpscale.training.data.store import ImageStore
from gpscale.trial import FailureReason, Trial, TrialRecord


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a sweep is about to do.

    Attributes:
        trials: All trials in order.
        done: Records of those that have ended before, by trial id.
        what: What they are: `"trials"` or `"replicates"`.

    Example:
        >>> config = SweepConfig(base="mobilevitv2_050@32", trials=6)
        >>> len(Plan(plan_trials(config, num_classes=10, fingerprint=""), done={}).pending)
        6
    """

    trials: Sequence[Trial]
    done: dict[str, TrialRecord]
    what: str = "trials"

    @classmethod
    def of(cls, trials: Sequence[Trial], run: RunDir, what: str = "trials") -> Plan:
        """Return the plan of training these trials in a run directory.

        Raises:
            RunDirError: A record there is damaged.
        """
        records = {trial.id: run.record(trial.id) for trial in trials}
        return cls(trials, {trial_id: record for trial_id, record in records.items() if record is not None}, what)

    @property
    def pending(self) -> list[Trial]:
        """The trials that have no record yet, in order."""
        return [trial for trial in self.trials if trial.id not in self.done]


def check(config: SweepConfig, run: RunDir, stored: StoredTrials | None = None) -> int:
    """Check all that can be checked before any work, and return the number of classes.

    Args:
        config: The sweep.
        run: Its run directory.
        stored: The study that answers its trials; None where they are trained. No image is looked at then.

    Raises:
        MissingTrialError: The study does not hold all trials that are still to run.
        RunDirError: The directory holds another sweep, trials on other images, or what is not gpscale's; or it lies
            among the images, or they in it.
        DataError: The images are unusable.
        SpaceError: The plan is impossible.
        SweepFileError: `num_classes` contradicts the images.

    Example:
        >>> check(SweepConfig(base="mobilevitv2_050@32"), RunDir("runs/new"))
        10
    """
    if run.sweep_file.exists():
        _check_same_sweep(config, run)
    elif run.path.exists() and not run.path.is_dir():
        raise RunDirError(f"A run directory must be a directory. {run.path} is a file. Give another --name.")
    elif not is_unused(run):
        raise RunDirError(
            f"A run directory must be empty or hold a sweep. {run.path} holds other files. Give another --name."
        )
    if stored is None:
        check_apart(run, config.data)
    num_classes = config.num_classes
    if num_classes is not None:
        # the plan needs no images then, so that a bad one is refused before they are read
        plan_architectures(config, num_classes)
    num_classes = count_classes(config) if stored is None else check_classes(config, len(stored.images["classes"]))
    plan_architectures(config, num_classes)
    if stored is not None:
        check_same_images(run, stored.images["fingerprint"])
        stored.check(Plan.of(plan_trials(config, num_classes, stored.images["fingerprint"]), run).pending)
    return num_classes


def prepare(config: SweepConfig, run: RunDir, stored: StoredTrials | None = None) -> Plan:
    """Decode the images, write the sweep into its run directory and return the plan.

    Args:
        config: The sweep.
        run: Its run directory.
        stored: The study that answers its trials, whose images then are the sweep's; None where they are trained.

    Raises:
        GpscaleError: As `check` does; or the images are not those that the run directory was begun with.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     len(prepare(SweepConfig(base="mobilevitv2_050@32"), RunDir(folder)).pending)
        24
    """
    num_classes = check(config, run, stored)
    images = stored.images if stored else image_facts(config.data, open_images(config, run, num_classes))
    trials = plan_trials(config, num_classes, images["fingerprint"])
    describe(config, run.sweep_file, images, run)
    return Plan.of(trials, run)


def open_images(config: SweepConfig, run: RunDir, num_classes: int) -> ImageStore:
    """Decode the images of a sweep into its run directory, unless they are there already.

    Raises:
        DataError: They are unusable.
        RunDirError: They are not those that the run directory was begun with.
    """
    try:
        store = ImageStore.prepare(config.data, run.images, largest_pixels(config, num_classes))
    except DataError:
        leave_nothing(run)
        raise
    try:
        check_same_images(run, store.fingerprint)
    except RunDirError:
        remove_images(run)
        raise
    return store


def largest_pixels(config: SweepConfig, num_classes: int) -> int:
    """Return the largest side of an image that a sweep trains at, or could recommend, pixels."""
    planned = max(architecture.pixels for architecture in plan_architectures(config, num_classes))
    return max(planned, int(config.search_space(num_classes).pixels().max()))


def image_facts(data: DataConfig, store: ImageStore) -> dict[str, Any]:
    """Return what a provenance says of images, as JSON values; of test images only where there are any."""
    tested = {"test_images": len(store.test_indices)} if len(store.test_indices) else {}
    return {
        "source": data.source,
        "fingerprint": store.fingerprint,
        "classes": list(store.class_names),
        "stored_pixels": store.side,
        "train_images": len(store.train_indices),
        "validation_images": len(store.validation_indices),
        **tested,
    }


def describe(settings: SettingsFile, file: Path, images: Mapping[str, Any], run: RunDir) -> None:
    """Write into a run directory what is trained there, and with what.

    Args:
        settings: What was asked for.
        file: Where that is written.
        images: As `image_facts` returns it.
        run: The run directory.
    """
    # the settings last: where they are, all else is
    write_json(run.provenance_file, _provenance(images))
    write_atomically(file, settings.resolved().to_yaml())


def run_sweep(
    config: SweepConfig,
    run: RunDir,
    executor: Executor,
    *,
    retry: Collection[FailureReason] = (),
    max_failures: int | None = None,
    on_plan: Callable[[Plan], None] = lambda plan: None,
    on_event: Callable[[Event], None] = lambda event: None,
) -> Study:
    """Train what is not trained yet, then fit, select and draw.

    Args:
        config: The sweep.
        run: Its run directory; made if absent, continued if it holds this sweep.
        executor: Where trials run, or what answers them.
        retry: Failed trials with one of these reasons are run again.
        max_failures: Stop when so many trials and replicates have failed in this run; None never stops.
        on_plan: Called with the plan before the first trial starts, and with each of replicates before theirs.
        on_event: Called with every event of the executor.

    Returns:
        The fitted study.

    Raises:
        GpscaleError: Bad input, before any work starts; or too few finished trials to fit, after it.
        TooManyFailuresError: `max_failures` trials have failed; those that ran go on from their checkpoints next time.

    Example:
        >>> from gpscale.execution import LocalExecutor
        >>> config = SweepConfig.from_values({"base": "mobilevitv2_050@32", "data": {"source": "folder", "root": "no"}})
        >>> run_sweep(config, RunDir("runs/new"), LocalExecutor())
        Traceback (most recent call last):
        gpscale.errors.DataError: `data.root` must be a directory. Got 'no', where nothing is. Correct the path.
    """
    check(config, run, executor.stored)
    with run.locked():
        run.remove_leftovers()
        plan = prepare(config, run, executor.stored)
        run_these = functools.partial(
            run_plan,
            run=run,
            executor=executor,
            images=run.images,
            retry=retry,
            limit=FailureLimit(run, max_failures),
            on_plan=on_plan,
            on_event=on_event,
        )
        run_these(plan, stop=Dominated() if config.stop else None)
        planned: list[Trial] = []
        while replicates := next_replicates(config, plan.trials, planned, run):
            run_these(Plan.of(replicates, run, "replicates"))
            planned += replicates
        return fit_run(run, config)


def run_plan(
    plan: Plan,
    run: RunDir,
    executor: Executor,
    *,
    images: Path,
    stop: Dominated | None = None,
    retry: Collection[FailureReason] = (),
    limit: FailureLimit | None = None,
    on_plan: Callable[[Plan], None] = lambda plan: None,
    on_event: Callable[[Event], None] = lambda event: None,
) -> None:
    """Train what a plan has not trained yet, in a run directory that the caller has locked.

    Args:
        plan: The trials.
        run: Where they and their records lie.
        executor: Where they run.
        images: Directory of the decoded images.
        stop: Which trials are not trained to their end; None trains all. The end of a trial is told when all earlier
            ones of the plan have ended, too.
        retry: As in `run_sweep`.
        limit: How many trials may fail, of this plan and of others that share it; None for any number.
        on_plan: As in `run_sweep`.
        on_event: As in `run_sweep`.

    Raises:
        TooManyFailuresError: As in `run_sweep`.
    """
    plan = _without_failures(plan, run, retry)
    settling = None
    if stop is not None:
        settling = Settling(plan.trials, run, stop)
        plan = Plan.of(plan.trials, run)
    executor.settle([Job(trial, run.path, images) for trial in plan.pending])
    on_plan(plan)
    if not plan.pending:
        return
    with executor:
        for event in _events(plan, run, executor, images, settling, limit):
            on_event(event)


def _events(
    plan: Plan,
    run: RunDir,
    executor: Executor,
    images: Path,
    settling: Settling | None,
    limit: FailureLimit | None,
) -> Iterator[Event]:
    """Run what is pending and yield what may be told of it."""
    while jobs := [Job(trial, run.path, images) for trial in plan.pending]:
        for event in executor.run(jobs):
            yield from [event] if settling is None else settling.hear(event, executor)
            if limit is not None:
                # not when the end is told: that waits for all earlier trials
                limit.hear(event)
        if settling is None:
            return
        # one that counted as stopped goes on if an earlier one, run again, has moved the bound
        plan = Plan.of(plan.trials, run)


def _check_same_sweep(config: SweepConfig, run: RunDir) -> None:
    differences = SweepConfig.load(run.sweep_file).differences(config)
    if differences:
        listed = "; ".join(f"`{key}` is {own!r} there, {its!r} here" for key, (own, its) in differences.items())
        raise RunDirError(
            f"A run directory holds one sweep. {run.path} holds another: {listed}. "
            f"Give this one another --name, or change the settings back (free to change: {', '.join(FREE_TO_CHANGE)})."
        )


def check_same_images(run: RunDir, fingerprint: str) -> None:
    """Refuse images other than those that the run directory's trials have seen: their accuracies do not compare."""
    if not run.provenance_file.exists():
        return
    begun = run.described_images()["fingerprint"]
    if begun != fingerprint:
        raise RunDirError(
            f"All trials of a run directory are trained on the same images. {run.path} was begun with others "
            f"(fingerprint {begun[:12]}, now {fingerprint[:12]}). Put the images back, or give this sweep "
            "another --name."
        )


def _without_failures(plan: Plan, run: RunDir, retry: Collection[FailureReason]) -> Plan:
    """Forget the records of trials that failed for one of the reasons, so that they are run again."""
    again = [trial_id for trial_id, record in plan.done.items() if record.failure in retry]
    for trial_id in again:
        run.record_file(trial_id).unlink()
    done = {trial_id: record for trial_id, record in plan.done.items() if trial_id not in again}
    return dataclasses.replace(plan, done=done)


def _provenance(images: Mapping[str, Any]) -> dict[str, Any]:
    """Say what the sweep was made with; nothing here names a machine or a person."""
    return {
        "updated": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "packages": versions(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "data": dict(images),
    }
