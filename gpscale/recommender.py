"""From a budget to an architecture: the rule proposes, an exact search closes the budget.

Numpy only: a recommendation is answered from stored fits in well under a second.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from gpscale import families, rules
from gpscale.errors import FitError, Reach, UnitError, UnknownNameError, UnmeasuredBudgetError
from gpscale.factors import Bounds, Factors
from gpscale.families import Base
from gpscale.recommendation import BEST_OF_MANY, Interval, Method, Recommendation
from gpscale.rules import GPRule, Ground, pick
from gpscale.run_dir import RunDir, find_study
from gpscale.search_space import SearchSpace
from gpscale.stored import read_json, read_stored
from gpscale.surrogate.surface import Surface
from gpscale.units import format_macs, parse_macs, round_macs

_PREFERRED_C = 0.5


@dataclasses.dataclass(frozen=True)
class FittedStudy:
    """What a recommendation needs of a study, read once.

    Attributes:
        name: The study's name.
        base: Its base model.
        num_classes: Classes of its images.
        bounds: Bounds on the factors.
        pixel_step: Step between its pixel sizes.
        base_macs: Multiply-accumulates of its base.
        rule: Its scaling rule.
        surface: Its joint surface of top-1.
        cautions: What speaks against relying on it, as in `Recommendation`.
    """

    name: str
    base: Base
    num_classes: int
    bounds: Bounds
    pixel_step: int
    base_macs: int
    rule: GPRule
    surface: Surface
    cautions: tuple[str, ...]

    @classmethod
    def load(cls, run: RunDir) -> FittedStudy:
        """Read the stored fits of a run directory.

        Raises:
            RunDirError: It has not been fitted, or by another version of gpscale.
            FitError: Its design gives no rule.
        """
        facts = run.read_facts()
        if facts["rule_missing"]:
            raise FitError(
                f"A recommendation needs a study with a rule. Study {run.name!r} has none: {facts['rule_missing']} "
                "Take another study."
            )
        return cls(
            name=run.name,
            base=families.parse_base(facts["base"]),
            num_classes=facts["num_classes"],
            bounds=Bounds.from_dict(facts["bounds"]),
            pixel_step=facts["pixel_step"],
            base_macs=facts["base_macs"],
            rule=read_stored(run.rule_file, "a rule", GPRule.from_dict),
            surface=read_stored(run.surface_file("top1"), "a surface", Surface.from_dict),
            cautions=tuple(_cautions(run, facts)),
        )

    def space(self, base: Base, num_classes: int) -> SearchSpace:
        """Enumerate the study's space on `base`: the same bounds, and as many pixel steps to the base's pixels."""
        own, pixels = self.base.architecture.pixels, base.architecture.pixels
        step, rest = divmod(self.pixel_step * pixels, own)
        return SearchSpace.enumerate(
            base, self.bounds, pixel_step=step if rest == 0 and step > 0 else None, num_classes=num_classes
        )


def recommend(
    macs: str | float,
    study: str | os.PathLike[str] | None = None,
    base: str | None = None,
    num_classes: int | None = None,
    method: Method = "rule",
) -> Recommendation:
    """Recommend the architecture to build for a budget.

    Args:
        macs: Budget: multiply-accumulates of one image, a number or a string such as `"500M"`.
        study: A run directory, or the name of a shipped study; None for the default one.
        base: Base model such as `"mobilevitv2_100@128"`. None takes the study's own where the budget lies inside its
            range, else the stock base whose c comes closest to 0.5, marked as transferred.
        num_classes: Outputs of the classifier; None for the study's.
        method: `"rule"` takes the architecture closest to the rule in units of the rule's own standard deviation,
            `"surface"` the one with the best expected top-1, `"surface_low"` the one with the highest lower end of the
            surface's 95 % band, all among those with 97 % to 100 % of the budget.

    Returns:
        The recommendation; its MACs are never above the budget.

    Raises:
        UnitError: `macs` or `num_classes` is no positive number.
        UnknownNameError: `study`, `base` or `method` is not known.
        UnmeasuredBudgetError: The budget lies outside what the study has measured, relative to the base.
        BudgetError: No architecture of the base fits.
        RunDirError, FitError: The study has not been fitted, or has no rule.

    Example:
        >>> recommend("500M").macs <= 500_000_000
        True
    """
    if method not in get_args(Method):
        raise UnknownNameError.of("method", method, get_args(Method))
    budget = parse_macs(macs)
    if num_classes is not None and num_classes < 1:
        raise UnitError(f"num_classes must be at least 1. Got {num_classes}. Leave it out for the study's own.")
    fitted = load_study(find_study(study))
    classes = fitted.num_classes if num_classes is None else num_classes
    text = macs.strip() if isinstance(macs, str) else budget
    asked = _Asked(budget, text, classes, {"study": study and os.fspath(study), "num_classes": num_classes})
    chosen = _choose_base(fitted, asked, base)
    space = fitted.space(chosen, classes)
    requested = fitted.rule.predict(budget / space.base_macs).factors[0]
    found = pick(rules.get(method), Ground(space, fitted.rule, fitted.surface), budget)
    transferred = chosen != fitted.base
    chosen_by_surface = method != "rule" or fitted.rule.source == "surface"
    top1, reason = _predict_top1(fitted, space, found.index, classes, transferred)
    return Recommendation(
        budget=budget,
        macs=found.built.macs,
        params=found.built.params,
        factors=Factors(*found.built.factors.tolist()),
        requested=Factors(*requested.tolist()),
        architecture=found.built.architecture,
        family=chosen.family,
        num_classes=classes,
        base=chosen.name,
        base_macs=space.base_macs,
        study=fitted.name,
        method=method,
        transferred=transferred,
        extrapolated=fitted.rule.extrapolated(budget / space.base_macs),
        cautions=(*fitted.cautions, *([BEST_OF_MANY] if top1 and chosen_by_surface else [])),
        top1=top1,
        top1_reason=reason,
    )


def load_study(run: RunDir) -> FittedStudy:
    """Read the stored fits of a run directory; kept until they are written anew."""
    stamps = (file.stat().st_mtime_ns if file.exists() else 0 for file in (run.study_file, run.fidelity_file))
    return _load_study(str(run.path.resolve()), *stamps)


@functools.lru_cache(maxsize=16)
def _load_study(path: str, fitted: int, compared: int) -> FittedStudy:
    return FittedStudy.load(RunDir(path))


@dataclasses.dataclass(frozen=True)
class _Asked:
    """A budget, the classes to count with, and the options that a call with another budget or base must repeat."""

    budget: int
    text: str | int
    num_classes: int
    options: Mapping[str, Any]

    def c(self, base: Base) -> float:
        return self.budget / _macs(base, self.num_classes)

    def call(self, macs: str | int, **more: str) -> str:
        options = {"macs": macs, **more, **self.options}
        arguments = ", ".join(f"{name}={json.dumps(value)}" for name, value in options.items() if value is not None)
        return f"gpscale.recommend({arguments})"


def _choose_base(fitted: FittedStudy, asked: _Asked, name: str | None) -> Base:
    low, high = fitted.rule.c_range
    base = _fitting_base(fitted, asked) if name is None else families.parse_base(name)
    if base is not None and low <= asked.c(base) <= high:
        return base
    reach = _reach(fitted, asked, base)
    if base is None:
        rule = (
            f"must lie inside the range of {fitted.base.name} or of a stock base of {fitted.base.family}, c in "
            f"[{low:.2f}, {high:.2f}] in study `{fitted.name}`. None of them fits."
        )
    else:
        rule = (
            f"is c={asked.c(base):.3g} of base {base.name} ({format_macs(_macs(base, asked.num_classes))}), but study "
            f"`{fitted.name}` holds c in [{low:.2f}, {high:.2f}]."
        )
    remedy = (
        f"Leave `base` out, or try {asked.call(asked.text, base=reach.other_base)}."
        if reach.other_base
        else f"Try {asked.call(reach.nearest)}, the nearest budget that has one."
    )
    raise UnmeasuredBudgetError.of(f"macs={asked.text} {rule} {remedy}", reach)


def _reach(fitted: FittedStudy, asked: _Asked, base: Base | None) -> Reach:
    """Return which budgets have a recommendation, on a base or, where it is None, on any."""
    every = (fitted.base, *_stock_bases(fitted.base.family))
    low, high = fitted.rule.c_range

    def ends(bases: Sequence[Base]) -> list[str]:
        sizes = [_macs(one, asked.num_classes) for one in bases]
        texts = [text for n in sizes for text in (round_macs(low * n, up=True), round_macs(high * n, up=False))]
        return sorted(texts, key=parse_macs)

    own, other = ends([base] if base else every), _fitting_base(fitted, asked)
    return Reach(
        study=fitted.name,
        c_range=(low, high),
        base=(base.name, _macs(base, asked.num_classes)) if base else None,
        other_base=other.name if other else None,
        least=own[0],
        largest=own[-1],
        nearest=min(ends(every), key=lambda text: abs(parse_macs(text) - asked.budget)),
    )


def _fitting_base(fitted: FittedStudy, asked: _Asked) -> Base | None:
    """Return the study's base if the budget lies inside its range, else the stock base with c closest to a half."""
    low, high = fitted.rule.c_range
    if low <= asked.c(fitted.base) <= high:
        return fitted.base
    legal = [base for base in _stock_bases(fitted.base.family) if low <= asked.c(base) <= high]
    return min(legal, key=lambda base: abs(asked.c(base) - _PREFERRED_C), default=None)


