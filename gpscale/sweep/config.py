"""The sweep file: one YAML is one experiment."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from gpscale import families, sampling
from gpscale.errors import SweepFileError
from gpscale.factors import FACTOR_NAMES, PAPER_BOUNDS, Bounds
from gpscale.rules.gp_rule import Source
from gpscale.search_space import SearchSpace, check_pixel_step
from gpscale.sweep.faults import explain
from gpscale.sweep.file import Section, SettingsFile
from gpscale.training.data.config import DataConfig
from gpscale.training.recipe import Recipe

FREE_TO_CHANGE = (
    "trials",
    "replicates",
    "replicated",
    "fit",
    "num_classes",
    "data.root",
    "data.download",
    "data.memory_cap",
    "data.stream_workers",
)
"""What may differ when a sweep is continued: how far it goes, what is made of it, and where the images lie."""


class Span(Section):
    """Lowest and highest value, both included."""

    low: float = Field(gt=0.0, description="Lowest value.")
    high: float = Field(gt=0.0, description="Highest value.")

    @model_validator(mode="after")
    def _low_is_below_high(self) -> Span:
        if self.low > self.high:
            raise ValueError(f"`low` must not exceed `high`. Got low={self.low:g}, high={self.high:g}. Swap them.")
        return self


class SpaceConfig(Section):
    """Bounds on the factors; what is not set comes from the preset."""

    preset: Literal["default", "paper"] = Field(
        "default", description="default: wide bounds around the base; paper: section 5.1 of the method paper."
    )
    resolution: Span | None = Field(None, description="Bounds on r, pixels over the base's.")
    ir_depth: Span | None = Field(None, description="Bounds on d_i, inverted-residual blocks over the base's.")
    vit_depth: Span | None = Field(None, description="Bounds on d_m, attention layers over the base's.")
    width: Span | None = Field(None, description="Bounds on w, channels over the base's.")
    pixel_step: int | None = Field(
        None, ge=1, description="Pixel sizes are multiples of it; null takes a quarter of the base's pixels."
    )

    @model_validator(mode="before")
    @classmethod
    def _missing_ends_come_from_the_preset(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        preset = _preset_bounds(values.get("preset", "default"))
        return values | {
            name: {"low": preset[name][0], "high": preset[name][1], **values[name]}
            for name in FACTOR_NAMES
            if isinstance(values.get(name), dict)
        }

    @property
    def bounds(self) -> Bounds:
        """The bounds, preset and own ones together."""
        own = {name: getattr(self, name) for name in FACTOR_NAMES}
        spans = {name: (span.low, span.high) for name, span in own.items() if span}
        return Bounds.from_dict({**_preset_bounds(self.preset), **spans})


def _preset_bounds(preset: object) -> dict[str, tuple[float, float]]:
    return (PAPER_BOUNDS if preset == "paper" else Bounds()).to_dict()


class SamplerConfig(BaseModel):
    """A sampler and its options."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = Field("sobol", description="sobol, random, line or grid; further keys are the sampler's options.")

    @model_validator(mode="after")
    def _options_are_legal(self) -> SamplerConfig:
        self.make()
        return self

    def make(self) -> sampling.Sampler:
        """Return the sampler.

        Raises:
            UnknownNameError: No sampler, or none of its options, has that name.
            SweepFileError: An option has a wrong type.
        """
        options = dict(self.model_extra or {})
        kind = type(sampling.make(self.name))
        if not options.keys() <= {field.name for field in dataclasses.fields(kind)}:  # type: ignore[arg-type]
            return sampling.make(self.name, **options)  # raises, and names the options that there are
        try:
            return TypeAdapter(kind).validate_python(options)
        except ValidationError as error:
            faults = [explain(type(self), {**fault, "loc": ("sampler", *fault["loc"])}) for fault in error.errors()]
            raise SweepFileError("\n".join(dict.fromkeys(faults))) from None


class BandConfig(Section):
    """Lowest and highest reduction factor c, both included."""

    low: float = Field(0.2, gt=0.0, description="Lowest MACs over the base's.")
    high: float = Field(1.1, gt=0.0, description="Highest MACs over the base's.")

    @model_validator(mode="after")
    def _low_is_below_high(self) -> BandConfig:
        sampling.Band(self.low, self.high)
        return self


