"""The card of a comparison: one page with its tables, how they were made, and what they cannot say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from gpscale.comparison.proportions import interval_of_share
from gpscale.comparison.seed_intervals import SeedIntervals
from gpscale.comparison.side_by_side import Comparison
from gpscale.report.making import core_hours, days, hardware_rows, recipe_rows
from gpscale.report.markdown import bullets, table
from gpscale.run_dir import write_atomically
from gpscale.units import format_macs

HEADER = (
    "model", "parameters", "MACs", "left", "px", "top-1", "top-5", "latency, ms", "images/s", "seeds",
)  # fmt: skip


def comparison_card(comparison: Comparison) -> str:
    """Return the card as Markdown; every number in it is read or computed from the comparison's files.

    Args:
        comparison: However far it has come.
    """
    question = " ".join(comparison.config.question.split())
    figure = "![accuracy against MACs and latency](figures/comparison.png)"
    parts = [f"# {comparison.name}", *([f"> {question}"] if question else [])]
    for budget in comparison.config.budgets:
        rows = comparison.table[comparison.table["budget"] == budget]
        parts += [f"## {format_macs(budget)} MACs", table(HEADER, [cells(row) for row in ranked(rows)])]
    if (comparison.run.figures / "comparison.png").exists():
        parts.append(figure)
    parts += ["## How to read it", _reading(comparison), "## What it cannot say", bullets(_limits(comparison))]
    parts += ["## How it was made", table(["", ""], _making(comparison))]
    return "\n\n".join(parts) + "\n"


def write_comparison_card(comparison: Comparison) -> Path:
    """Write the card beside the comparison's other files and return where."""
    write_atomically(comparison.run.card_file, comparison_card(comparison))
    return comparison.run.card_file


def ranked(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows of one budget, the best first; those without a result last."""
    found: list[dict[str, Any]] = rows.sort_values("top1", ascending=False, na_position="last").to_dict("records")  # type: ignore[assignment]
    return found


def cells(row: dict[str, Any]) -> list[str]:
    """Return the cells of one row, in the order of `HEADER`."""
    if row["missing"]:
        return [row["entrant"], "", "n/a: " + row["missing"], *[""] * (len(HEADER) - 3)]
    marked = "**" if row["front"] else ""
    return [
        f"{marked}{row['entrant']}{marked}",
        format_macs(row["params"]),
        format_macs(row["macs"]),
        f"{row['gap']:.1%}",
        f"{row['pixels']:.0f}",
        _accuracy(row, "top1"),
        _accuracy(row, "top5"),
        _number(row["latency_ms"], ".1f"),
        _number(row["images_per_second"], ",.0f"),
        str(row["seeds"]),
    ]


def _accuracy(row: dict[str, Any], name: str) -> str:
    if pd.isna(row[name]):
        return "-"
    ends = "" if pd.isna(row[f"{name}_low"]) else f" ({row[f'{name}_low']:.1%} to {row[f'{name}_high']:.1%})"
    return f"{row[name]:.1%}{ends}"


def _number(value: float, form: str) -> str:
    return "-" if pd.isna(value) else format(value, form)


def _reading(comparison: Comparison) -> str:
    timed = comparison.timings
    said = [
        "Bold: no other model of any budget has both fewer MACs and a higher top-1.",
        "Left: the share of the budget that is not used. Accuracies are those of the test images, with averaged "
        "weights, after the last epoch; nothing was chosen by them.",
    ]
    spread = _spread(comparison)
    if spread.degrees:
        said.append(
            "In brackets: 95 % intervals of the mean over seeds (Student's t). The spread between seeds is pooled over "
            f"all models: {100 * spread.std:.2f} points of top-1, one standard deviation, {spread.degrees} degrees of "
            "freedom. Two models whose intervals overlap much are a tie."
        )
    else:
        said.append("One seed: how much a training differs from its repetition was not measured.")
    if timed is not None:
        where = timed["conditions"]
        said.append(
            f"Timed on {where['processor']} ({where['runtime']}, {where['dtype']}): latency is the median of "
            f"`{timed['protocols']['gpscale']}`, images/s of `{timed['protocols']['msra']}`."
        )
        said += [comparison.note_on_times] if comparison.note_on_times else []
    return bullets(said)


def _spread(comparison: Comparison) -> SeedIntervals:
    trainings = comparison.trainings.drop_duplicates("trial")
    finished = trainings[trainings["test_top1"].notna()]
    groups = [group["test_top1"].to_numpy(dtype=float) for _, group in finished.groupby(["entrant", "budget"])]
    return SeedIntervals.of(groups)


def _limits(comparison: Comparison) -> list[str]:
    tested, done = comparison.images["test_images"], comparison.table["top1"].dropna()
    lines = []
    if len(done):
        low, high = interval_of_share(float(done.median()), tested)
        lines.append(
            f"All models saw the same {tested:,} test images; as many others would move each accuracy by some "
            f"{100 * (high - low) / 2:.1f} points either way (95 %, binomial), most of it alike for all."
        )
    epochs = comparison.config.recipe.epochs
    length = f"{epochs} epoch{'s' if epochs > 1 else ''} of {comparison.images['train_images']:,} images"
    lines.append(
        f"One recipe for all, {length}: models that would profit from another learning rate, from distillation or from "
        "long training are not at their best, and short trainings favour those that start fast."
    )
    side = comparison.images["stored_pixels"]
    enlarged = comparison.table.loc[comparison.table["pixels"] > side, "entrant"]
    if len(enlarged):
        lines.append(
            f"Images are stored at {side} x {side} px; {len(enlarged)} of {len(comparison.table)} models saw them "
            "enlarged, where pixels bring more computing but no more detail."
        )
    lines.append(
        "Families are scaled from their published members, most of which are larger than these budgets; their authors "
        "might have designed other models for them."
    )
    unfinished = int((comparison.table["seeds"] < comparison.config.seeds).sum())
    if unfinished:
        lines.append(f"{unfinished} of {len(comparison.table)} rows have not all their seeds.")
    return lines


def _making(comparison: Comparison) -> list[tuple[str, str]]:
    images, config, records = comparison.images, comparison.config, comparison.records
    failed = [record for record in records if record.failure is not None]
    seeds = ", ".join(str(seed) for seed in range(config.seed, config.seed + config.seeds))
    return [
        (
            "images",
            f"source `{images['source']}`, {len(images['classes'])} classes, {images['train_images']:,} to train, "
            f"{images['validation_images']:,} to validate, {images['test_images']:,} to test",
        ),
        ("stored size", f"{images['stored_pixels']} x {images['stored_pixels']} px"),
        ("fingerprint", f"`{images['fingerprint']}`"),
        (
            "scaled by",
            f"{config.scale_by}, to at least {config.least_share:.0%} of a budget where there is such a member",
        ),
        *recipe_rows(config.recipe.model_dump(mode="json")),
        ("seeds", seeds),
        ("trainings", f"{len(records) - len(failed)} finished, {len(failed)} failed"),
        *hardware_rows(records),
        ("cost", f"{core_hours(records):.1f} core hours of training and evaluation"),
        ("when", days(records)),
    ]
