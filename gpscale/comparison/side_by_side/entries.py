"""What each entrant builds for each budget."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from gpscale import families
from gpscale.comparison.side_by_side.settings import ComparisonConfig, Entrant
from gpscale.errors import BudgetError, OutOfRangeError
from gpscale.factors import Bounds, Factors
from gpscale.families import Architecture, scaling
from gpscale.families.named import FamilyModel
from gpscale.recommender import recommend
from gpscale.search_space import SearchSpace
from gpscale.units import format_macs

_REACH = 1.5
"""How far each factor of a member may be, as a ratio, from that of the member that scaling alone gives."""
_PIXEL_STEP = 8


@dataclasses.dataclass(frozen=True)
class Entry:
    """One entrant at one budget.

    Attributes:
        entrant: What to call it.
        budget: Multiply-accumulates that it may have.
        family: Name of its family; empty where nothing fits.
        base: What was scaled.
        factors: Its realised factors, by name.
        architecture: The integers that get built, as JSON values.
        macs: Its multiply-accumulates; never above the budget.
        params: Its parameters.
        missing: Why nothing fits; else empty.
    """

    entrant: str
    budget: int
    family: str = ""
    base: str = ""
    factors: Mapping[str, float] = dataclasses.field(default_factory=dict)
    architecture: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    macs: int = 0
    params: int = 0
    missing: str = ""

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from others."""
        return self.entrant, self.budget

    @property
    def model(self) -> FamilyModel:
        """The model, to be timed; named by its entrant, budget and pixels."""
        architecture = families.get(self.family).architecture_from_dict(self.architecture)
        pixels = architecture.pixels
        name = f"{self.entrant}, {format_macs(self.budget)}@{pixels}"
        return FamilyModel(families.Base(name, self.family, 1.0, architecture), (pixels, pixels))


def find_entries(config: ComparisonConfig, num_classes: int, known: Iterable[Entry] = ()) -> list[Entry]:
    """Return every entrant at every budget, budget by budget.

    Args:
        config: The comparison.
        num_classes: Outputs of the classifier.
        known: Entries of an earlier run, which stay what they were, though a study may have grown since.
    """
    before = {entry.key: entry for entry in known}
    entries = []
    for budget in config.budgets:
        for entrant in config.entrants:
            key = name_of(entrant, config), budget
            entries.append(before.get(key) or _find(entrant, config, budget, num_classes))
    return entries


def name_of(entrant: Entrant, config: ComparisonConfig) -> str:
    """Return what to call an entrant: its family, with base and way of scaling where they are its own."""
    if entrant.study is not None:
        return f"gpscale, {entrant.method} of {entrant.study}{f' on {entrant.base}' if entrant.base else ''}"
    by = entrant.by if entrant.by != config.scale_by else None
    own = [text for text in (entrant.base, by) if text is not None]
    return f"{entrant.family} ({', '.join(own)})" if own else str(entrant.family)


def _find(entrant: Entrant, config: ComparisonConfig, budget: int, num_classes: int) -> Entry:
    name = name_of(entrant, config)
    try:
        if entrant.study is not None:
            found = recommend(budget, entrant.study, entrant.base, num_classes, entrant.method)
            return _entry(name, budget, found.base, found.family, found.factors, found.architecture, num_classes)
        return _scaled(name, entrant, config, budget, num_classes)
    except (BudgetError, OutOfRangeError) as error:
        return Entry(name, budget, missing=str(error))


def _scaled(name: str, entrant: Entrant, config: ComparisonConfig, budget: int, num_classes: int) -> Entry:
    """Scale a family to a budget; where all factors may change, search nearby for a member that uses the budget."""
    family, by = families.get(str(entrant.family)), entrant.by or config.scale_by
    found = scaling.scale_to(family, budget, by, base=entrant.base, num_classes=num_classes)
    factors, architecture = found.factors, found.architecture
    if by == "compound" and found.macs < config.least_share * budget:
        spans = {key: (value / _REACH, value * _REACH) for key, value in factors.to_dict().items()}
        space = SearchSpace.enumerate(found.base, Bounds(**spans), pixel_step=_PIXEL_STEP, num_classes=num_classes)
        part = space.within_budget(budget, share=config.least_share)
        if part.macs[-1] > found.macs:
            index = part.nearest_index(factors)
            factors, architecture = Factors(*part.factors[index].tolist()), part.architecture(index)
    return _entry(name, budget, found.base.name, family.name, factors, architecture, num_classes)


def _entry(
    name: str, budget: int, base: str, family: str, factors: Factors, architecture: Architecture, num_classes: int
) -> Entry:
    counted = families.get(family)
    macs, params = counted.count(counted.row(architecture)[None], num_classes)
    return Entry(name, budget, family, base, factors.to_dict(), architecture.to_dict(), int(macs[0]), int(params[0]))
