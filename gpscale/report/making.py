"""How a study was made: images, recipe, seeds, hardware, cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from gpscale.report.markdown import bullets, table
from gpscale.study import Study
from gpscale.training.recipe import Recipe
from gpscale.trial import TrialRecord, TrialState

MAIN_SETTINGS = (
    "epochs", "batch_size", "learning_rate", "weight_decay", "label_smoothing", "ema", "crop", "flip", "precision",
)  # fmt: skip
UNKNOWN = "not recorded"

_USES = {"train_images": "to train", "validation_images": "to validate"}

_NAMED = 12
"""Classes that a card names."""


def making(study: Study) -> str:
    """Return a table of everything that a repetition needs."""
    records, data = [*study.run.records(), *study.run.fidelity.records()], study.settings["data"]
    rows = [
        *image_rows(study.run.described_images(), data),
        (
            "split",
            f"{data['validation']:.0%} of every class of the training images validates, split seed "
            f"{data['split_seed']}; the test split is not touched",
        ),
        *_plan(study),
        *recipe_rows(study.settings["recipe"]),
        ("seeds", ", ".join(str(seed) for seed in sorted({record.trial.seed for record in records})) or UNKNOWN),
        *hardware_rows(records),
        *_cost(study, records),
    ]
    parts = [table(["", ""], rows)]
    for state, title in ((TrialState.FAILED, "Trials that failed"), (TrialState.STOPPED, "Trials that were stopped")):
        ended = study.trials[study.trials["state"] == state].to_dict("records")
        listed = bullets(f"trial {row['id']} (c = {row['c']:.3f}): {row['reason']}: {row['detail']}" for row in ended)
        parts += [f"{title}:\n\n{listed}"] if ended else []
    return "\n\n".join(parts)


def image_rows(images: Mapping[str, Any], data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what was trained on, and scored.

    Args:
        images: What a run directory says of its images.
        data: The settings of images that it was made with.
    """
    counts = [f"{images[key]:,} {use}" if key in images else f"{use}: {UNKNOWN}" for key, use in _USES.items()]
    counts += [f"{images['test_images']:,} to test"] if "test_images" in images else []
    # where the images lie is a matter of one machine; what their folder is called is not
    folder = f", folder `{PurePath(data['root']).name}`" if data["source"] in ("folder", "parquet") else ""
    side = images.get("stored_pixels")
    return [
        ("images", f"source `{data['source']}`{folder}, {', '.join(counts)}"),
        ("classes", f"{len(images['classes'])}: {_first(images['classes'])}"),
        ("stored size", UNKNOWN if side is None else f"{side} x {side} px"),
        ("fingerprint", f"`{images['fingerprint']}`"),
    ]


def _first(names: Sequence[str]) -> str:
    """Return names, the first of them where they are many."""
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _plan(study: Study) -> list[tuple[str, str]]:
    facts, counts = study.facts, study.facts["trials"]
    bounds = ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in facts["bounds"].items())
    reasons = Counter(study.trials.loc[study.trials["state"] == TrialState.FAILED, "reason"])
    stop = f", {counts['stopped']} stopped" if counts["stopped"] else ""
    why = "".join(f"; {count} {reason}" for reason, count in sorted(reasons.items()))
    return [
        ("search space", f"{bounds}; pixels in steps of {facts['pixel_step']}"),
        ("sampler", f"`{facts['sampler']}`, c from {facts['band'][0]:g} to {facts['band'][1]:g}"),
        ("trials", f"{counts['planned']} planned, {counts['finished']} finished, {counts['failed']} failed{why}{stop}"),
        ("c of the trials", f"{facts['c_range'][0]:.3f} to {facts['c_range'][1]:.3f}"),
    ]


def recipe_rows(own: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a recipe's main settings, and where it differs from the defaults."""
    defaults = Recipe().model_dump(mode="json")
    changed = [f"{key} {own[key]} ({defaults[key]})" for key in defaults if key in own and own[key] != defaults[key]]
    return [
        ("recipe", ", ".join(f"{key} {own[key]}" for key in MAIN_SETTINGS if key in own)),
        ("recipe, where it differs from the defaults (theirs)", ", ".join(changed) or "nowhere"),
    ]


def hardware_rows(records: Sequence[TrialRecord]) -> list[tuple[str, str]]:
    """Return what trials ran on."""
    rows = []
    for key, title in (("cpu", "processor"), ("device", "device"), ("threads", "threads a trial"), ("torch", "torch")):
        found = Counter(str(record.measured[key]) for record in records if key in record.measured)
        each = (
            f"{value} ({count} {'trial' if count == 1 else 'trials'})" if len(found) > 1 else value
            for value, count in sorted(found.items())
        )
        rows.append((title, ", ".join(each) or UNKNOWN))
    return rows


def _cost(study: Study, records: Sequence[TrialRecord]) -> list[tuple[str, str]]:
    finished = study.finished["seconds"].dropna()
    long = [_seconds(record) for record in study.run.fidelity.records()]
    rows = [
        (
            "cost",
            f"{core_hours(records):.1f} thread hours of training and evaluation" + (" in all" if long else ""),
        ),
        ("seconds a trial", f"{finished.min():.0f} to {finished.max():.0f}" if len(finished) else UNKNOWN),
    ]
    if long:
        rows.append(("seconds a longer training", f"{min(long):.0f} to {max(long):.0f}"))
    return [*rows, ("when", days(records))]


def core_hours(records: Sequence[TrialRecord]) -> float:
    """Return what trainings and their evaluations took, threads times hours, waiting for shared cores included."""
    return sum(_seconds(record) * float(record.measured.get("threads", 1)) for record in records) / 3600


def days(records: Sequence[TrialRecord]) -> str:
    """Return the first day and the last."""
    found = sorted(
        record.measured[key][:10] for record in records for key in ("started", "ended") if key in record.measured
    )
    return " to ".join(dict.fromkeys((found[0], found[-1]))) if found else UNKNOWN


def _seconds(record: TrialRecord) -> float:
    return float(record.measured.get("train_seconds", 0.0) + record.measured.get("evaluate_seconds", 0.0))
