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
from gpscale.run_dir import find_study
from gpscale.search_space import SearchSpace
from gpscale.trial import architecture_key

_REACH = 1.5
"""How far each factor of a member may be, as a ratio, from that of the member that scaling alone gives."""
_PIXEL_STEP = 8


@dataclasses.dataclass(frozen=True)
class Entry:
    """One entrant at one budget.

    Attributes:
        entrant: What to call it.
        budget: Multiply-accumulates that it may have.
        asked: The entrant as the comparison file has it, every default written out, as JSON values.
        family: Name of its family; empty where nothing fits.
        base: What was scaled.
        factors: Its realised factors, by name.
        architecture: The integers that get built, as JSON values.
        macs: Its multiply-accumulates; never above the budget.
        params: Its parameters.
        search: Of what a study recommends: how many `trials` it has trained and the `fingerprint` of their images; once
            the images are there, whether they are the `same_images`. Empty for a family, which is scaled without any
            training.
        missing: Why nothing fits; else empty.
    """

    entrant: str
    budget: int
    asked: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    family: str = ""
    base: str = ""
    factors: Mapping[str, float] = dataclasses.field(default_factory=dict)
    architecture: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    macs: int = 0
    params: int = 0
    search: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    missing: str = ""

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from others."""
        return self.entrant, self.budget

    @property
    def model_key(self) -> str:
        """What entries share that build the same model, and others do not; empty where nothing fits."""
        return "" if self.missing else model_key(self.family, self.architecture)

    @property
    def model(self) -> FamilyModel:
        """The model, to be timed; named by its entrant, budget and pixels."""
        architecture = families.get(self.family).architecture_from_dict(self.architecture)
        pixels = architecture.pixels
        # budgets that look alike when they are rounded are still two
        name = f"{self.entrant}, {self.budget / 1e6:g}M@{pixels}"
        return FamilyModel(families.Base(name, self.family, 1.0, architecture), (pixels, pixels))


def model_key(family: str, architecture: Mapping[str, Any]) -> str:
    """Return the text that trainings of the same model share.

    Example:
        >>> model_key("mobilenetv1", {"pixels": 64})
        'mobilenetv1 {"pixels": 64}'
    """
    return f"{family} {architecture_key(architecture)}"


def find_entries(config: ComparisonConfig, num_classes: int, known: Iterable[Entry] = ()) -> list[Entry]:
    """Return every entrant at every budget, budget by budget.

    Args:
        config: The comparison.
        num_classes: Outputs of the classifier.
        known: Entries of an earlier run, which stay what they were, though a study may have grown since.
    """
    before = {(_text(entry.asked), entry.budget): entry for entry in known}
    names, each = names_of(config), asked_by(config)
    entries = []
    for budget in config.budgets:
        for entrant, name, asked in zip(config.entrants, names, each, strict=True):
            found = before.get((_text(asked), budget)) or _find(entrant, config, budget, num_classes)
            entries.append(dataclasses.replace(found, entrant=name, asked=asked))
    return entries


def names_of(config: ComparisonConfig) -> list[str]:
    """Return what to call the entrants: by family or study, and by what tells those of the same one apart.

    Example:
        >>> entrants = ["edgevit", {"family": "edgevit", "by": "width"}]
        >>> names_of(ComparisonConfig.from_values({"budgets": ["20M"], "entrants": entrants}))
        ['edgevit', 'edgevit (width)']
    """
    return [_name(entrant, config) for entrant in config.entrants]


def _name(entrant: Entrant, config: ComparisonConfig) -> str:
    if entrant.study is not None:
        return f"gpscale, {entrant.method} of {entrant.study}{f' on {entrant.base}' if entrant.base else ''}"
    by = entrant.by or config.scale_by
    alike = [one for one in config.entrants if one.family == entrant.family and (one.by or config.scale_by) == by]
    own = [entrant.base or "nearest base"] if len(alike) > 1 else []
    own += [by] if by != config.scale_by else []
    return f"{entrant.family} ({', '.join(own)})" if own else str(entrant.family)


def asked_by(config: ComparisonConfig) -> list[dict[str, Any]]:
    """Return the entrants as the comparison file has them, every default written out, as JSON values."""
    return [
        {**entrant.model_dump(mode="json"), "by": None if entrant.study else entrant.by or config.scale_by}
        for entrant in config.entrants
    ]


def _text(asked: Mapping[str, Any]) -> str:
    return str(sorted(asked.items()))


def _find(entrant: Entrant, config: ComparisonConfig, budget: int, num_classes: int) -> Entry:
    try:
        return (
            _recommended(entrant, budget, num_classes)
            if entrant.study
            else _scaled(entrant, config, budget, num_classes)
        )
    except (BudgetError, OutOfRangeError) as error:
        return Entry("", budget, missing=str(error))


def _recommended(entrant: Entrant, budget: int, num_classes: int) -> Entry:
    found = recommend(budget, entrant.study, entrant.base, num_classes, entrant.method)
    run = find_study(entrant.study)
    search = {"trials": sum(1 for _ in run.records()), "fingerprint": run.described_images()["fingerprint"]}
    entry = _entry(budget, found.base, found.family, found.factors, found.architecture, num_classes)
    return dataclasses.replace(entry, search=search)


def _scaled(entrant: Entrant, config: ComparisonConfig, budget: int, num_classes: int) -> Entry:
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
    return _entry(budget, found.base.name, family.name, factors, architecture, num_classes)


def _entry(
    budget: int, base: str, family: str, factors: Factors, architecture: Architecture, num_classes: int
) -> Entry:
    counted = families.get(family)
    macs, params = counted.count(counted.row(architecture)[None], num_classes)
    return Entry(
        entrant="",
        budget=budget,
        family=family,
        base=base,
        factors=factors.to_dict(),
        architecture=architecture.to_dict(),
        macs=int(macs[0]),
        params=int(params[0]),
    )
