"""What a scaling rule is, and how to add one.

A rule answers which factors a reduction factor c = MACs / base MACs calls for. It proposes; an exact search over the
architectures closes the budget (errata, row 4). To add one:

1. write `rules/<name>.py` with a frozen dataclass that has every member of `ScalingRule`; numpy only; what must be
   fitted with heavier libraries is fitted in a file of its own;
2. decorate the class with `@register` and import it in `rules/__init__.py`.

A stored rule is the JSON object of `to_dict`, in which `"rule"` names the class; `from_dict` here reads any of them.
Columns of every array are the factors in the order of `gpscale.factors.FACTOR_NAMES`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from gpscale.errors import UnknownNameError

FloatArray = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class RulePrediction:
    """The factors that a rule proposes at m reduction factors.

    Attributes:
        factors: Proposed factors, (m, 4) float64, > 0.
        log_std: Standard deviation of their natural logarithms, (m, 4) float64, > 0; the unit in which distance
            from the rule is measured.
        low, high: Ends of their 95 % interval, (m, 4) float64, > 0.

    Example:
        >>> from gpscale.run_dir import find_study, read_json
        >>> found = from_dict(read_json(find_study("quickstart").rule_file)).predict(0.5)
        >>> bool((found.low <= found.factors).all() and (found.factors <= found.high).all())
        True
    """

    factors: FloatArray
    log_std: FloatArray
    low: FloatArray
    high: FloatArray


class ScalingRule(Protocol):
    """A map from reduction factors to factors.

    Example:
        >>> from gpscale.run_dir import find_study, read_json
        >>> rule: ScalingRule = from_dict(read_json(find_study("quickstart").rule_file))
        >>> rule.predict(0.5).factors.shape
        (1, 4)
    """

    name: ClassVar[str]

    def predict(self, c: npt.ArrayLike) -> RulePrediction:
        """Return the proposal at reduction factors, a number or (m,).

        Raises:
            OutOfRangeError: The rule holds no such c.
        """
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return the rule as JSON values, `"rule": name` among them."""
        ...

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read a rule written by `to_dict`."""
        ...


_RULES: dict[str, type[ScalingRule]] = {}
_Rule = TypeVar("_Rule", bound=ScalingRule)


def register(rule: type[_Rule]) -> type[_Rule]:
    """Add a rule class to the registry (decorator).

    Example:
        >>> from gpscale.rules import GPRule
        >>> register(GPRule) is get("gp")
        True
    """
    _RULES[rule.name] = rule
    return rule


def get(name: str) -> type[ScalingRule]:
    """Return the rule class of that name.

    Raises:
        UnknownNameError: There is none.

    Example:
        >>> get("gp").name
        'gp'
    """
    if name not in _RULES:
        raise UnknownNameError.of("scaling rule", name, _RULES)
    return _RULES[name]


def names() -> list[str]:
    """Return the names of all rules.

    Example:
        >>> "gp" in names()
        True
    """
    return sorted(_RULES)


def from_dict(values: Mapping[str, Any]) -> ScalingRule:
    """Read a stored rule of any kind.

    Raises:
        UnknownNameError: `values["rule"]` is no rule.

    Example:
        >>> from gpscale.run_dir import find_study, read_json
        >>> from_dict(read_json(find_study("quickstart").rule_file)).name
        'gp'
    """
    return get(values["rule"]).from_dict(values)
