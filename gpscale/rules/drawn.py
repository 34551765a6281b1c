"""No rule at all: any architecture that uses the budget."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from gpscale.rules.base import ONE, Ground, Proposal, register


@register
@dataclasses.dataclass(frozen=True)
class Drawn:
    """An architecture drawn from all that use the budget, each as likely as any other."""

    name: ClassVar[str] = "random"
    title: ClassVar[str] = "random"

    def propose(self, ground: Ground, budget: int, generator: np.random.Generator | None = None) -> Proposal:
        """Draw one."""
        rows = ground.space.rows_within(budget)
        generator = np.random.default_rng(0) if generator is None else generator
        index = int(generator.integers(rows.start, rows.stop))
        return Proposal(ground.space.factors[index], ONE, index=index)
