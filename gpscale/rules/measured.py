"""What a study has seen: its best finished trial."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from gpscale.errors import BudgetError
from gpscale.rules.base import ONE, Ground, Proposal, register
from gpscale.units import format_macs


@register
@dataclasses.dataclass(frozen=True)
class BestTrial:
    """The finished trial with the highest validation top-1 at or under the budget; of equal ones the cheaper."""

    name: ClassVar[str] = "best_trial"
    title: ClassVar[str] = "best trial so far"

    def propose(self, ground: Ground, budget: int, generator: np.random.Generator | None = None) -> Proposal:
        """Return the trial's factors."""
        trials = ground.require_trials()
        fitting = np.flatnonzero(trials.macs <= budget)
        if not len(fitting):
            raise BudgetError(
                f"no finished trial fits {format_macs(budget)} MACs; the smallest has "
                f"{format_macs(trials.macs.min())}. Raise the budget."
            )
        best = fitting[np.lexsort((trials.macs[fitting], -trials.top1[fitting]))[0]]
        return Proposal(trials.factors[best], ONE, habit=trials.rows[best])
