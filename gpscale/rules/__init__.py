"""Scaling rules: from a budget to the four factors. Numpy only; `rules.fit` imports torch.

>>> from gpscale.rules import names
>>> names()[:4]
['rule', 'surface', 'surface_low', 'rule_of_trials']
"""

# in the order in which tables show them
# isort: off
from gpscale.rules import fitted as fitted
from gpscale.rules import paths as paths
from gpscale.rules import tinynet as tinynet
from gpscale.rules import drawn as drawn
from gpscale.rules import measured as measured

# isort: on
from gpscale.rules.base import (
    Built,
    Ground,
    Measured,
    Pick,
    Proposal,
    ScalingRule,
    get,
    names,
    pick,
    register,
)
from gpscale.rules.gp_rule import GPRule, RulePrediction

__all__ = [
    "Built",
    "GPRule",
    "Ground",
    "Measured",
    "Pick",
    "Proposal",
    "RulePrediction",
    "ScalingRule",
    "get",
    "names",
    "pick",
    "register",
]
