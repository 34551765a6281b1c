"""What a comparison would train, before it does: nothing is fetched, decoded or written."""

from __future__ import annotations

import dataclasses
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping

from gpscale.comparison.side_by_side.begun import Begun, find_begun
from gpscale.comparison.side_by_side.entries import Entry, model_key
from gpscale.comparison.side_by_side.running import check
from gpscale.comparison.side_by_side.settings import ComparisonConfig
from gpscale.errors import DataError
from gpscale.run_dir import RunDir
from gpscale.sweep.plan import is_to_fetch

_TIMES = ("train_seconds", "evaluate_seconds")


@dataclasses.dataclass(frozen=True)
class Foresight:
    """What a comparison would train.

    Attributes:
        entries: What is built for each entrant and budget.
        models: Different models among them.
        trainings: Trainings of these with all seeds.
        done: Trainings that have ended before.
        workers: Trainings at a time.
        seconds: Estimated wall time of the rest; None where a model of it has no finished training yet.
        added: What it adds to, or leaves out of, a comparison whose results have been seen; else empty.
    """

    entries: list[Entry]
    models: int
    trainings: int
    done: int
    workers: int
    seconds: float | None
    added: str = ""

    @property
    def pending(self) -> int:
        """Trainings that are still to do."""
        return self.trainings - self.done


def foresee(config: ComparisonConfig, run: RunDir, workers: int) -> Foresight:
    """Return what a comparison would train, and how long that takes where trainings of its models have ended.

    Args:
        config: The comparison.
        run: Its run directory; what is done there need not be trained.
        workers: Trainings at a time.

    Raises:
        GpscaleError: Bad input, as in `run_comparison`.
        DataError: The images are not there; those that a comparison would fetch are not fetched.

    Example:
        >>> found: Foresight = foresee(ComparisonConfig.from_values({"budgets": ["4M"]}), RunDir("runs/new"), 2)
        >>> found.models, found.trainings, found.seconds
        (12, 24, None)
    """
    data = config.data.model_copy(update={"download": False})
    try:
        entries = check(config.model_copy(update={"data": data}), run)
    except DataError as error:
        if not is_to_fetch(config.data):
            raise
        raise DataError(
            f"A dry run needs the images, which say how many classes there are. {config.data.source!r} is not in "
            f"{str(config.data.root)!r} yet, and only a comparison fetches it. Start the comparison, or name a "
            "directory that has it with --set data.root=..."
        ) from error
    begun = find_begun(run)
    models = {entry.model_key for entry in entries if not entry.missing}
    ended = Counter[str]()
    took: dict[str, list[float]] = defaultdict(list)
    for record in run.records():
        key = model_key(record.trial.family, record.trial.architecture)
        if key in models and record.trial.seed in config.seed_range:
            ended[key] += 1
            # a training that was answered from elsewhere took no time here
            seconds = [record.measured[name] for name in _TIMES if name in record.measured]
            if record.result is not None and len(seconds) == len(_TIMES):
                took[key].append(sum(seconds))
    return Foresight(
        entries=entries,
        models=len(models),
        trainings=len(models) * config.seeds,
        done=ended.total(),
        workers=workers,
        seconds=_seconds({key: config.seeds - ended[key] for key in models}, took, workers),
        added=begun.note(Begun.of(config)) if begun else "",
    )


def _seconds(pending: Mapping[str, int], took: Mapping[str, list[float]], workers: int) -> float | None:
    """Return about how long trainings take together, by how long others of the same models took."""
    pending = {key: count for key, count in pending.items() if count}
    if not pending.keys() <= took.keys():
        return None
    means = {key: statistics.fmean(took[key]) for key in pending}
    return max(0.0, *means.values(), sum(means[key] * count for key, count in pending.items()) / workers)
