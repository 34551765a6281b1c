"""The page of a validation: does the rule beat the habit, by how much, and how sure is that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from gpscale import rules
from gpscale.comparison.proportions import interval_of_share
from gpscale.comparison.validation import Validation, Version
from gpscale.factors import FACTOR_NAMES
from gpscale.report.differences import DIFFERENCE_COLUMNS, HOW_SURE, difference_cells
from gpscale.report.making import core_hours, days, hardware_rows, image_rows, recipe_rows
from gpscale.report.markdown import bullets, table
from gpscale.stored import write_atomically
from gpscale.study import Study
from gpscale.units import format_macs

RESULTS = (
    "rule", "c", "built: r, d_i, d_m, w", "MACs", "parameters", "validation top-1", "expected", "test top-1",
    "test top-5", "seeds",
)  # fmt: skip
BUILT = (
    "Built: resolution, the two depths and width as multiples of the base's. The search that closes the budget may "
    "move a factor that a rule holds, as width only's depths where no width alone uses it."
)
EXTRAPOLATED = "*: extrapolated, beyond the points that the rule was fitted to."
DIFFERENCES = ("ours less", *DIFFERENCE_COLUMNS)


def validation_card(validation: Validation) -> str:
    """Return the page as Markdown; every number in it is computed from the version's files.

    Args:
        validation: However far it has come.
    """
    parts = [f"# {validation.name}", validation.verdict]
    parts += [
        said for said in (validation.note_on_seeds, validation.note_on_additions, validation.transfer_verdict) if said
    ]
    if (validation.run.figures / "validation.png").exists():
        parts.append("![test top-1 by rule, and differences](figures/validation.png)")
    parts += ["## What each rule reaches", table(RESULTS, [result_cells(row) for row in _rows(validation.table)])]
    parts.append(BUILT + (f" {EXTRAPOLATED}" if validation.table["extrapolated"].any() else ""))
    if len(validation.differences):
        parts += [
            "## Ours less the others",
            table(DIFFERENCES, [difference_row(row, validation) for row in _rows(validation.differences)]),
        ]
        parts.append(_how_compared(validation))
    parts += ["## How good the predictions were", _predictions(validation)]
    parts += [
        "## What it cannot say",
        bullets(_limits(validation)),
        "## How it was made",
        table(["", ""], _making(validation)),
    ]
    return "\n\n".join(parts) + "\n"


def write_validation_card(validation: Validation) -> Path:
    """Write the page beside the version's other files and return where."""
    write_atomically(validation.run.path / "validation.md", validation_card(validation))
    return validation.run.path / "validation.md"


def evidence(study: Study) -> str:
    """Return what a study's card says of its validations, all versions of them."""
    versions = [Validation(run) for run in study.run.validations()]
    if not versions:
        return "Not measured. `gpscale validate` trains what the rule and its rivals would build, and compares them."
    latest = versions[-1]
    parts = [f"**{latest.verdict}** [Tables and figure](validations/{latest.run.name}/validation.md)."]
    notes = (latest.note_on_seeds, latest.note_on_additions, latest.note_on_fit, latest.transfer_verdict)
    parts += [said for said in notes if said]
    if len(versions) > 1:
        parts.append(
            "All versions that met the test images:\n\n"
            + bullets(f"version {one.run.name}: {one.verdict}" for one in versions)
        )
    return "\n\n".join(parts)


def result_cells(row: dict[str, Any]) -> list[str]:
    """Return the cells of a rule at a budget, in the order of `RESULTS`."""
    head = [row["title"] + ("*" if row["extrapolated"] else ""), f"{row['share']:g}"]
    if row["missing"]:
        return [*head, f"n/a: {row['missing']}", *[""] * (len(RESULTS) - 3)]
    return [
        *head,
        ", ".join(f"{row[name]:.2f}" for name in FACTOR_NAMES) if row["architecture"] else "another for each seed",
        format_macs(row["macs"]),
        format_macs(row["params"]),
        _percent(row["top1"]),
        _percent(row["expected"]),
        _percent(row["test_top1"], row["test_top1_low"], row["test_top1_high"]),
        _percent(row["test_top5"], row["test_top5_low"], row["test_top5_high"]),
        str(row["seeds"]),
    ]


