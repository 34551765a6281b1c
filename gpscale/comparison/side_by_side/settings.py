"""The comparison file: which models meet at which budgets, trained how, on what."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from gpscale import families
from gpscale.recommendation import Method
from gpscale.run_dir import find_study
from gpscale.sweep.config import FREE_TO_CHANGE
from gpscale.sweep.file import Section, SettingsFile
from gpscale.training.data.config import DataConfig
from gpscale.training.recipe import Recipe
from gpscale.units import parse_macs

By = Literal["width", "resolution", "depth", "compound"]


class Entrant(Section):
    """What meets the others: a family scaled to each budget, or what a study recommends for it."""

    family: str | None = Field(None, description="A family; its members are scaled to each budget.")
    base: str | None = Field(
        None,
        description="Which model is scaled, at any pixels that its family takes; null takes the published one nearest "
        "each budget, which may be another for each.",
    )
    by: By | None = Field(None, description="width, resolution, depth or compound; null takes `scale_by`.")
    study: str | None = Field(None, description="A study, instead of a family: what it recommends for each budget.")
    method: Method = Field("rule", description="How the study recommends.")

    @model_validator(mode="before")
    @classmethod
    def _a_name_is_a_family(cls, values: Any) -> Any:
        return {"family": values} if isinstance(values, str) else values

    @model_validator(mode="after")
    def _it_is_one_thing(self) -> Entrant:
        if (self.family is None) == (self.study is None):
            raise ValueError("an entrant is either a `family` or a `study`. Got both or none. Name one.")
        if self.family is None:
            find_study(self.study)
            if self.by is not None:
                raise ValueError("`by` is for a family. Got it for a study. Leave it out.")
            if self.base is not None:
                families.parse_base(self.base)
            return self
        family = families.get(self.family)
        if self.base is not None and families.parse_base(self.base).family != family.name:
            raise ValueError(
                f"`base` must be a model of the family {family.name}. Got {self.base!r}. Take "
                f"{family.stock_bases[0]!r}, for example."
            )
        return self


class ComparisonConfig(SettingsFile):
    """One comparison: entrants, budgets, seeds, a recipe, images.

    Raises:
        SweepFileError: Read with `load` or `from_values`, and something is not legal.

    Example:
        >>> config = ComparisonConfig.from_values({"budgets": ["20M"], "entrants": ["edgevit", "mobilevitv2"]})
        >>> config.budgets, config.entrants[0].family
        ((20000000,), 'edgevit')
    """

    kind = "comparison file"
    free_to_change = (
        "budgets",
        "entrants",
        "seeds",
        "timing",
        *(name for name in FREE_TO_CHANGE if name.startswith("data.")),
    )

    budgets: tuple[int, ...] = Field(min_length=1, description="Multiply-accumulates of one image: 20M, 300M ...")
    entrants: tuple[Entrant, ...] = Field(
        default_factory=lambda: tuple(Entrant(family=name) for name in families.names()),
        min_length=1,
        description="What is compared, the others with the first; by default every family.",
    )
    scale_by: By = Field("compound", description="How families are scaled where an entrant does not say.")
    least_share: float = Field(
        0.97,
        gt=0.0,
        le=1.0,
        description="A member with at least this share of a budget uses it. Under compound scaling the one nearest the "
        "scaled factors is taken; where there is none, the largest that fits. What is left of the budget is printed.",
    )
    seeds: int = Field(2, ge=1, le=1_000, description="Trainings of each model.")
    seed: int = Field(0, ge=0, description="The first seed; each fixes weights, data order and augmentation.")
    timing: bool = Field(True, description="Time the models on this machine when all are trained.")
    data: DataConfig = DataConfig()
    recipe: Recipe = Recipe()

    @property
    def seed_range(self) -> range:
        """The seeds."""
        return range(self.seed, self.seed + self.seeds)

    @field_validator("budgets", mode="before")
    @classmethod
    def _budgets_are_macs(cls, values: Any) -> Any:
        return tuple(parse_macs(value) for value in values) if isinstance(values, list | tuple) else values

    @model_validator(mode="after")
    def _none_comes_twice(self) -> ComparisonConfig:
        # what an entrant leaves out is what the file says for all
        entrants = tuple(
            one if one.study else one.model_copy(update={"by": one.by or self.scale_by}) for one in self.entrants
        )
        for name, values in (("budgets", self.budgets), ("entrants", entrants)):
            if len(set(values)) < len(values):
                raise ValueError(f"`{name}` must differ from each other. Got one of them twice. Leave it out.")
        return self
