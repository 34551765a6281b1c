"""The command that shows what each scaling rule would build."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gpscale.cli.output import console, print_json
from gpscale.comparison.rule_picks import picks
from gpscale.factors import FACTOR_NAMES, FACTOR_SYMBOLS
from gpscale.report.answer import integers_of
from gpscale.study import Study
from gpscale.units import format_macs, parse_macs


def rules(
    study: str | None, macs: Sequence[str], names: Sequence[str], seed: int, *, transfer: str | None, as_json: bool
) -> None:
    """Print what each rule would build for each budget."""
    found, other = Study(study), Study(transfer) if transfer else None
    budgets = [parse_macs(text) for text in macs] or [round(share * found.base.macs) for share in (0.25, 0.5, 0.75)]
    table = picks(found, budgets, names or None, seed, transfer=other)
    if as_json:
        print_json(table.astype(object).where(table.notna(), None).to_dict("records"))
        return
    for budget in budgets:
        _print(budget, found, table[table["budget"] == budget].to_dict("records"))
    print(
        "\nr, d_i, d_m, w: of what is built; the search that closes the budget may move a factor that a rule holds\n"
        "as it is: what the rule builds where no search closes the budget, in percent of it\n"
        "top-1: what the study's surface expects of one training, with the 95 % interval; of its own picks, too much"
    )
    if table["extrapolated"].any():
        print("*: extrapolated, beyond the points that the rule was fitted to")


def _print(budget: int, study: Study, rows: Sequence[dict[Any, Any]]) -> None:
    from rich.table import Table

    print(f"\n{format_macs(budget)} MACs, c = {budget / study.base.macs:.3f} of {study.base.name}")
    reasons = {row["missing"] for row in rows}
    if len(reasons) == 1 and (reason := reasons.pop()):
        print(f"n/a: {reason}")
        return
    table = Table("rule", *FACTOR_SYMBOLS.values(), "built", "MACs", "used", "as it is", "top-1", box=None)
    for row in rows:
        if row["missing"]:
            table.add_row(row["title"], *["", "", "", ""], f"n/a: {row['missing']}")
            continue
        table.add_row(
            row["title"] + ("*" if row["extrapolated"] else ""),
            *(f"{row[name]:.2f}" for name in FACTOR_NAMES),
            ", ".join(integers_of(json.loads(row["architecture"]))),
            format_macs(row["macs"]),
            f"{row['share']:.1%}",
            "-" if row["habit_share"] != row["habit_share"] else f"{row['habit_share']:.1%}",
            f"{row['top1']:.1%} ({row['top1_low']:.1%} to {row['top1_high']:.1%})",
        )
    console().print(table)