def difference_row(row: dict[str, Any], validation: Validation) -> list[str]:
    """Return the cells of a difference, in the order of `DIFFERENCES`."""
    version = validation.version
    seeds = version.seeds if row["budget"] else version.judged.seeds
    return [rules.get(row["theirs"]).title, *difference_cells(row, seeds)]


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = frame.to_dict("records")  # type: ignore[assignment]
    return found


def _percent(value: float, low: float = math.nan, high: float = math.nan) -> str:
    if pd.isna(value):
        return "-"
    return f"{value:.1%}" if pd.isna(low) else f"{value:.1%} ({low:.1%} to {high:.1%})"


def _how_compared(validation: Validation) -> str:
    lines = [
        "The first row is the primary result: one comparison, named before the test images were looked at. The other "
        "pooled ones are corrected for their number (Holm); those at single budgets are not, and only describe.",
        "Pairs have the same seed, so the same data order, and the same test images.",
        HOW_SURE,
    ]
    if same := int(validation.differences.loc[validation.differences["budget"] == 0, "coinciding"].sum()):
        lines.append(f"In {same} pairs both rules build the same model, whose difference is 0.")
    volumes = validation.hypervolumes
    if volumes:
        each = ", ".join(f"{rules.get(name).title} {value:.4f}" for name, value in volumes.items())
        shares = ", ".join(f"{share:g}" for share in validation.common_shares)
        lines.append(
            f"Hypervolume of each rule's curve (c asked for x share of test images, at the budgets that all have: "
            f"{shares}; reference 1.1 times the largest and no image right): {each}."
        )
    return bullets(lines)


def _predictions(validation: Validation) -> str:
    found = validation.predictions
    if not found:
        return "No training has finished."
    rows = [
        [
            name if name == "all" else rules.get(name).title,
            str(one["trainings"]),
            f"{100 * one['bias']:+.2f}",
            f"{100 * one['rmse']:.2f}",
            f"{one['coverage']:.0%}",
        ]
        for name, one in found.items()
    ]
    return "\n\n".join(
        [
            "What the study's surface expected of validation top-1, against what these trainings reached. A rule that "
            "picks by the surface picks where the surface errs upwards, too.",
            table(
                ["picks of", "trainings", "expected less measured, points", "RMSE, points", "inside the 95 % interval"],
                rows,
            ),
        ]
    )


def _limits(validation: Validation) -> list[str]:
    table_, version = validation.table, validation.version
    done = table_["test_top1"].dropna()
    lines = [
        f"The recipe is the study's, {_epochs(validation)}: how the picks rank after a full training was not measured "
        "here.",
        "One data set and one base. The intervals hold for other seeds and other images of the same kind, not for "
        "other data sets, bases or recipes.",
    ]
    if len(done):
        tested = validation.images["test_images"]
        low, high = interval_of_share(float(done.median()), tested)
        lines.append(
            f"All picks saw the same {tested:,} test images; as many others would move an accuracy by some "
            f"{100 * (high - low) / 2:.1f} points."
        )
    if version.seeds == 1:
        lines.append("One seed: chance was not measured.")
    unfinished = int(((table_["seeds"] < version.seeds) & (table_["missing"] == "")).sum())
    if unfinished:
        lines.append(f"{unfinished} picks have not all their seeds.")
    return lines


def _epochs(validation: Validation) -> str:
    epochs = Study(validation.run).settings["recipe"]["epochs"]
    return f"{epochs} epoch{'s' if epochs > 1 else ''}"


def _other(version: Version) -> list[tuple[str, str]]:
    other = version.transfer
    return (
        [("rule of another study", f"of `{other['name']}`, base {other['base']}, fit `{other['fit']}`")]
        if other
        else []
    )


def _making(validation: Validation) -> Sequence[tuple[str, str]]:
    records, version, settings = validation.records, validation.version, Study(validation.run).settings
    failed = sum(record.failure is not None for record in records)
    return [
        *image_rows(validation.images, settings["data"]),
        ("split", "the study's"),
        ("fit", f"`{version.study}`, of rule and surface when the picks were made"),
        *_other(version),
        *recipe_rows(settings["recipe"]),
        ("seeds", ", ".join(map(str, version.seed_range)) + "; no trial of the study had one of them"),
        ("trainings", f"{len(records) - failed} finished, {failed} failed"),
        *hardware_rows(records),
        (
            "cost",
            f"{core_hours(records):.1f} thread hours of training and evaluation",
        ),
        ("when", days(records)),
    ]
