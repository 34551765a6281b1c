"""Scaling rules: from a reduction factor c to the four factors. Numpy only; `rules.fit` imports torch."""

from gpscale.rules.base import RulePrediction, ScalingRule, from_dict, get, names, register
from gpscale.rules.gp_rule import GPRule

__all__ = ["GPRule", "RulePrediction", "ScalingRule", "from_dict", "get", "names", "register"]
