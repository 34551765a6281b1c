"""Train what a comparison compares, time it, and keep the tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from typing import Any

from gpscale.benchmark.latency import bench
from gpscale.benchmark.protocol import protocol_of
from gpscale.comparison.comparison_list import ENTRIES_FILE, SETTINGS_FILE
from gpscale.comparison.side_by_side.begun import check_first, keep_begun
from gpscale.comparison.side_by_side.comparison import Comparison, read_entries
from gpscale.comparison.side_by_side.entries import Entry, find_entries
from gpscale.comparison.side_by_side.figure import plot_comparison
from gpscale.comparison.side_by_side.settings import ComparisonConfig
from gpscale.errors import BudgetError, RunDirError
from gpscale.execution import Event, Executor
from gpscale.plotting.files import write_figure
from gpscale.run_dir import RunDir
from gpscale.stored import write_atomically, write_json
from gpscale.sweep.driver import Plan, check_same_images, describe, image_facts, run_plan
from gpscale.sweep.place import check_apart, is_unused
from gpscale.training.data.sources import open_source
from gpscale.training.data.store import ImageStore
from gpscale.trial import FailureReason, Trial
from gpscale.units import format_macs

LATENCY, THROUGHPUT = protocol_of("gpscale"), protocol_of("msra")


def run_comparison(
    config: ComparisonConfig,
    run: RunDir,
    executor: Executor,
    *,
    retry: Collection[FailureReason] = (),
    on_plan: Callable[[Plan], None] = lambda plan: None,
    on_event: Callable[[Event], None] = lambda event: None,
    on_results: Callable[[Comparison], object] = lambda comparison: None,
    tell: Callable[[str], None] = lambda text: None,
) -> Comparison:
    """Train what is not trained yet, time what is not timed yet, and write tables and figure.

    They are written when the trainings have ended, and again when the models have been timed.

    Args:
        config: The comparison.
        run: Its run directory; made if absent, continued if it holds this comparison.
        executor: Where trainings run.
        retry: Failed trainings with one of these reasons are run again.
        on_plan: Called once with the plan, before the first training starts.
        on_event: Called with every event of the executor.
        on_results: Called with the comparison whenever its tables have been written.
        tell: Called with what is being timed.

    Returns:
        The comparison with its tables.

    Raises:
        GpscaleError: Bad input, before any work starts.

    Example:
        >>> from gpscale.execution import LocalExecutor
        >>> config = ComparisonConfig.from_values({"budgets": ["20M"], "data": {"source": "folder", "root": "no"}})
        >>> run_comparison(config, RunDir("runs/new"), LocalExecutor())
        Traceback (most recent call last):
        gpscale.errors.DataError: `data.root` must be a directory. Got 'no', where nothing is. Correct the path.
    """
    check(config, run)
    with run.locked():
        run.remove_leftovers()
        plan = prepare(config, run)
        run_plan(plan, run, executor, images=run.images, retry=retry, on_plan=on_plan, on_event=on_event)
        comparison = write_results(run)
        on_results(comparison)
        if config.timing and time_entries(comparison, tell):
            comparison = write_results(run)
            on_results(comparison)
        return comparison


def check(config: ComparisonConfig, run: RunDir) -> list[Entry]:
    """Check all that can be checked before any work, and return what will be trained.

    Raises:
        BudgetError: There is a budget that no entrant can keep.
        DataError: The images are unusable, or have no test split.
        RunDirError: The directory holds another comparison, or something else; or the entrant with which the others
            are compared is another, though there are results.
    """
    file = Comparison.settings_file_of(run)
    known: Sequence[Entry] = ()
    if file.exists():
        begun = ComparisonConfig.load(file)
        if differences := begun.differences(config):
            listed = "; ".join(f"`{key}` is {own!r} there, {its!r} here" for key, (own, its) in differences.items())
            raise RunDirError(
                f"A run directory holds one comparison. {run.path} holds another: {listed}. Give this one another "
                "--name, or change the settings back."
            )
        check_first(run, config)
        # without what was chosen, the same is chosen again from the same studies
        known = read_entries(run) if Comparison.entries_file_of(run).exists() else ()
    elif not is_unused(run, ENTRIES_FILE, SETTINGS_FILE):
        raise RunDirError(
            f"A run directory must be empty or hold a comparison. {run.path} holds something else. Give another --name."
        )
    check_apart(run, config.data)
    classes = len(open_source(config.data.request()).class_names)
    open_source(config.data.request("test"))
    entries = find_entries(config, classes, known)
    _check_reach(entries)
    return entries


def _check_reach(entries: Sequence[Entry]) -> None:
    for budget in dict.fromkeys(entry.budget for entry in entries):
        missing = [entry.missing for entry in entries if entry.budget == budget]
        if all(missing):
            raise BudgetError(
                f"`budgets` must be ones that an entrant can keep. Got {format_macs(budget)}, which none can: "
                f"{missing[0]}"
            )


def prepare(config: ComparisonConfig, run: RunDir) -> Plan:
    """Decode the images, write down what is compared and return the plan: seed by seed, budget by budget.

    Raises:
        GpscaleError: As `check` does; or the images are not those that the run directory was begun with.
    """
    entries = check(config, run)
    if run.provenance_file.exists():
        # an entrant that comes later and sees larger images must not change those of the others
        pixels = run.described_images()["stored_pixels"]
    else:
        pixels = max(entry.architecture["pixels"] for entry in entries if not entry.missing)
    store = ImageStore.prepare(config.data, run.images, pixels, test=True)
    check_same_images(run, store.fingerprint)
    entries = [_with_images(entry, store) for entry in entries]
    keep_begun(run, config)
    write_json(Comparison.entries_file_of(run), [dataclasses.asdict(entry) for entry in entries])
    describe(config, Comparison.settings_file_of(run), image_facts(config.data, store), run)
    trials: dict[str, Trial] = {}
    for seed in range(config.seed, config.seed + config.seeds):
        for entry in entries:
            if not entry.missing:
                trial = trial_of(entry, config, store.num_classes, store.fingerprint, seed)
                # entrants that build the same model share its trainings
                trials.setdefault(trial.id, trial)
    return Plan.of(list(trials.values()), run, "trainings")


def _with_images(entry: Entry, store: ImageStore) -> Entry:
    """Note whether a study has searched on the very images that train here."""
    if not entry.search:
        return entry
    return dataclasses.replace(
        entry, search={**entry.search, "same_images": entry.search["fingerprint"] == store.search_fingerprint}
    )


def time_entries(comparison: Comparison, tell: Callable[[str], None] = lambda text: None) -> bool:
    """Time what has not been timed yet: all of it again, together, if anything is new; say whether anything was."""
    # entrants that build the same model share its times
    models: dict[str, Entry] = {}
    for entry in comparison.entries:
        if not entry.missing:
            models.setdefault(entry.model_key, entry)
    found = comparison.timings
    if found is not None and models.keys() <= found["models"].keys():
        return False
    each = [entry.model for entry in models.values()]
    measured = {
        protocol.name: bench(
            each,
            protocol,
            num_classes=comparison.num_classes,
            tell=lambda text, protocol=protocol: tell(f"{protocol.statistic}: {text}"),  # type: ignore[misc]
        )
        for protocol in (LATENCY, THROUGHPUT)
    }
    rows: dict[str, Any] = {
        key: {
            "latency_ms": 1e3 * latency.timing.percentiles["p50"],
            "latency_p90_ms": 1e3 * latency.timing.percentiles["p90"],
            "images_per_second": throughput.timing.images_per_second,
            # models can be compared by these though others used the cores too
            "latency_cpu_ms": 1e3 * latency.timing.processor.percentiles["p50"],
            "images_per_cpu_second": throughput.timing.processor.images_per_second,
        }
        for key, latency, throughput in zip(models, *(one.rows for one in measured.values()), strict=True)
    }
    write_json(
        Comparison.timings_file_of(comparison.run),
        {
            "protocols": {name: one.protocol.describe() for name, one in measured.items()},
            "conditions": measured[LATENCY.name].conditions,
            "cores_shared": any(one.shared for one in measured.values()),
            "models": rows,
        },
    )
    return True


def write_results(run: RunDir) -> Comparison:
    """Write the tables and the figure of what there is, and return the comparison."""
    comparison = Comparison(run)
    write_atomically(run.path / "trainings.csv", comparison.trainings.to_csv(index=False))
    write_atomically(run.path / "comparison.csv", comparison.table.to_csv(index=False))
    write_atomically(run.path / "differences.csv", comparison.differences.to_csv(index=False))
    if comparison.table["top1"].notna().any():
        drawn = plot_comparison(comparison.table, comparison.name, by_processor=comparison.by_processor)
        write_figure(drawn, run.figures / "comparison")
    return comparison


def trial_of(entry: Entry, config: ComparisonConfig, num_classes: int, fingerprint: str, seed: int) -> Trial:
    """Return one training of an entry."""
    recipe = config.recipe.model_dump(mode="json")
    return Trial(entry.family, dict(entry.architecture), num_classes, recipe, fingerprint, seed)
