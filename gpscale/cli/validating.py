"""The command that validates a study's rule against its rivals."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from gpscale.cli.executors import ExecutorOptions
from gpscale.cli.output import console, print_json
from gpscale.cli.progress import listener
from gpscale.cli.sweeping import failure_reasons
from gpscale.comparison.validation import Validation, plan_version, run_validation
from gpscale.errors import UnknownNameError
from gpscale.factors import Factors
from gpscale.report.card import write_card
from gpscale.report.validation_card import (
    DIFFERENCES,
    EXTRAPOLATED,
    RESULTS,
    difference_row,
    result_cells,
    write_validation_card,
)
from gpscale.run_dir import find_own_run, find_study
from gpscale.study import Study
from gpscale.units import format_macs


def study_and_shares(words: Sequence[str], first: float | None) -> tuple[str, list[float]]:
    """Tell the study from the numbers among a command's arguments.

    Args:
        words: The arguments; of `--budgets 0.25 0.5 0.75` all numbers after the first are among them.
        first: The first number; None without `--budgets`.

    Raises:
        UnknownNameError: There is not exactly one study, or numbers without `--budgets`.
    """
    studies, shares = [], [] if first is None else [first]
    for word in words:
        try:
            shares.append(float(word))
        except ValueError:
            studies.append(word)
    if len(studies) != 1 or (first is None and shares):
        raise UnknownNameError(
            f"gpscale validate takes one study, and numbers after --budgets. Got {' '.join(words)!r}. Write `gpscale "
            "validate runs/x --budgets 0.25 0.5`, for example."
        )
    return studies[0], shares


def validate(
    run: str,
    shares: Sequence[float],
    names: Sequence[str],
    seeds: int | None,
    where: ExecutorOptions,
    overrides: Sequence[str],
    retry: Sequence[str],
    *,
    new: bool,
    transfer: str | None,
    as_json: bool,
) -> None:
    """Train the picks with progress, then print what they say."""
    reasons = failure_reasons(retry)
    directory = find_own_run(run)
    with where.make() as executor, listener(as_json=as_json, workers=lambda: executor.workers) as progress:
        validation = run_validation(
            directory,
            executor,
            shares=shares or None,
            names=names or None,
            seeds=seeds,
            new=new,
            transfer=find_study(transfer) if transfer else None,
            overrides=overrides,
            retry=reasons,
            on_plan=progress.plan,
            on_event=progress.event,
        )
    page = write_validation_card(validation)
    write_card(Study(directory))
    if as_json:
        print_json(validation.summary())
        return
    show(validation)
    print(f"\npage: {page}\ntables: {validation.run.path}/trainings.csv, validation.csv, differences.csv")


def dry_run(
    run: str,
    shares: Sequence[float],
    names: Sequence[str],
    seeds: int | None,
    *,
    new: bool,
    transfer: str | None,
    as_json: bool,
) -> None:
    """Print what would be trained; write nothing."""
    other = find_study(transfer) if transfer else None
    directory, version = plan_version(find_study(run), shares or None, names or None, seeds, new=new, transfer=other)
    if as_json:
        print_json({"directory": str(directory.path), **dataclasses.asdict(version)})
        return
    built = {str(sorted(one.architecture.items())) for one in version.choices if not one.missing}
    print(
        f"{directory.path}: {len(version.rules)} rules at {_counted(len(version.shares), 'budget')}, "
        f"{_counted(version.seeds, 'seed')} each; {len(built)} different models"
    )
    for one in version.choices:
        # what the rule that draws builds differs from seed to seed
        if one.missing:
            print(f"  {one.rule} at {one.share:g}: n/a: {one.missing}")
        elif one.seed is None:
            beyond = ", extrapolated" if one.extrapolated else ""
            print(f"  {one.rule} at {one.share:g}: {Factors(**one.factors)}; {format_macs(one.macs)} MACs{beyond}")
    if version.added:
        print(f"extended after its results were seen: {version.added}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def show(validation: Validation) -> None:
    """Print the tables of a validation and its verdict."""
    from rich.table import Table

    results = Table(*RESULTS, box=None, header_style="bold")
    for row in validation.table.to_dict("records"):
        results.add_row(*result_cells(row))  # type: ignore[arg-type]
    console().print(results)
    if len(validation.differences):
        print()
        found = Table(*DIFFERENCES, box=None, header_style="bold")
        for row in validation.differences.to_dict("records"):
            found.add_row(*difference_row(row, validation))  # type: ignore[arg-type]
        console().print(found)
    if validation.table["extrapolated"].any():
        print(EXTRAPOLATED)
    print(f"\n{validation.verdict}")
    for said in (
        validation.note_on_seeds,
        validation.note_on_additions,
        validation.note_on_fit,
        validation.transfer_verdict,
    ):
        if said:
            print(said)
