"""The card of a comparison: one page with its tables, how they were made, and what they cannot say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from gpscale.comparison.proportions import interval_of_share
from gpscale.comparison.side_by_side import Comparison
from gpscale.comparison.side_by_side.table import seed_intervals
from gpscale.factors import FACTOR_NAMES, FACTOR_SYMBOLS
from gpscale.report.differences import DIFFERENCE_COLUMNS, HOW_SURE, difference_cells
from gpscale.report.making import core_hours, days, hardware_rows, image_rows, recipe_rows
from gpscale.report.markdown import bullets, table
from gpscale.stored import write_atomically
from gpscale.units import format_macs

_FEW_SEEDS = 5
_ADDED = " (added later)"
DIFFERENCES = ("less", *DIFFERENCE_COLUMNS)


def comparison_card(comparison: Comparison) -> str:
    """Return the card as Markdown; every number in it is read or computed from the comparison's files.

    Args:
        comparison: However far it has come.
    """
    question = " ".join(comparison.config.question.split())
    parts = [f"# {comparison.name}", *([f"> {question}"] if question else [])]
    parts += [comparison.note_on_additions] if comparison.note_on_additions else []
    for budget in comparison.config.budgets:
        parts += [f"## {format_macs(budget)} MACs", table(header(comparison), _marked(comparison, budget))]
    if (comparison.run.figures / "comparison.png").exists():
        parts.append("![accuracy against MACs and time](figures/comparison.png)")
    parts += ["## How to read it", _reading(comparison)]
    if len(comparison.differences):
        parts += [
            f"## {comparison.first} less the others",
            table(DIFFERENCES, [difference_row(row, comparison) for row in _rows(comparison.differences)]),
            _how_compared(comparison),
        ]
    parts += ["## What each was scaled from", _scaled(comparison)]
    parts += ["## What it cannot say", bullets(_limits(comparison))]
    parts += ["## How it was made", table(["", ""], _making(comparison))]
    if failed := failure_lines(comparison):
        parts.append(f"Trainings that failed:\n\n{bullets(failed)}")
    return "\n\n".join(parts) + "\n"


def write_comparison_card(comparison: Comparison) -> Path:
    """Write the card beside the comparison's other files and return where."""
    write_atomically(comparison.run.card_file, comparison_card(comparison))
    return comparison.run.card_file


def header(comparison: Comparison) -> tuple[str, ...]:
    """Return the titles of the columns of a budget's table."""
    times = ("CPU time, ms", "images/CPU s") if comparison.by_processor else ("latency, ms", "images/s")
    return ("model", "parameters", "MACs", "left", "px", "top-1", "top-5", *times, "seeds")


def ranked(comparison: Comparison, budget: int) -> list[dict[str, Any]]:
    """Return the rows of a budget in which something is built, the best first; those without a result last."""
    rows = comparison.table[(comparison.table["budget"] == budget) & (comparison.table["missing"] == "")]
    return _rows(rows.sort_values("top1", ascending=False, na_position="last", kind="stable"))


def missing_lines(comparison: Comparison, budget: int) -> list[str]:
    """Say why entrants build nothing for a budget."""
    rows = comparison.table[(comparison.table["budget"] == budget) & (comparison.table["missing"] != "")]
    return [f"{row['entrant']}: n/a: {row['missing']}" for row in _rows(rows)]


def cells(row: dict[str, Any], *, by_processor: bool) -> list[str]:
    """Return the cells of one row, in the order of `header`."""
    times = ("latency_cpu_ms", "images_per_cpu_second") if by_processor else ("latency_ms", "images_per_second")
    return [
        row["entrant"]
        + (_ADDED if row["added"] else "")
        + (f" (same model as {row['same_as']})" if row["same_as"] else ""),
        format_macs(row["params"]),
        format_macs(row["macs"]),
        f"{row['gap']:.1%}",
        f"{row['pixels']:.0f}",
        _accuracy(row, "top1"),
        _accuracy(row, "top5"),
        _number(row[times[0]], ".1f"),
        _number(row[times[1]], ",.0f"),
        str(row["seeds"]),
    ]


