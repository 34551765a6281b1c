"""What to build for half the MACs, and how sure that is."""

from __future__ import annotations

import math
import shlex
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gpscale import rules
from gpscale.errors import BudgetError, OutOfRangeError
from gpscale.factors import FACTOR_NAMES, FACTOR_SYMBOLS, Factors
from gpscale.plotting.base import at_base, is_base
from gpscale.recommendation import BEST_OF_MANY, Interval, Recommendation
from gpscale.report.markdown import bullets
from gpscale.rules import Built
from gpscale.study import Study
from gpscale.surrogate.surface import Surface
from gpscale.trial import architecture_key
from gpscale.units import Z95, format_macs

SHARE = 0.5

_CLAIMED = 0.95
_ALL_BUT_WIDTH = tuple(name for name in FACTOR_NAMES if name != "width")


def answer(study: Study) -> str:
    """Return the section that a reader in a hurry needs."""
    budget = round(SHARE * study.base.macs)
    asked = (
        f"The base is {study.base.name}: {format_macs(study.base.macs)} multiply-accumulates (MACs) an image with "
        f"{study.num_classes} classes."
    )
    if study.facts["rule_missing"]:
        return f"{asked} This study has no rule, so it recommends nothing: {study.facts['rule_missing']}"
    try:
        rule = study.recommend(budget, base=study.base.name)
        surface = study.recommend(budget, base=study.base.name, method="surface")
    except (BudgetError, OutOfRangeError) as error:
        return f"{asked} For half of them it recommends nothing: {error}"
    lines = [f"**Build this**, with at most {format_macs(budget)} MACs: {described(rule)}."]
    if surface.architecture == rule.architecture:
        lines.append("The surface of top-1 has its best expectation at the same architecture.")
    else:
        lines.append(
            "The surface of top-1 has its best expectation at another one with as many MACs: "
            f"{described(surface)}; {_expected(surface)}."
        )
    command = shlex.join(
        ["gpscale", "recommend", "--macs", str(budget), "--study", study.run.reference, "--base", study.base.name]
    )
    lines.append(f"`{command}` prints the first, with `--method surface` the second; any other budget likewise.")
    lines.append(
        "Channels, inverted-residual (ir) blocks and attention (vit) layers are listed stage by stage; r, d_i, d_m and "
        "w are resolution, the two depths and width as multiples of the base's."
    )
    return f"{asked}\n\n{bullets(lines)}\n\n**How sure is that?**\n\n{how_sure(study, rule)}"


def described(found: Recommendation) -> str:
    """Return the integers of a recommendation, its factors and its size."""
    integers = ", ".join(integers_of(found.architecture.to_dict()))
    return (
        f"{integers} ({found.factors}; {format_macs(found.macs)} MACs, c = {found.c:.3f}, "
        f"{format_macs(found.params)} parameters)"
    )


def integers_of(architecture: dict[str, Any]) -> list[str]:
    """Return each integer, or list of integers, of an architecture with its name."""
    return [
        f"{name.replace('_', ' ')} {' '.join(map(str, value if isinstance(value, list) else [value]))}"
        for name, value in architecture.items()
    ]


def _expected(found: Recommendation) -> str:
    if found.top1 is None:
        return f"its top-1 is not predicted: {found.top1_reason}"
    return f"one training of it is expected to reach a top-1 of {found.top1}"


def _usual_habit(study: Study, rule: Recommendation) -> list[str]:
    """Compare a recommendation with what width alone makes of its budget: closed by the same search, and as it is."""
    space = study.space
    within = space.feasible(0, rule.budget)
    narrower = np.flatnonzero(at_base(pd.DataFrame(within.factors, columns=list(FACTOR_NAMES)), _ALL_BUT_WIDTH))
    if not len(narrower):
        return [
            "The usual habit, the base with another width alone, has nothing within that budget in the study's space."
        ]
    # the space is ordered by MACs
    as_it_is = Built.of(space, within.integers[narrower[-1]])
    closed = rules.pick(rules.get("width"), rules.Ground(space), rule.budget).built
    if closed.architecture == rule.architecture:
        return ["It is what the usual habit gives, too: another width alone, closed by the same search."]
    surface = study.joint_surface()
    usual = Interval.predicted(surface, closed.factors)
    told = (
        f"The usual habit, another width alone, closed by the same search ({_sized(closed)}), is "
        f"expected to reach a top-1 of {usual}"
    )
    if rule.top1 is None:
        return [f"{told}."]
    built = [getattr(rule.factors, name) for name in FACTOR_NAMES]
    gain, low, high = _gain(surface, built, closed.factors)
    told += (
        f". Over many trainings of both, the surface expects {_points(gain, low, high)} of what to build less the habit"
    )
    if low > 0:
        lines = [f"{told}: it is better, if the surface is right."]
    elif high < 0:
        lines = [f"{told}: the habit is better, if the surface is right. Build that instead."]
    else:
        lines = [f"{told}: a tie, this study does not tell which of them is better."]
    if as_it_is.architecture != closed.architecture:
        lines.append(
            f"Less the width multiplier as it is ({_sized(as_it_is)}, {as_it_is.macs / rule.budget:.1%} of the budget) "
            f"it is {_points(*_gain(surface, built, as_it_is.factors))}."
        )
    return lines


