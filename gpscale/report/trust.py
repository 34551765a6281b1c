"""How far a study can be trusted, as tables: coverage, a hidden band, sensitivity, regret.

A table is its header and its rows, for the card and for a terminal alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gpscale.comparison.diagnosis import coverage, on_front
from gpscale.comparison.regret import ARMS, KINDS
from gpscale.factors import FACTOR_NAMES, FACTOR_SYMBOLS
from gpscale.report.markdown import table
from gpscale.study import Study
from gpscale.units import format_macs

Table = tuple[Sequence[str], list[list[str]]]

HIDDEN_BAND = (
    "The rule was fitted again without the trials of the band and asked in there: its factors beside those of the full "
    "rule, in brackets the difference of their logarithms in its own standard deviations; and what the joint surface, "
    "which has seen all trials, expects the picks to lose, in points of top-1, with the 95 % interval. The full rule "
    "follows that surface, so that a gain is hardly possible."
)
_SENSITIVITY = (
    "Of the variance of top-1 over the span of the trials (log factors, uniform and independent): the share that a "
    "factor explains alone (first order), and with its interactions (total); and the points of top-1 that twice the "
    "MACs bring on average when spent on it alone. In brackets what 95 % of the surfaces drawn from the posterior say."
)
_MEASURED = (
    "{share:.0%} of that span has MACs that were measured, neither fewer than the smallest trial's nor more than the "
    "largest's; in the rest the surface extrapolates."
)
REGRET = (
    "The stored trials replayed: after n of them, what surface and rule pick among the measured architectures within a "
    "budget, as points of top-1 below the best of these; over the budgets and over {orders} random orders with the "
    "95 % interval of their mean. Same: the share of budgets at which the recommendation over the whole space is "
    "already that of all trials (random orders). A pick by lot would lose {chance:.2f} points. Near the end regret is "
    "too low, for the trials that are picked from are among those that were fitted."
)
_MISSING = "Not measured for this fit. `gpscale {command}` measures it, and trains nothing."


def coverage_table(study: Study) -> Table:
    """Return what the intervals of the surfaces hold as fitted, and recalibrated."""
    header = ["", "interval", "trials", "hold, as fitted", "hold, as printed"]
    return header, [
        [
            row["outcome"].replace("top", "top-"),
            f"{row['level']:.0%}",
            str(row["n"]),
            *(_held(row[key]) for key in ("before", "after")),
        ]
        for row in coverage(study)
    ]


def front_table(study: Study, least: float = 0.0) -> Table:
    """Return how likely each finished architecture is on the front, of those where it is likelier than `least`."""
    header = ["trial", "c", "MACs", "top-1", "rank", "on the front"]
    return header, [
        [
            row["id"],
            f"{row['c']:.3f}",
            format_macs(row["macs"]),
            f"{row['top1']:.1%}",
            str(row["rank"]),
            f"{row['probability']:.0%}",
        ]
        for row in on_front(study)
        if row["probability"] > least
    ]


def hidden_table(found: Mapping[str, Any]) -> Table:
    """Return what the rule asks for in a band that was hidden from it; `found` as of `leave_band_out`."""
    rows = []
    for row in found["at"]:
        each = (row["factors"][name] for name in FACTOR_NAMES)
        cells = [f"{one['hidden']:.2f} for {one['full']:.2f} ({one['deviations']:+.2f})" for one in each]
        rows.append([f"{row['c']:g}", *cells, _points(row["top1_lost"])])
    return ["c", *FACTOR_SYMBOLS.values(), "lost"], rows


def sensitivity_table(found: Mapping[str, Any]) -> Table:
    """Return which factors move the accuracy, the one that does most first; `found` as of `Sensitivity.to_dict`."""
    names = sorted(found["total"], key=lambda name: -found["total"][name]["mean"])
    rows = [
        [
            FACTOR_SYMBOLS[name],
            _share(found["first"][name]),
            _share(found["total"][name]),
            _points({**found["per_doubling"][name], "value": found["per_doubling"][name]["mean"]}),
        ]
        for name in names
    ]
    return ["factor", "first order", "total", "points for twice the MACs"], rows


def regret_table(found: Mapping[str, Any]) -> Table:
    """Return regret by the number of trials; `found` as of `replay_regret`."""
    of = {(row["arm"], row["kind"], row["trials"]): row for row in found["rows"]}
    header = ["trials"]
    for arm in ARMS:
        header += [f"{arm}, plan", f"{arm}, random", f"{arm}, same"]
    rows = []
    for n in sorted({row["trials"] for row in found["rows"]}):
        cells = [str(n)]
        for arm in ARMS:
            plan, drawn = (of.get((arm, kind, n), _NOTHING) for kind in KINDS)
            cells += [_regret(plan), _regret(drawn), "-" if drawn["same"] is None else f"{drawn['same']:.0%}"]
        rows.append(cells)
    return header, rows


def hidden_band(study: Study) -> str:
    """Return the card's section on the hidden band."""
    if study.diagnosis is None:
        return _MISSING.format(command="diagnose")
    found = study.diagnosis["hidden_band"]
    if found["missing"]:
        return str(found["verdict"])
    return "\n\n".join([found["verdict"], HIDDEN_BAND, table(*hidden_table(found))])


def factors(study: Study) -> str:
    """Return the card's section on sensitivity."""
    if study.diagnosis is None:
        return _MISSING.format(command="diagnose")
    found = study.diagnosis["sensitivity"]
    if found["missing"]:
        return str(found["verdict"])
    return "\n\n".join([found["verdict"], said_of_sensitivity(found), table(*sensitivity_table(found))])


def regret(study: Study) -> str:
    """Return the card's section on how many trials are enough."""
    if study.regret is None:
        return _MISSING.format(command="regret")
    found = study.regret
    return "\n\n".join([found["verdict"], found["recommendation"], said_of_regret(found), table(*regret_table(found))])


def said_of_regret(found: Mapping[str, Any]) -> str:
    """Return how a table of regret is to be read."""
    return REGRET.format(orders=found["orders"], chance=100 * found["chance"])


def _held(found: Mapping[str, float] | None) -> str:
    # what recalibrated intervals hold at the level that their factor was chosen at is no finding
    return f"{found['share']:.0%} ({found['low']:.0%} to {found['high']:.0%})" if found else "by choice of the factor"


def said_of_sensitivity(found: Mapping[str, Any]) -> str:
    """Return how a table of sensitivity is to be read."""
    # what an earlier version has stored does not say how much was measured
    if "measured" not in found:
        return _SENSITIVITY
    return f"{_SENSITIVITY} {_MEASURED.format(share=found['measured'])}"


_NOTHING: Mapping[str, Any] = {"regret": None, "low": None, "same": None}


def _share(of: Mapping[str, float]) -> str:
    return f"{of['mean']:.2f} ({of['low']:.2f} to {of['high']:.2f})"


def _points(of: Mapping[str, float]) -> str:
    return f"{100 * of['value']:+.2f} ({100 * of['low']:+.2f} to {100 * of['high']:+.2f})"


def _regret(row: Mapping[str, Any]) -> str:
    if row["regret"] is None:
        return "-"
    ends = "" if row["low"] is None else f" ({100 * row['low']:.2f} to {100 * row['high']:.2f})"
    return f"{100 * row['regret']:.2f}{ends}"
