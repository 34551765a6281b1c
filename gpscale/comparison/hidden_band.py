"""Does the rule hold where it has seen nothing? A band of c is hidden, the rule fitted again, and asked in there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gpscale import rules
from gpscale.comparison.rule_picks import ground_of
from gpscale.errors import FitError, UnitError
from gpscale.factors import FACTOR_NAMES
from gpscale.rules import Ground
from gpscale.rules.gp_rule import GPRule
from gpscale.study import Study
from gpscale.sweep import SweepConfig
from gpscale.sweep.partial import fit_part
from gpscale.units import Z95

BAND = (0.4, 0.6)

Interval = dict[str, float]
"""`value`, `low`, `high`."""


def leave_band_out(study: Study, low: float = BAND[0], high: float = BAND[1]) -> dict[str, Any]:
    """Fit the rule without the trials of a band of c, and compare it there with the rule that has seen them.

    They are asked at both ends of the band and in its middle. What each builds there, closed by the same exact search,
    is compared by the joint surface, which has seen all trials.

    Args:
        study: A fitted study with a rule.
        low: Lowest c that is hidden.
        high: Highest.

    Returns:
        JSON values. `band`; `hidden`, how many architectures were; `at`: for each c its `factors` (by name: `full` and
        `hidden`, what the two rules ask for, and `deviations`, the difference of their logarithms in units of the
        hidden rule's standard deviation) and `top1_lost` (`value`, and `low` and `high` of 95 %: what the surface
        expects of the full rule's pick less that of the hidden rule's, fractions); `top1_lost`, the mean of these;
        `points`: for each point inside the band that the full rule was fitted to its `c` and by factor whether the
        hidden rule's 95 % band `covers` it, which is one of the rule and not of single architectures; `missing`: why
        there is no rule without the band, else empty; `verdict`: one sentence.

    Raises:
        FitError: The study has no rule, or no trial in the band.
        UnitError: The band is none.
    """
    if not 0 < low < high:
        raise UnitError(f"A band to hide needs 0 < low < high. Got {low:g} and {high:g}. The default is 0.4 and 0.6.")
    full, config = study.rule, SweepConfig.load(study.run.sweep_file)
    trainings = study.trainings
    is_hidden = trainings["c"].between(low, high)
    found: dict[str, Any] = {"band": [low, high], "hidden": int(trainings.loc[is_hidden, "architecture"].nunique())}
    if not found["hidden"]:
        raise FitError(
            f"A band to hide needs trials inside. Got none with c from {low:g} to {high:g}. Hide another, within "
            f"{full.c_range[0]:.3g} to {full.c_range[1]:.3g}."
        )
    part = fit_part(
        trainings[~is_hidden], config, study.num_classes, config.fit.bootstrap, study.joint_surface().recalibration
    )
    if part.rule is None:
        verdict = f"Without the trials of c {low:g} to {high:g} there is no rule: {part.rule_missing}"
        return {**found, "at": [], "top1_lost": None, "points": [], "missing": part.rule_missing, "verdict": verdict}
    inside = [c for c in (low, (low + high) / 2, high) if part.rule.c_range[0] <= c <= part.rule.c_range[1]]
    if not inside:
        raise FitError(
            f"A band to hide must have an end or its middle within what the other trials span, c from "
            f"{part.rule.c_range[0]:.3g} to {part.rule.c_range[1]:.3g}. Got {low:g} to {high:g}. Hide a narrower one."
        )
    ground = ground_of(study)
    *lost, mean = _lost(ground, part.rule, inside)
    at = [
        {"c": c, "factors": _factors(full, part.rule, c), "top1_lost": one} for c, one in zip(inside, lost, strict=True)
    ]
    found |= {"at": at, "top1_lost": mean, "points": _points(full, part.rule, low, high), "missing": ""}
    return {**found, "verdict": _verdict(found)}


def _verdict(found: Mapping[str, Any]) -> str:
    lost, points = found["top1_lost"], found["points"]
    furthest = max(abs(one["deviations"]) for row in found["at"] for one in row["factors"].values())
    covered = sum(sum(point["covers"].values()) for point in points)
    factors = len(FACTOR_NAMES) * len(points)
    band = f"its band covers {covered} of the {factors} factors of the points there that the full one was fitted to"
    # of equal picks nothing is lost, to the last bit
    differ = sum(row["top1_lost"]["low"] < row["top1_lost"]["high"] for row in found["at"])
    says = "a loss" if lost["low"] > 0 else "a gain" if lost["high"] < 0 else "neither a loss nor a gain is shown"
    return (
        f"With the {found['hidden']} architectures of c {found['band'][0]:g} to {found['band'][1]:g} hidden, the rule "
        f"differs there from the full one by at most {furthest:.2f} of its standard deviations"
        f"{', and ' + band if points else ''}; its picks, {differ} of {len(found['at'])} of which are others, are "
        f"expected to lose {100 * lost['value']:.2f} points of "
        f"top-1 (95 % interval {100 * lost['low']:.2f} to {100 * lost['high']:.2f}): {says}."
    )


def _factors(full: GPRule, hidden: GPRule, c: float) -> dict[str, dict[str, float]]:
    ours, theirs = full.predict(c), hidden.predict(c)
    deviations = (np.log(theirs.factors[0]) - np.log(ours.factors[0])) / theirs.log_std[0]
    columns = zip(FACTOR_NAMES, ours.factors[0], theirs.factors[0], deviations, strict=True)
    return {
        name: {"full": float(own), "hidden": float(other), "deviations": float(deviation)}
        for name, own, other, deviation in columns
    }


def _lost(ground: Ground, hidden: GPRule, ratios: Sequence[float]) -> list[Interval]:
    """Return what the surface expects of the full rule's picks less those of the hidden rule's, and last their mean."""
    budgets = [round(c * ground.space.base_macs) for c in ratios]
    own, other = (
        [rules.pick(rules.get("rule"), one, budget).built.factors for budget in budgets]
        for one in (ground, dataclasses.replace(ground, gp=hidden))
    )
    # where both build the same, rounding must not make a loss or a gain of it
    differ = np.diag([float(not np.array_equal(*pair)) for pair in zip(own, other, strict=True)])
    contrasts = np.hstack([differ, -differ])
    contrasts = np.vstack([contrasts, contrasts.mean(axis=0)])
    return [
        {"value": float(value), "low": float(value - Z95 * std), "high": float(value + Z95 * std)}
        for value, std in zip(*ground.require_surface().contrast(np.stack([*own, *other]), contrasts), strict=True)
    ]


def _points(full: GPRule, hidden: GPRule, low: float, high: float) -> list[dict[str, Any]]:
    """Return the points inside the band that the full rule was fitted to, and whether the hidden rule's covers them."""
    points = []
    for c, factors in zip(full.points_c, full.points_factors, strict=True):
        if low <= c <= high:
            band = hidden.predict(c)
            covers = (band.low[0] <= factors) & (factors <= band.high[0])
            points.append({"c": float(c), "covers": dict(zip(FACTOR_NAMES, covers.tolist(), strict=True))})
    return points
