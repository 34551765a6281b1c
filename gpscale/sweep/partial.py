"""Fit what a sweep would have found on some of its trials; nothing is stored."""

from __future__ import annotations

import dataclasses

import pandas as pd

from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES
from gpscale.replicates import averaged
from gpscale.rules.gp_rule import GPRule
from gpscale.surrogate.surface import Surface
from gpscale.sweep.config import SweepConfig
from gpscale.sweep.fit import find_rule, fit_surface


@dataclasses.dataclass(frozen=True, eq=False)
class PartialFit:
    """What some of a sweep's trials give.

    Attributes:
        surface: The joint surface of top-1.
        rule: The scaling rule; None where there is none.
        rule_missing: Why there is none; else empty.
    """

    surface: Surface
    rule: GPRule | None
    rule_missing: str


def fit_part(
    trainings: pd.DataFrame, config: SweepConfig, num_classes: int, bootstrap: int, recalibration: float
) -> PartialFit:
    """Fit surface and rule to some of the trainings of a sweep whose MACs vary.

    Args:
        trainings: Rows of `Study.trainings`.
        config: The sweep.
        num_classes: Classes of its images.
        bootstrap: Draws or resamples behind the rule's band.
        recalibration: Factor on the surface's standard deviations: that of the whole study, whose unit they then have.

    Raises:
        FitError: There are too few, or their accuracies do not differ.
    """
    surface = fit_surface(trainings, FACTOR_NAMES, "top1", config.fit.seed)
    assert surface is not None, "only top-5 may be without a surface"
    surface = surface.recalibrated(recalibration)
    finished = averaged(trainings)
    try:
        rule = find_rule(finished, config, surface, num_classes, bootstrap)
    except FitError as error:
        return PartialFit(surface, None, str(error))
    return PartialFit(surface, rule, "")
