"""What a scaling rule is, and how to add one.

A rule answers which factors a budget calls for. It proposes; an exact search over the architectures closes the budget
(errata, row 4), the same for all rules, so that they can be compared. To add one:

1. write `rules/<name>.py` with a frozen dataclass that has every member of `ScalingRule`; numpy only;
2. decorate the class with `@register` and import it in `rules/__init__.py`.

Columns of every array are the factors in the order of `gpscale.factors.FACTOR_NAMES`.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from gpscale import families
from gpscale.errors import FitError, UnknownNameError
from gpscale.factors import Factors
from gpscale.families import Architecture, Integers
from gpscale.rules.gp_rule import FloatArray, GPRule
from gpscale.search_space import SearchSpace
from gpscale.surrogate.surface import Surface

ONE: FloatArray = np.ones(4)
"""A unit of distance that treats all factors alike."""


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """Finished trials of a study.

    Attributes:
        rows: Integers of their architectures, (n, k) int64.
        factors: Realised factors, (n, 4) float64.
        macs: Multiply-accumulates, (n,) int64.
        top1: Validation top-1, (n,) float64, fractions.

    Example:
        >>> Measured(np.ones((1, 16), dtype=np.int64), np.ones((1, 4)), np.array([29_000_000]), np.array([0.5])).top1
        array([0.5])
    """

    rows: Integers
    factors: FloatArray
    macs: npt.NDArray[np.int64]
    top1: FloatArray


@dataclasses.dataclass(frozen=True, eq=False)
class Ground:
    """What a rule may look at.

    Attributes:
        space: The architectures to choose from.
        gp: The study's fitted map from c to factors; None where it has none.
        surface: The study's joint surface of top-1; None where it has none.
        trials: The study's finished trials; None where only the space is known.
        transferred: The rule of another study, of another base or other images; None where none is given.
        of_trials: The study's map that follows the Pareto set of its trials; None where it has none.

    Example:
        >>> Ground(SearchSpace.enumerate("mobilevitv2_050@64", num_classes=10)).gp is None
        True
    """

    space: SearchSpace
    gp: GPRule | None = None
    surface: Surface | None = None
    trials: Measured | None = None
    transferred: GPRule | None = None
    of_trials: GPRule | None = None

    def require_gp(self) -> GPRule:
        """Return `gp`.

        Raises:
            FitError: The study has none.
        """
        if self.gp is None:
            raise FitError("The rule of a study needs a study with a rule. This one has none. Take another study.")
        return self.gp

    def require_surface(self) -> Surface:
        """Return `surface`.

        Raises:
            FitError: The study has none.
        """
        if self.surface is None:
            raise FitError("A pick by the surface needs a fitted study. This one is not. Fit it first.")
        return self.surface

    def require_trials(self) -> Measured:
        """Return `trials`.

        Raises:
            FitError: There are none.
        """
        if self.trials is None:
            raise FitError("A pick among trials needs a study with finished trials. There is none. Take another study.")
        return self.trials

    def require_of_trials(self) -> GPRule:
        """Return `of_trials`.

        Raises:
            FitError: The study has none.
        """
        if self.of_trials is None:
            raise FitError("The rule of the trials needs a study with one. This one has none. Fit it again.")
        return self.of_trials

    def require_transferred(self) -> GPRule:
        """Return `transferred`.

        Raises:
            FitError: There is none.
        """
        if self.transferred is None:
            raise FitError("A transferred rule needs another study. None is given. Name it with --transfer.")
        return self.transferred


@dataclasses.dataclass(frozen=True, eq=False)
class Proposal:
    """What a rule asks for at a budget.

    Attributes:
        factors: The factors, (4,) float64, > 0.
        unit: Unit of distance of each log-factor, (4,) float64, > 0: where it is small, the search moves least.
        habit: Integers of what is built where no search closes the budget, (k,) int64; None where nothing of the rule
            fits, or where it has no such form.
        index: Index in the space of the architecture itself, where the rule names one that uses the budget; else None.
        closed: Whether the search closes the budget; where it does not, the habit is built.
        extrapolated: Whether the budget lies beyond the points that the rule was fitted to.

    Example:
        >>> Proposal(np.array([1.0, 1.0, 1.0, 0.7]), unit=ONE).habit is None
        True
    """

    factors: FloatArray
    unit: FloatArray
    habit: Integers | None = None
    index: int | None = None
    closed: bool = True
    extrapolated: bool = False


class ScalingRule(Protocol):
    """From a budget to the factors that it should be spent on.

    Example:
        >>> space = SearchSpace.enumerate("mobilevitv2_050@64", num_classes=10)
        >>> rule: ScalingRule = get("width")
        >>> rule.propose(Ground(space), 14_500_000).factors[:3].tolist()
        [1.0, 1.0, 1.0]
    """

    name: ClassVar[str]
    title: ClassVar[str]
    """What it is called in tables."""

    def propose(self, ground: Ground, budget: int, generator: np.random.Generator | None = None) -> Proposal:
        """Return what a budget calls for.

        Args:
            ground: What the rule may look at.
            budget: Multiply-accumulates of one image.
            generator: For rules that draw; None for a draw that is always the same. The others leave it alone.

        Raises:
            BudgetError: Nothing that the rule could build fits.
            FitError: The rule needs a study that knows more.
            OutOfRangeError: The rule does not reach so far.
        """
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Built:
    """An architecture that a rule builds.

    Attributes:
        architecture: The integers.
        factors: The factors that it really has, (4,) float64.
        macs: Multiply-accumulates of one image.
        params: Parameters.

    Example:
        >>> space = SearchSpace.enumerate("mobilevitv2_050@64", num_classes=10)
        >>> Built.of(space, space.integers[0]).macs == space.macs[0]
        np.True_
    """

    architecture: Architecture
    factors: FloatArray
    macs: int
    params: int

    @classmethod
    def of(cls, space: SearchSpace, row: Integers) -> Self:
        """Count an architecture of a space's base, which need not lie in the space.

        Args:
            space: Gives base and number of classes.
            row: Integers, (k,) int64.
        """
        family = families.get(space.base.family)
        macs, params = family.count(row[None], space.num_classes)
        return cls(family.architecture(row), family.realised(space.base, row[None])[0], int(macs[0]), int(params[0]))


@dataclasses.dataclass(frozen=True, eq=False)
class Pick:
    """What a rule builds for a budget.

    Attributes:
        rule: Its name.
        budget: Multiply-accumulates that were allowed.
        requested: The factors that the rule asks for, (4,) float64.
        place: Index of the architecture in the space; None where no search has closed the budget.
        built: The architecture; its MACs are never above the budget.
        habit: What is built where no search closes the budget, which may be above it; None as in `Proposal`.
        extrapolated: As in `Proposal`.

    Example:
        >>> space = SearchSpace.enumerate("mobilevitv2_050@64", num_classes=10)
        >>> found: Pick = pick(get("width"), Ground(space), 14_500_000)
        >>> found.rule, found.habit.macs <= found.built.macs
        ('width', True)
    """

    rule: str
    budget: int
    requested: FloatArray
    place: int | None
    built: Built
    habit: Built | None
    extrapolated: bool

    @property
    def index(self) -> int:
        """Index of the architecture in the space; only for a rule whose budget is closed."""
        assert self.place is not None
        return self.place


def pick(rule: ScalingRule, ground: Ground, budget: int, generator: np.random.Generator | None = None) -> Pick:
    """Let a rule propose, and close the budget.

    Among the architectures with 97 % to 100 % of the budget the one is taken that is nearest to the proposal. Of a rule
    that leaves the budget open, the habit is taken.

    Args:
        rule: The rule.
        ground: What it may look at.
        budget: Multiply-accumulates of one image.
        generator: For rules that draw; None for a draw that is always the same.

    Raises:
        GpscaleError: As `ScalingRule.propose` does; or no architecture of the space fits.

    Example:
        >>> space = SearchSpace.enumerate("mobilevitv2_050@64", num_classes=10)
        >>> found = pick(get("compound"), Ground(space), 14_500_000)
        >>> 0.97 * 14_500_000 <= found.built.macs <= 14_500_000
        True
    """
    space = ground.space
    rows = space.rows_within(budget)
    proposal = rule.propose(ground, budget, generator)
    index = proposal.index
    if index is None and proposal.closed:
        index = rows.start + space.take(rows).nearest_index(Factors(*proposal.factors.tolist()), proposal.unit)
    row = proposal.habit if index is None else space.integers[index]
    assert row is not None, "a rule that leaves the budget open has a habit"
    return Pick(
        rule=rule.name,
        budget=budget,
        requested=proposal.factors,
        place=index,
        built=Built.of(space, row),
        habit=None if proposal.habit is None else Built.of(space, proposal.habit),
        extrapolated=proposal.extrapolated,
    )


_RULES: dict[str, ScalingRule] = {}
_Rule = TypeVar("_Rule", bound=ScalingRule)


def register(rule: type[_Rule]) -> type[_Rule]:
    """Add a rule class, which takes no settings, to the registry (decorator).

    Example:
        >>> from gpscale.rules.tinynet import TinyNet
        >>> register(TinyNet) is TinyNet
        True
    """
    _RULES[rule.name] = rule()
    return rule


def get(name: str) -> ScalingRule:
    """Return the rule of that name.

    Raises:
        UnknownNameError: There is none.

    Example:
        >>> get("tinynet").title
        'TinyNet'
    """
    if name not in _RULES:
        raise UnknownNameError.of("scaling rule", name, _RULES)
    return _RULES[name]


def names() -> list[str]:
    """Return the names of all rules, ours first.

    Example:
        >>> names()[:2]
        ['rule', 'surface']
    """
    return list(_RULES)
