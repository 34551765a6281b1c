"""TinyNet: how EfficientNet-B0 was shrunk, by interpolation of its five published models.

Source: Han et al., "Model Rubik's Cube: Twisting Resolution, Depth and Width for TinyNets" (2020): the published
configurations of TinyNet-A to E.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from gpscale.errors import OutOfRangeError
from gpscale.factors import Factors
from gpscale.families import requested_row
from gpscale.rules.base import ONE, Ground, Proposal, register

_BASE_MACS, _BASE_PIXELS = 390.0, 224
_POINTS = (
    # millions of MACs, width, depth, pixels
    (24.0, 0.51, 0.60, 106),
    (52.0, 0.54, 0.695, 152),
    (100.0, 0.54, 0.85, 184),
    (202.0, 0.75, 1.1, 188),
    (339.0, 1.0, 1.2, 192),
)
"""TinyNet-E to A, relative to EfficientNet-B0 but for the pixels."""


@register
@dataclasses.dataclass(frozen=True)
class TinyNet:
    """Resolution, depth (both) and width at the same share of the base's MACs, linear in logarithms between points."""

    name: ClassVar[str] = "tinynet"
    title: ClassVar[str] = "TinyNet"

    def propose(self, ground: Ground, budget: int, generator: np.random.Generator | None = None) -> Proposal:
        """Return the factors at the budget's c."""
        space = ground.space
        c = budget / space.base_macs
        macs, width, depth, pixels = np.array(_POINTS).T
        known = macs / _BASE_MACS
        if not known[0] <= c <= known[-1]:
            raise OutOfRangeError(
                f"TinyNet's published models span c in [{known[0]:.3f}, {known[-1]:.3f}]. Got {c:.3f}. Choose a budget "
                "inside."
            )
        columns = (pixels / _BASE_PIXELS, depth, depth, width)
        factors = np.exp([np.interp(np.log(c), np.log(known), np.log(column)) for column in columns])
        return Proposal(factors, ONE, habit=requested_row(space.base, Factors(*factors.tolist()), space.pixel_step))
