"""One version of a validation: which picks of which rules meet the test images, decided once."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from gpscale import families, rules
from gpscale.comparison.rule_picks import ground_of, try_pick
from gpscale.comparison.shares import check_shares
from gpscale.errors import BudgetError, FitError, RunDirError, UnitError
from gpscale.factors import FACTOR_NAMES
from gpscale.recommendation import Interval
from gpscale.rules import Ground, Pick
from gpscale.rules.fitted import Transferred
from gpscale.run_dir import RunDir
from gpscale.stored import read_stored, write_json
from gpscale.study import Study
from gpscale.trial import architecture_key

SCHEMA = 1
OURS, HABIT = "rule", "width"
"""The primary result is the difference between these two."""
DEFAULT_RULES = (OURS, "surface", HABIT, "tinynet", "random")
DEFAULT_SHARES = (0.25, 0.5, 0.75, 1.0)
DEFAULT_SEEDS = 5
_DRAWS = "random"
"""The rule that builds something else for each seed."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """What one rule builds for one budget.

    Attributes:
        rule: Its name.
        share: The budget as a share of the base's MACs.
        budget: Multiply-accumulates that were allowed.
        seed: The seed that it is for; None where it is the same for all.
        architecture: The integers, as JSON values; empty where there is none.
        macs, params: Its counts; 0 where there is none.
        factors: Its realised factors, by name.
        top1, top1_low, top1_high: Validation top-1 that the study's surface expected of one training, and the ends of
            its 95 % interval, fractions; None where there is no architecture.
        missing: Why there is none; else empty.
        extrapolated: Whether the budget lies beyond the points that the rule was fitted to.
    """

    rule: str
    share: float
    budget: int
    seed: int | None = None
    architecture: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    macs: int = 0
    params: int = 0
    factors: Mapping[str, float] = dataclasses.field(default_factory=dict)
    top1: float | None = None
    top1_low: float | None = None
    top1_high: float | None = None
    missing: str = ""
    extrapolated: bool = False

    @property
    def key(self) -> tuple[str, float, int | None]:
        """What tells it from others."""
        return self.rule, self.share, self.seed


@dataclasses.dataclass(frozen=True)
class Begun:
    """What a version was to train before any of its results were seen: its budgets and seeds alone decide verdicts.

    Attributes:
        shares, rules: As of the version.
        seeds: How many.
    """

    shares: tuple[float, ...]
    rules: tuple[str, ...]
    seeds: int

    @classmethod
    def of(cls, version: Version) -> Self:
        """Return all that a version trains."""
        return cls(version.shares, version.rules, version.seeds)


@dataclasses.dataclass(frozen=True)
class Version:
    """What a version of a validation trains.

    Attributes:
        study: Fingerprint of the study's fit when the choices were made.
        shares: Budgets as shares of the base's MACs, ascending.
        rules: Names of the rules, in the order of the tables.
        first_seed: The first of `seeds` consecutive seeds, none of which a trial of the study has had.
        seeds: How many trainings each choice gets.
        choices: What is built.
        transfer: The other study whose rule is tried here, as its `name`, `base` and fingerprint of its `fit`; empty
            where there is none.
        begun: What it trained when its first results came; None where that is all of it.

    Example:
        >>> from gpscale.run_dir import find_study
        >>> version: Version = plan_version(find_study("quickstart"), [0.5], ["width"], 2)[1]
        >>> list(version.seed_range), version.of("width", 0.5, 1).macs
        ([1, 2], 4243712)
    """

    study: str
    shares: tuple[float, ...]
    rules: tuple[str, ...]
    first_seed: int
    seeds: int
    choices: tuple[Choice, ...]
    transfer: Mapping[str, str] = dataclasses.field(default_factory=dict)
    begun: Begun | None = None

    @property
    def judged(self) -> Begun:
        """What was asked for before any result was seen."""
        return self.begun or Begun.of(self)

    @property
    def added(self) -> str:
        """What was added after results were seen, in words; empty where nothing was."""
        begun = self.judged
        shares = [f"{share:g}" for share in self.shares if share not in begun.shares]
        names = [name for name in self.rules if name not in begun.rules]
        seeds = [str(seed) for seed in self.seed_range[begun.seeds :]]
        parts = (("budgets", shares), ("rules", names), ("seeds", seeds))
        return "; ".join(f"{what} {', '.join(values)}" for what, values in parts if values)

    @property
    def seed_range(self) -> range:
        """The seeds."""
        return range(self.first_seed, self.first_seed + self.seeds)

    def of(self, rule: str, share: float, seed: int) -> Choice:
        """Return what a rule builds for a budget and a seed."""
        for choice in self.choices:
            if choice.key in ((rule, share, None), (rule, share, seed)):
                return choice
        raise AssertionError("a version has a choice for each of its rules, budgets and seeds")

    def built_by(self, rule: str) -> dict[float, str]:
        """Return what a rule builds at each budget for which it has a pick, whatever the seed."""
        return {
            choice.share: architecture_key(choice.architecture)
            for choice in self.choices
            if choice.rule == rule and not choice.missing
        }

    def write(self, run: RunDir) -> None:
        """Write it into its run directory."""
        values = dataclasses.asdict(self)
        write_json(run.validation_file, {"schema": SCHEMA, **values})

    @classmethod
    def read(cls, run: RunDir) -> Self:
        """Read the version of a run directory.

        Raises:
            RunDirError: The file is absent or damaged.
        """
        return read_stored(run.validation_file, "a version of a validation", cls._from_dict)

    @classmethod
    def _from_dict(cls, stored: Mapping[str, Any]) -> Self:
        values = {key: value for key, value in stored.items() if key != "schema"}
        choices = tuple(Choice(**choice) for choice in values.pop("choices"))
        begun = values.pop("begun", None)
        shares, rules_ = tuple(values.pop("shares")), tuple(values.pop("rules"))
        own = Begun(tuple(begun["shares"]), tuple(begun["rules"]), begun["seeds"]) if begun else None
        return cls(**values, shares=shares, rules=rules_, choices=choices, begun=own)


def plan_version(
    run: RunDir,
    shares: Iterable[float] | None,
    names: Sequence[str] | None,
    seeds: int | None,
    *,
    new: bool = False,
    transfer: RunDir | None = None,
) -> tuple[RunDir, Version]:
    """Return where a validation lies and what it trains: the latest version taken further, or a new one.

    Args:
        run: The study's run directory.
        shares: Budgets as shares of the base's MACs; None for those of the latest version, or the defaults.
        names: Rules; None as for `shares`.
        seeds: Trainings of each choice; None as for `shares`. Never fewer than there are.
        new: Begin a new version, though the latest one could go on; never of the same fit, nor where our rule builds
            what it has built in an earlier one.
        transfer: Another study, whose rule is compared as `transferred`; None for that of the latest version, if any.

    Raises:
        BudgetError: There is nothing to compare at a budget.
        FitError: The study has no rule, nor has the other; or there is no other where one is needed.
        RunDirError: It has not been fitted; or it has changed since the latest version, which is asked for more; or
            that was begun with the rule of yet another study; or what our rule builds has met the test images in an
            earlier version.
        UnitError: A number is not legal.
        UnknownNameError: There is no such rule.

    Example:
        >>> from gpscale.run_dir import find_study
        >>> directory, version = plan_version(find_study("quickstart"), None, None, seeds=3)
        >>> directory.name, version.rules[:3], len(version.seed_range)
        ('1', ('rule', 'surface', 'width'), 3)
    """
    study = Study(run)
    _check(shares, names, seeds)
    other = Study(transfer) if transfer else None
    ground, fingerprint = ground_of(study, other), run.fingerprint
    if ground.gp is None:
        raise FitError(f"A validation needs a study with a rule. {run.path} has none: {study.facts['rule_missing']}")
    before = run.validations()
    versions = [Version.read(old) for old in before]
    latest = versions[-1] if before and not new else None
    if latest is None:
        used = {record.trial.seed for record in [*run.records(), *(one for old in before for one in old.records())]}
        empty = Version(fingerprint, (), (), max(used) + 1, 0, (), _described(other))
        wanted = _grown(empty, shares or DEFAULT_SHARES, names or DEFAULT_RULES, seeds or DEFAULT_SEEDS, ground)
        _check_new(before, versions, wanted)
        return run.next_validation(), wanted
    if other is not None and latest.transfer not in ({}, _described(other)):
        before_it = latest.transfer
        raise RunDirError(
            f"A version tries the rule of one other study. {before[-1].path} tries that of {before_it['name']!r}, fit "
            f"{before_it['fit']}; asked for is {other.name!r}, fit {other.run.fingerprint}. Leave --transfer out; or "
            "grow the study until its rule builds something else, and begin another version with --new."
        )
    latest = dataclasses.replace(latest, transfer=latest.transfer or _described(other))
    wanted = _grown(latest, shares or latest.shares, names or latest.rules, seeds or latest.seeds, ground)
    if wanted.choices != latest.choices and latest.study != fingerprint:
        raise RunDirError(
            f"All picks of a version come from the same fit. {before[-1].path} was begun with another fit of the "
            "study, and is asked for more. Ask for what it has, or begin another version with --new."
        )
    if wanted.built_by(OURS) != latest.built_by(OURS):
        _check_grown(before[:-1], versions[:-1], wanted)
    seen = any(record.result is not None for record in before[-1].records())
    begun = latest.judged if seen else None
    return before[-1], dataclasses.replace(wanted, begun=None if begun == Begun.of(wanted) else begun)


def _check_new(before: Sequence[RunDir], versions: Sequence[Version], wanted: Version) -> None:
    """Refuse to begin a version of what has met the test images in an earlier one: further seeds until one wins.

    Raises:
        RunDirError: It is of the same fit, whatever its transfer; or our rule builds the same.
    """
    for directory, old in zip(before, versions, strict=True):
        met = "the same fit" if old.study == wanted.study else _met(old, wanted)
        if met:
            raise RunDirError(
                f"A new version has new picks: what a fit builds meets the test images once. {directory.path} has "
                f"{met}. Leave --new out to go on with it, where rules, budgets, seeds and the rule of another study "
                "can be added; or grow the study first, until its rule builds something else."
            )


def _check_grown(before: Sequence[RunDir], versions: Sequence[Version], wanted: Version) -> None:
    """Refuse to take a version further to what has met the test images in an earlier one.

    Raises:
        RunDirError: Our rule builds the same.
    """
    for directory, old in zip(before, versions, strict=True):
        if met := _met(old, wanted):
            raise RunDirError(
                f"What a rule builds meets the test images once. {directory.path} has {met}. Leave out what is asked "
                "for in addition."
            )


def _met(old: Version, wanted: Version) -> str:
    """Say which picks of our rule an earlier version has, where it has them all, whatever fit made them; else empty.

    All means at every budget of both; or, where a budget is written a little otherwise, all that are wanted.
    """
    own, its = wanted.built_by(OURS), old.built_by(OURS)
    common = [share for share in own if share in its]
    same = bool(common) and all(own[share] == its[share] for share in common)
    if not same and not (own and set(own.values()) <= set(its.values())):
        return ""
    return f"the same picks of {OURS} at {', '.join(f'{share:g}' for share in (common if same else own))}"


def _grown(version: Version, shares: Iterable[float], names: Sequence[str], seeds: int, ground: Ground) -> Version:
    """Return a version with more budgets, rules and seeds; what has been chosen stays chosen."""
    _check_span(set(shares) - set(version.shares), ground)
    known = {choice.key: choice for choice in version.choices}
    all_shares = tuple(sorted({*version.shares, *shares}))
    transferred = [] if ground.transferred is None else [Transferred.name]
    all_rules = tuple(dict.fromkeys((*version.rules, *names, *transferred)))
    grown = dataclasses.replace(version, shares=all_shares, rules=all_rules, seeds=max(seeds, version.seeds))
    choices = []
    for share in all_shares:
        for name in all_rules:
            for seed in grown.seed_range if name == _DRAWS else (None,):
                if name == Transferred.name and (name, share, seed) not in known:
                    # not a pick that is missing, but a command that is
                    ground.require_transferred()
                choices.append(known.get((name, share, seed)) or _choose(name, share, seed, ground))
    grown = dataclasses.replace(grown, choices=tuple(choices))
    _check_reach(grown)
    return grown


def _check_span(shares: Iterable[float], ground: Ground) -> None:
    """Refuse budgets beyond the trials.

    Raises:
        BudgetError: One is.
    """
    low, high = ground.require_gp().c_range
    for share in sorted(shares):
        if not low <= share <= high:
            raise BudgetError(
                f"--budgets must lie in c {low:.3f} to {high:.3f}, the span of the finished trials. Got {share:g}. "
                "Choose one inside, or run trials there."
            )


def _check_reach(version: Version) -> None:
    """Refuse budgets for which nothing can be compared: they would stay in the version.

    Raises:
        BudgetError: Ours has no pick for a budget, or no rule has.
    """
    for share in version.shares:
        here = [choice for choice in version.choices if choice.share == share]
        judged = [choice for choice in here if choice.rule == OURS] or here
        if all(choice.missing for choice in judged):
            raise BudgetError(
                f"--budgets must be ones that can be compared. Got {share:g}: {judged[0].missing} Leave it out."
            )


def _described(other: Study | None) -> dict[str, str]:
    return {} if other is None else {"name": other.name, "base": other.base.name, "fit": other.run.fingerprint}


def _choose(name: str, share: float, seed: int | None, ground: Ground) -> Choice:
    budget = round(share * ground.space.base_macs)
    found = try_pick(name, ground, budget, seed or 0)
    if not isinstance(found, Pick):
        return Choice(name, share, budget, seed, missing=found)
    expected = Interval.predicted(ground.require_surface(), found.built.factors)
    # as JSON gives them back
    architecture = json.loads(json.dumps(found.built.architecture.to_dict()))
    factors = dict(zip(FACTOR_NAMES, found.built.factors.tolist(), strict=True))
    return Choice(
        rule=name,
        share=share,
        budget=budget,
        seed=seed,
        architecture=architecture,
        macs=found.built.macs,
        params=found.built.params,
        factors=factors,
        top1=expected.mean,
        top1_low=expected.low,
        top1_high=expected.high,
        extrapolated=found.extrapolated,
    )


def _check(shares: Iterable[float] | None, names: Sequence[str] | None, seeds: int | None) -> None:
    check_shares(shares or ())
    for name in names or ():
        rules.get(name)
    if seeds is not None and seeds < 1:
        raise UnitError(f"--seeds must be at least 1. Got {seeds}. Take 5.")


def family_of(study: Study) -> str:
    """Return the name of the family that a study scales."""
    return families.parse_base(study.base.name).family