class FitConfig(Section):
    """What is made of the trials."""

    rule_from: Source = Field(
        "surface",
        description="What the rule follows: at each budget the architecture that the joint surface expects most of; or "
        "the trials of the Pareto set, as in the method paper.",
    )
    pareto_values: Literal["mean", "first", "posterior"] = Field(
        "mean",
        description="Top-1 that the Pareto set is chosen by: the mean over replicates; the first seed alone; or the "
        "mean of the joint surface.",
    )
    pareto_share: float = Field(0.2, gt=0.0, le=1.0, description="Share of the trials that survives as the Pareto set.")
    accuracy_floor: float | None = Field(
        None, ge=0.0, lt=1.0, description="Trials at or below this top-1 are left out; null takes the chance level."
    )
    bootstrap: int = Field(
        200, ge=2, le=10_000, description="Draws of the surface, or resamples of the trials, behind the rule's band."
    )
    seed: int = Field(0, ge=0, description="Seed of the fits' restarts, of the draws and of the resamples.")


class SweepConfig(SettingsFile):
    """One experiment: a space, a plan, a recipe, images.

    Raises:
        SweepFileError: Read with `load` or `from_values`, and something is not legal.

    Example:
        >>> config = SweepConfig.from_values({"base": "mobilevitv2_050@64", "recipe": {"epochs": 3}})
        >>> config.recipe.epochs, config.trials
        (3, 24)
    """

    kind = "sweep file"
    free_to_change = FREE_TO_CHANGE
    came_later = ("replicates", "replicated", "stop", "fit.pareto_values", "fit.rule_from")

    base: str = Field(description="Base model, for example mobilevitv2_050@64.")
    num_classes: int | None = Field(
        None, ge=2, description="Classes to count with before the images are at hand; must equal theirs."
    )
    space: SpaceConfig = SpaceConfig()
    band: BandConfig = BandConfig()
    sampler: SamplerConfig = SamplerConfig()
    trials: int = Field(24, ge=1, le=100_000, description="Trials in all; raising it continues the sweep.")
    replicates: int = Field(
        1, ge=1, le=1_000, description="Trainings of each trial that `replicated` chooses, each with a seed of its own."
    )
    replicated: tuple[Literal["base", "front"], ...] = Field(
        ("base", "front"),
        description="Which trials: base; front: those that no other beats, known when all others have ended, and "
        "then those that none beats by the means so far, until all of them are replicated.",
    )
    seed: int = Field(0, ge=0, description="Fixes the plan, and weights, data order and augmentation of every trial.")
    data: DataConfig = DataConfig()
    recipe: Recipe = Recipe()
    stop: Literal["dominated"] | None = Field(
        None,
        description="dominated: end a trial that, as earlier ones tell, cannot reach the front at its MACs any more; "
        "it is not fitted. null: train all to their end.",
    )
    fit: FitConfig = FitConfig()

    @field_validator("base")
    @classmethod
    def _base_is_known(cls, value: str) -> str:
        return families.parse_base(value).name

    @model_validator(mode="after")
    def _replicates_are_of_something(self) -> SweepConfig:
        if self.replicates > 1 and not self.replicated:
            raise ValueError(
                f"`replicated` must say what `replicates: {self.replicates}` is for. Got []. Name base, front or both, "
                "or leave `replicates` out."
            )
        return self

    @model_validator(mode="after")
    def _space_is_legal(self) -> SweepConfig:
        check_pixel_step(families.parse_base(self.base), self.space.pixel_step)
        _ = self.space.bounds, self.sampling_band
        return self

    @property
    def sampling_band(self) -> sampling.Band:
        """The band of reduction factors."""
        return sampling.Band(self.band.low, self.band.high)

    def search_space(self, num_classes: int) -> SearchSpace:
        """Enumerate the sweep's space for a number of classes."""
        return SearchSpace.enumerate(
            self.base, self.space.bounds, pixel_step=self.space.pixel_step, num_classes=num_classes
        )

    def resolved(self) -> SweepConfig:
        """Return the same sweep with every default that depends on others, or on a sampler's class, written out."""
        space = {name: Span(low=low, high=high) for name, (low, high) in self.space.bounds.to_dict().items()}
        step = check_pixel_step(families.parse_base(self.base), self.space.pixel_step)
        sampler = self.sampler.make()
        options: dict[str, Any] = dataclasses.asdict(sampler) if dataclasses.is_dataclass(sampler) else {}
        return self.model_copy(
            update={
                "space": self.space.model_copy(update={**space, "pixel_step": step}),
                "sampler": SamplerConfig(name=self.sampler.name, **options),
            }
        )
