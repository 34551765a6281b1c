"""What each scaling rule would build for a budget, on the ground of one study."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from gpscale import families, rules
from gpscale.errors import BudgetError, FitError, OutOfRangeError
from gpscale.factors import FACTOR_NAMES
from gpscale.recommendation import Interval
from gpscale.rules import Ground, Measured, Pick
from gpscale.rules.fitted import Transferred
from gpscale.rules.gp_rule import GPRule
from gpscale.stored import read_stored
from gpscale.study import Study
from gpscale.trial import architecture_key
from gpscale.units import round_macs


def ground_of(study: Study, transfer: Study | None = None) -> Ground:
    """Return what rules may look at of a fitted study.

    Args:
        study: The study.
        transfer: Another one, whose rule is to be tried here.

    Raises:
        RunDirError: It has not been fitted.
        FitError: The other one has no rule.

    Example:
        >>> ground_of(Study("quickstart")).gp is not None
        True
    """
    family = families.get(families.parse_base(study.base.name).family)
    finished = study.finished
    architectures = [family.architecture_from_dict(json.loads(text)) for text in finished["architecture"]]
    trials = Measured(
        rows=np.stack([family.row(architecture) for architecture in architectures]),
        factors=finished[list(FACTOR_NAMES)].to_numpy(dtype=np.float64),
        macs=finished["macs"].to_numpy(dtype=np.int64),
        top1=finished["top1"].to_numpy(dtype=np.float64),
    )
    gp = None if study.facts["rule_missing"] else study.rule
    return Ground(
        space=study.space,
        gp=gp,
        surface=study.joint_surface(),
        trials=trials,
        transferred=transfer.rule if transfer else None,
        of_trials=gp if gp and gp.source == "trials" else _stored_rule_of_trials(study),
    )


def _stored_rule_of_trials(study: Study) -> GPRule | None:
    file = study.run.trials_rule_file
    return read_stored(file, "a scaling rule", GPRule.from_dict) if file.exists() else None


def try_pick(name: str, ground: Ground, budget: int, seed: int = 0) -> Pick | str:
    """Return what a rule builds, or why it builds nothing.

    Args:
        name: The rule.
        ground: What it may look at.
        budget: Multiply-accumulates of one image.
        seed: For rules that draw: each seed draws anew, at each budget something else.
    """
    generator = np.random.default_rng([seed, budget])
    try:
        return rules.pick(rules.get(name), ground, budget, generator)
    except (BudgetError, FitError, OutOfRangeError) as error:
        return str(error)


def picks(
    study: Study,
    budgets: Sequence[int],
    names: Sequence[str] | None = None,
    seed: int = 0,
    *,
    transfer: Study | None = None,
) -> pd.DataFrame:
    """Return what each rule would build for each budget, one row each.

    Args:
        study: A fitted study.
        budgets: Multiply-accumulates of one image.
        names: Rules; None for all, that of another study only where there is one.
        seed: For rules that draw.
        transfer: As in `ground_of`.

    Returns:
        Columns: `rule`, `title`, `budget`, `c`; `extrapolated`: beyond the points that the rule was fitted to; factors
        as `requested_*` and as they are; `architecture` (JSON), `macs`, `share` of the budget, `params`; `top1`,
        `top1_low`, `top1_high`: what the joint surface predicts of one training, with its 95 % interval, fractions;
        `habit_macs`, `habit_share`: the same rule without the search, NaN where it has no such form; `missing`: why
        there is nothing, else empty.

    Raises:
        UnknownNameError: There is no such rule.
        RunDirError: The study has not been fitted.
        OutOfRangeError: No budget lies inside the span of the study's trials.

    Example:
        >>> table = picks(Study("quickstart"), [4_000_000], ["rule", "width"])
        >>> table["rule"].tolist(), bool((table["macs"] <= 4_000_000).all())
        (['rule', 'width'], True)
    """
    if names is None:
        names = [name for name in rules.names() if transfer is not None or name != Transferred.name]
    chosen = [rules.get(name) for name in names]
    ground = ground_of(study, transfer)
    outside = {budget: _why_outside(study, budget) for budget in budgets}
    if all(outside.values()):
        raise OutOfRangeError(_none_inside(study, budgets))
    rows = []
    for budget in budgets:
        for rule in chosen:
            found = outside[budget] or try_pick(rule.name, ground, budget, seed)
            head = {"rule": rule.name, "title": rule.title, "budget": budget, "c": budget / ground.space.base_macs}
            head["extrapolated"] = isinstance(found, Pick) and found.extrapolated
            rows.append({**head, **(_row(found, ground) if isinstance(found, Pick) else {"missing": found})})
    table = pd.DataFrame(rows)
    return table.assign(missing=table["missing"].fillna("")) if "missing" in table else table.assign(missing="")


def _why_outside(study: Study, budget: int) -> str:
    """Say that a budget lies outside what the trials span; empty where it does not."""
    (low, high), c = study.facts["c_range"], budget / study.base.macs
    return "" if low <= c <= high else f"c = {c:.3g} is outside the trials, c {low:.3f} to {high:.3f}"


def _none_inside(study: Study, budgets: Sequence[int]) -> str:
    (low, high), base = study.facts["c_range"], study.base
    got = ", ".join(f"{budget / base.macs:.3g}" for budget in budgets)
    return (
        f"A budget must lie in c {low:.3f} to {high:.3f} of {base.name}, the span of the finished trials of study "
        f"{study.name!r}. Got c = {got}. Choose {round_macs(low * base.macs, up=True)} to "
        f"{round_macs(high * base.macs, up=False)} MACs: nothing is known elsewhere."
    )


def _row(found: Pick, ground: Ground) -> dict[str, Any]:
    built, habit = found.built, found.habit
    expected = Interval.predicted(ground.require_surface(), built.factors)
    return {
        **{f"requested_{name}": value for name, value in zip(FACTOR_NAMES, found.requested.tolist(), strict=True)},
        **dict(zip(FACTOR_NAMES, built.factors.tolist(), strict=True)),
        "architecture": architecture_key(built.architecture.to_dict()),
        "pixels": built.architecture.pixels,
        "macs": built.macs,
        "share": built.macs / found.budget,
        "params": built.params,
        "top1": expected.mean,
        "top1_low": expected.low,
        "top1_high": expected.high,
        "habit_macs": np.nan if habit is None else habit.macs,
        "habit_share": np.nan if habit is None else habit.macs / found.budget,
        "missing": "",
    }