def difference_row(row: dict[str, Any], comparison: Comparison) -> list[str]:
    """Return the cells of a difference, in the order of `DIFFERENCES`."""
    seeds = comparison.config.seeds if row["budget"] else len(comparison.judged_seeds)
    name = row["theirs"] + (_ADDED if row["theirs"] in comparison.added else "")
    return [name, *difference_cells(row, seeds)]


def failure_lines(comparison: Comparison) -> list[str]:
    """Say which trainings failed and why."""
    return [
        f"{row['entrant']} at {format_macs(row['budget'])}, seed {row['seed']} (trial {row['trial']}): {row['reason']}"
        f"{': ' + row['detail'] if row['detail'] else ''}"
        for row in _rows(comparison.failures)
    ]


def _marked(comparison: Comparison, budget: int) -> list[list[str]]:
    """Return the rows of a budget's table, those on the front in bold, and those for which nothing fits."""
    rows = []
    for row in ranked(comparison, budget):
        name, *rest = cells(row, by_processor=comparison.by_processor)
        rows.append([f"**{name}**" if row["front"] else name, *rest])
    blank = [""] * (len(header(comparison)) - 1)
    return rows + [[line, *blank] for line in missing_lines(comparison, budget)]


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = frame.to_dict("records")  # type: ignore[assignment]
    return found


def _accuracy(row: dict[str, Any], name: str) -> str:
    if pd.isna(row[name]):
        return "-"
    ends = "" if pd.isna(row[f"{name}_low"]) else f" ({100 * row[f'{name}_low']:.1f} to {row[f'{name}_high']:.1%})"
    return f"{row[name]:.1%}{ends}"


def _number(value: float, form: str) -> str:
    return "-" if pd.isna(value) else format(value, form)


def _reading(comparison: Comparison) -> str:
    timed = comparison.timings
    said = [
        "Bold: no other model of any budget has both fewer MACs and a higher top-1, where all that use their budget "
        f"count as equal: those with at least {comparison.config.least_share:.0%} of it.",
        "Left: the share of the budget that is not used. Accuracies are those of the test images, with averaged "
        "weights, after the last epoch; nothing was chosen by them.",
    ]
    finished = comparison.trainings[comparison.trainings["test_top1"].notna()]
    spread = seed_intervals(finished, "test_top1")
    if spread.degrees:
        said.append(
            "In brackets: 95 % intervals of the mean over seeds (Student's t). The spread between seeds is pooled over "
            f"all models: {100 * spread.std:.2f} points of top-1, one standard deviation, {spread.degrees} degrees of "
            "freedom. They say nothing of the test images, and of two models the paired difference says more."
        )
    else:
        said.append("One seed: how much a training differs from its repetition was not measured.")
    if timed is not None:
        where = timed["conditions"]
        latency, throughput = (
            ("processor time", "images per second of it") if comparison.by_processor else ("latency", "images/s")
        )
        said.append(
            f"Timed on {where['processor']} ({where['runtime']}, {where['dtype']}): {latency} is the median of "
            f"`{timed['protocols']['gpscale']}`, {throughput} of `{timed['protocols']['msra']}`."
        )
        said += [comparison.note_on_times] if comparison.note_on_times else []
    return bullets(said)


def _how_compared(comparison: Comparison) -> str:
    lines = [
        f"Each other entrant is compared with the one that the file names first, {comparison.first}: positive "
        "differences are in its favour.",
        "Pairs have the same budget, the same seed, so the same data order, and the same test images.",
        HOW_SURE,
        "The verdicts are those over all budgets, corrected for their number (Holm)."
        + (" Differences at single budgets are not, and only describe." if len(comparison.config.budgets) > 1 else ""),
    ]
    if comparison.config.seeds < _FEW_SEEDS:
        lines.append(
            "So few seeds can only tell large differences from chance: a tie is not a proof that two are alike."
        )
    differences = comparison.differences
    if same := int(differences.loc[differences["budget"] == 0, "coinciding"].sum()):
        lines.append(f"In {same} pairs both build the same model, whose difference is 0.")
    return bullets(lines)


