"""gpscale's own rules: what a study has fitted, this one or another."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from gpscale.factors import Factors
from gpscale.families import requested_row
from gpscale.rules.base import ONE, Ground, Proposal, register
from gpscale.rules.gp_rule import GPRule
from gpscale.search_space import SearchSpace
from gpscale.units import Z95


@register
@dataclasses.dataclass(frozen=True)
class Rule:
    """The study's map from c to factors; nearness is measured in units of its own standard deviation."""

    name: ClassVar[str] = "rule"
    title: ClassVar[str] = "gpscale, rule"

    def propose(self, ground: Ground, budget: int, generator: np.random.Generator | None = None) -> Proposal:
        """Return what the rule predicts at the budget's c."""
        return _predicted(ground.require_gp(), ground.space, budget)


@register
@dataclasses.dataclass(frozen=True)
class BySurface:
    """The architecture with the best expected top-1 among those that use the budget."""

    name: ClassVar[str] = "surface"
    title: ClassVar[str] = "gpscale, surface"

    def propose(self, ground: Ground, budget: int, generator: np.random.Generator | None = None) -> Proposal:
        """Return the architecture that the surface expects most of."""
        return _best(ground, budget, deviations=0.0)


@register
@dataclasses.dataclass(frozen=True)
class BySurfaceLow:
    """The architecture of which the surface is surest that it is good: with the highest lower end of the 95 % band."""

    name: ClassVar[str] = "surface_low"
    title: ClassVar[str] = "gpscale, surface's lower bound"

    def propose(self, ground: Ground, budget: int, generator: np.random.Generator | None = None) -> Proposal:
        """Return the architecture whose lower bound is highest."""
        return _best(ground, budget, deviations=Z95)


@register
@dataclasses.dataclass(frozen=True)
class RuleOfTrials:
    """The map from c to factors that follows the trials of the Pareto set.

    Source: section 4.4 of the method paper.
    """

    name: ClassVar[str] = "rule_of_trials"
    title: ClassVar[str] = "rule of the trials (method paper)"

    def propose(self, ground: Ground, budget: int, generator: np.random.Generator | None = None) -> Proposal:
        """Return what that map predicts at the budget's c."""
        return _predicted(ground.require_of_trials(), ground.space, budget)


@register
@dataclasses.dataclass(frozen=True)
class Transferred:
    """The map from c to factors of another study, applied to this one's base: factors are relative, so that it can be.

    What it loses against the study's own rule is the price of not having measured.
    """

    name: ClassVar[str] = "transferred"
    title: ClassVar[str] = "rule of another study"

    def propose(self, ground: Ground, budget: int, generator: np.random.Generator | None = None) -> Proposal:
        """Return what the other study's rule predicts at the budget's c."""
        return _predicted(ground.require_transferred(), ground.space, budget)


def _predicted(rule: GPRule, space: SearchSpace, budget: int) -> Proposal:
    c = budget / space.base_macs
    found = rule.predict(c)
    habit = requested_row(space.base, Factors(*found.factors[0].tolist()), space.pixel_step)
    return Proposal(found.factors[0], found.log_std[0], habit=habit, extrapolated=rule.extrapolated(c))


def _best(ground: Ground, budget: int, deviations: float) -> Proposal:
    rows = ground.space.rows_within(budget)
    found = ground.require_surface().predict(ground.space.take(rows).factors)
    index = rows.start + int(np.argmax(found.mean - deviations * found.std))
    return Proposal(ground.space.factors[index], ONE, index=index)