def _measured(study: Study, rule: Recommendation) -> list[str]:
    """Say whether a recommendation has been trained, and which of its factors are at an end of the search space."""
    finished, space = study.finished, study.space
    same = finished[finished["architecture"] == architecture_key(rule.architecture.to_dict())]
    lines = [
        f"That architecture was trained: top-1 {same['top1'].iloc[0]:.1%}."
        if len(same)
        else "No trial has that architecture: this is what the surface expects, not a measurement."
    ]
    held, said = pd.Series(True, index=finished.index), []
    for name, low, high in zip(FACTOR_NAMES, space.factors.min(axis=0), space.factors.max(axis=0), strict=True):
        value = getattr(rule.factors, name)
        if low < high and value in (low, high):
            said.append(f"{FACTOR_SYMBOLS[name]} is the {'lowest' if value == low else 'highest'}")
            held &= finished[name] == value
    if said:
        span = finished.loc[held, "c"]
        within = f", at c {span.min():.2f} to {span.max():.2f}" if held.any() else ""
        lines.append(
            f"{' and '.join(said)} of the search space: what lies beyond was not tried. Of the {len(finished)} trials "
            f"{held.sum()} have that{within}."
        )
    return lines


def _gain(surface: Surface, ours: npt.ArrayLike, other: npt.ArrayLike) -> tuple[float, float, float]:
    """Return what is expected of a difference and the ends of its 95 % interval, fractions."""
    (gain,), (std,) = surface.contrast(np.stack([ours, other]), [[1.0, -1.0]])
    return float(gain), float(gain - Z95 * std), float(gain + Z95 * std)


def _points(gain: float, low: float, high: float) -> str:
    return f"{100 * gain:+.2f} points (95 % interval {100 * low:+.2f} to {100 * high:+.2f})"


def _sized(built: Built) -> str:
    return f"{Factors(*built.factors.tolist())}; {format_macs(built.macs)} MACs"


def how_sure(study: Study, rule: Recommendation) -> str:
    """Say, as a Markdown list, how sure it is that a recommendation is good.

    Args:
        study: The study that it is of.
        rule: What to build, of the study's own base.
    """
    return bullets(_certainty(study, rule))


def _certainty(study: Study, rule: Recommendation) -> list[str]:
    epochs = study.settings["recipe"]["epochs"]
    optimistic = f"; {BEST_OF_MANY}" if BEST_OF_MANY in rule.cautions else ""
    lines = [
        f"After {epochs} epochs {_expected(rule)}{optimistic}.",
        *_measured(study, rule),
        *_usual_habit(study, rule),
    ]
    found = study.diagnostics
    held, n = found.coverage[-1].before, found.n
    # beyond what chance does to the count of trials inside
    narrow = held + Z95 * math.sqrt(held * (1 - held) / n) < _CLAIMED
    if found.recalibration != 1:
        remark = f" as fitted; here they are recalibrated, {found.recalibration:.2f} times as wide"
    else:
        remark = ": the intervals are too narrow" if narrow else ""
    lines.append(
        f"Such predictions missed unseen trials by {100 * found.joint.rmse:.2f} points (root mean square), and "
        f"{held:.0%} of those trials were inside their 95 % intervals{remark}."
    )
    finished = study.finished
    within = finished[finished["macs"] <= rule.budget]
    if len(within):
        best = within.nlargest(1, "top1").to_dict("records")[0]
        lines.append(
            f"Best of the {len(within)} trials measured within that budget: top-1 {best['top1']:.1%} at "
            f"{format_macs(best['macs'])} MACs (trial {best['id']})."
        )
    own = finished[is_base(finished)]
    if len(own):
        lines.append(f"The base itself reached {own['top1'].mean():.1%} in the same training.")
    if study.diagnostics.knows_more_than_macs:
        lines.append(
            "The surface predicts trials that it has not seen better than their MACs alone do: the proportions matter, "
            "and the study tells which are good."
        )
    else:
        lines.append(
            "The surface is not shown to predict unseen trials better than their MACs alone do: among architectures of "
            "equal MACs this study cannot tell the better ones from the worse."
        )
    if rule.extrapolated:
        lines.append("The budget lies beyond the points that the study's rule was fitted to: it is extrapolated there.")
    fidelity = study.fidelity
    lines.append(
        fidelity["verdict"]
        if fidelity
        else f"No trial was trained for longer: whether the ranking after {epochs} epochs is that of a full training "
        "is not known. Not for deployment."
    )
    return lines