def _scaled(comparison: Comparison) -> str:
    """Return a table of what was scaled, and of the realised factors at each budget."""
    budgets = comparison.config.budgets
    symbols = ", ".join(FACTOR_SYMBOLS[name] for name in FACTOR_NAMES)
    by_key = {(row["entrant"], row["budget"]): row for row in _rows(comparison.table)}
    rows = []
    for entrant in comparison.entrants:
        own = [by_key[entrant, budget] for budget in budgets]
        bases = dict.fromkeys(row["from"] for row in own if not row["missing"])
        rows.append([entrant, ", ".join(bases) or "-", *map(_factors, own)])
    return table(["model", "from", *(f"{symbols} at {format_macs(budget)}" for budget in budgets)], rows)


def _factors(row: dict[str, Any]) -> str:
    return "-" if row["missing"] else ", ".join(f"{row[name]:.2f}" for name in FACTOR_NAMES)


def _limits(comparison: Comparison) -> list[str]:
    return [*_of_images(comparison), *_of_training(comparison), *_of_choice(comparison)]


def _of_images(comparison: Comparison) -> list[str]:
    tested, done = comparison.images["test_images"], comparison.table["top1"].dropna()
    lines = []
    if len(done):
        low, high = interval_of_share(float(done.median()), tested)
        lines.append(
            f"All models saw the same {tested:,} test images; as many others would move each accuracy by some "
            f"{100 * (high - low) / 2:.1f} points either way (95 %, binomial), most of it alike for all."
        )
    side = comparison.images["stored_pixels"]
    enlarged = comparison.table.loc[comparison.table["pixels"] > side, "entrant"]
    if len(enlarged):
        lines.append(
            f"Images are stored at {side} x {side} px; {len(enlarged)} of {len(comparison.table)} models saw them "
            "enlarged, where pixels bring more computing but no more detail."
        )
    return lines


def _of_training(comparison: Comparison) -> list[str]:
    epochs = comparison.config.recipe.epochs
    length = f"{epochs} epoch{'s' if epochs > 1 else ''} of {comparison.images['train_images']:,} images"
    lines = [
        f"One recipe for all, {length}: models that would profit from another learning rate, from distillation or from "
        "long training are not at their best, and short trainings favour those that start fast."
    ]
    built = comparison.table[comparison.table["missing"] == ""]
    unfinished = int((built["seeds"] < comparison.config.seeds).sum())
    if unfinished:
        lines.append(f"{unfinished} of {len(built)} models have not all their seeds.")
    return lines


def _of_choice(comparison: Comparison) -> list[str]:
    lines = [
        "Families are scaled from the members that the table names, most of which are larger than these budgets; their "
        "authors might have designed other models for them."
    ]
    searched = {entry.entrant: entry.search for entry in comparison.entries if entry.search}
    for entrant, search in searched.items():
        where = "on these very training images" if search.get("same_images") else "on other training images"
        lines.append(
            f"{entrant} was searched: {search['trials']} trainings {where}. The rivals were not: they were scaled "
            "without any training."
        )
    moved = [
        name
        for name, rows in comparison.table.groupby("entrant")
        if rows.loc[rows["missing"] == "", "from"].nunique() > 1
    ]
    if moved:
        lines.append(
            f"Scaled from another member at each budget: {_listed(moved)}. What they gain with the budget is not one "
            "model's growth."
        )
    return lines


def _listed(names: Sequence[Any]) -> str:
    return ", ".join(map(str, names))


def _making(comparison: Comparison) -> list[tuple[str, str]]:
    config, records = comparison.config, comparison.records
    failed = [record for record in records if record.failure is not None]
    return [
        *image_rows(comparison.images, config.data.model_dump(mode="json")),
        (
            "scaled by",
            f"{config.scale_by}, to at least {config.least_share:.0%} of a budget where there is such a member",
        ),
        *recipe_rows(config.recipe.model_dump(mode="json")),
        (
            "seeds",
            _listed([f"{seed}{'' if seed in comparison.judged_seeds else _ADDED}" for seed in config.seed_range]),
        ),
        ("trainings", f"{len(records) - len(failed)} finished, {len(failed)} failed"),
        *hardware_rows(records),
        (
            "cost",
            f"{core_hours(records):.1f} thread hours of training and evaluation",
        ),
        ("when", days(records)),
    ]
