"""Rules that let all factors grow with a power of one number: one knob turned, and compound scaling.

Each goes along its path as far as the budget allows; between two members of the path the factors are interpolated, in
logarithms of MACs and factors. The habit is the largest member of the path that fits, which is all that is built where
no search closes the budget.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from gpscale import families
from gpscale.errors import BudgetError
from gpscale.factors import FACTOR_NAMES
from gpscale.families.scaling import PATHS, members
from gpscale.rules.base import ONE, Built, Ground, Proposal, register
from gpscale.units import format_macs

_HELD = 0.05
"""Unit of distance of a factor that the path holds, where those that it changes have 1."""


@dataclasses.dataclass(frozen=True)
class PathRule:
    """factor = t to the power of its exponent."""

    name: ClassVar[str]
    title: ClassVar[str]
    exponents: ClassVar[Mapping[str, float]]

    def propose(self, ground: Ground, budget: int, generator: np.random.Generator | None = None) -> Proposal:
        """Return the point of the path that has the budget's MACs."""
        space = ground.space
        family = families.get(space.base.family)
        rows, times = members(family, space.base, self.exponents, space.pixel_step)
        macs = family.count(rows, space.num_classes)[0]
        # where a map becomes odd, a larger member may be cheaper: what counts is the last that fits
        fitting = np.flatnonzero(macs <= budget)
        if not len(fitting):
            raise BudgetError(
                f"nothing that {self.title} makes of {space.base.name} fits {format_macs(budget)} MACs; the smallest "
                f"has {format_macs(macs.min())}. Raise the budget."
            )
        habit = int(fitting[np.flatnonzero(macs[fitting] == macs[fitting].max())[-1]])
        above = np.flatnonzero((times > times[habit]) & (macs > budget))
        log_t = np.log(times[habit])
        if len(above):
            low, high, wanted = np.log([macs[habit], macs[above[0]], budget])
            log_t += (wanted - low) / (high - low) * (np.log(times[above[0]]) - log_t)
        exponents = np.array([self.exponents.get(name, 0.0) for name in FACTOR_NAMES])
        return Proposal(np.exp(log_t * exponents), np.where(exponents > 0, ONE, _HELD), habit=rows[habit])


@register
class WidthOnly(PathRule):
    """The habit: how MobileViTV2 itself is scaled.

    Widths come in steps of eight channels: the search that closes the budget may change a depth by a block, too.
    """

    name, title, exponents = "width", "width only", PATHS["width"]


@register
class WidthAsIs(PathRule):
    """The habit with nothing but the width multiplier: the widest model that fits, whatever it leaves unused."""

    name, title, exponents = "width_as_is", "width only, as it is", PATHS["width"]

    def propose(self, ground: Ground, budget: int, generator: np.random.Generator | None = None) -> Proposal:
        """Return the largest member of the path that fits."""
        found = super().propose(ground, budget, generator)
        assert found.habit is not None
        return dataclasses.replace(found, factors=Built.of(ground.space, found.habit).factors, closed=False)


@register
class ResolutionOnly(PathRule):
    """Smaller images, the model the same."""

    name, title, exponents = "resolution", "resolution only", PATHS["resolution"]


@register
class DepthOnly(PathRule):
    """Fewer blocks and layers, both depths together."""

    name, title, exponents = "depth", "depth only", PATHS["depth"]


@register
class Compound(PathRule):
    """EfficientNet's: depths 1.2, width 1.1, resolution 1.15 to the power of phi.

    Source: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (2019), section 3.3.
    """

    name, title, exponents = "compound", "compound (EfficientNet)", PATHS["compound"]


@register
class FastCompound(PathRule):
    """d1_w8_g8_r1: most of the budget to width, which costs least time; MACs = t, of which depth takes t to the 0.1,
    width t to the 0.8 and resolution t to the 0.1.

    Source: Dollar, Singh and Girshick, "Fast and Accurate Model Scaling" (2021), with alpha = 0.8.
    """

    name, title = "fast_compound", "fast compound (d1_w8_g8_r1)"
    exponents: ClassVar[Mapping[str, float]] = {"resolution": 0.05, "ir_depth": 0.1, "vit_depth": 0.1, "width": 0.4}