@functools.lru_cache(maxsize=16)
def _stock_bases(family: str) -> tuple[Base, ...]:
    return tuple(families.parse_base(name) for name in families.get(family).stock_bases)


def _cautions(run: RunDir, facts: Mapping[str, Any]) -> Iterator[str]:
    if not facts["diagnostics"]["top1"]["knows_more_than_macs"]:
        yield f"study {run.name!r} is not shown to know more than MACs do: its proportions may be luck"
    alike = f"whether longer trainings than those of study {run.name!r} rank alike"
    if not run.fidelity_file.exists():
        yield f"{alike} is not measured"
        return
    fidelity = read_json(run.fidelity_file)
    if fidelity["compared"] < len(fidelity["trials"]):
        yield f"{alike} is not settled: {fidelity['compared']} of {len(fidelity['trials'])} have ended"
    elif not fidelity["for_deployment"]:
        yield f"longer trainings do not confirm the ranking of study {run.name!r}: not for deployment"


@functools.lru_cache(maxsize=256)
def _macs(base: Base, num_classes: int) -> int:
    family = families.get(base.family)
    return int(family.count(family.row(base.architecture)[None], num_classes)[0][0])


def _predict_top1(
    fitted: FittedStudy, space: SearchSpace, index: int, num_classes: int, transferred: bool
) -> tuple[Interval | None, str]:
    if transferred:
        return None, f"study {fitted.name!r} trained base {fitted.base.name}, not {space.base.name}"
    if num_classes != fitted.num_classes:
        return None, f"study {fitted.name!r} trained on {fitted.num_classes} classes, not {num_classes}"
    return Interval.predicted(fitted.surface, space.factors[index]), ""
