"""What a figure needs of a study, and how to add a figure.

1. Write `plotting/<name>.py` with `<name>_data(study) -> DataFrame`, which computes and draws nothing, and
   `plot_<name>(study, ...) -> Figure`, which draws inside `style()` and labels every axis with its unit. A figure of
   one panel takes an `Axes` to draw on, one of several panels a `Figure` or `SubFigure`.
   Both raise `FitError` for a study that cannot have the figure, with the reason.
2. Name it in `plotting/__init__.py` and in `plotting/catalogue.py`; sweeps and `gpscale plot` then draw it.

Tables hold what the study holds: accuracies as fractions, MACs as numbers. Percent and M appear only on axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd

from gpscale.factors import FACTOR_NAMES
from gpscale.rules.gp_rule import GPRule
from gpscale.search_space import SearchSpace
from gpscale.surrogate.surface import Surface
from gpscale.surrogate.views import SurfaceProfile

Columns = Literal[1, 2]
"""Width of a figure: one column of a paper (3.3 in) or both (6.9 in)."""


class BaseLike(Protocol):
    """The base model of a study."""

    @property
    def name(self) -> str:
        """For example `"mobilevitv2_050@64"`."""
        ...

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image."""
        ...


class StudyLike(Protocol):
    """A fitted study, as figures see it; `gpscale.Study` is one.

    Example:
        >>> from gpscale import Study
        >>> study: StudyLike = Study("quickstart")
        >>> study.base.name
        'mobilevitv2_050@32'
    """

    @property
    def name(self) -> str:
        """Name of the study."""
        ...

    @property
    def base(self) -> BaseLike:
        """The base model."""
        ...

    @property
    def finished(self) -> pd.DataFrame:
        """One row a finished trial: `id`, `macs`, `c`, the four realised factors, `top1`, `top5` (fractions)."""
        ...

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the last fit found.

        Read are `pareto` (ids, ranks, and the top-1 that they are by; or None), `rule_missing`, `surface_names`,
        `surface_ids`, `c_range` and `diagnostics`.
        """
        ...

    @property
    def curves(self) -> pd.DataFrame:
        """One row a finished trial and epoch: `id`, `c`, and the columns of `curve.csv`."""
        ...

    @property
    def space(self) -> SearchSpace:
        """The search space of the sweep."""
        ...

    @property
    def rule(self) -> GPRule:
        """The scaling rule."""
        ...

    @property
    def regret(self) -> Mapping[str, Any] | None:
        """What `gpscale regret` found of the last fit; None where it was not run since."""
        ...

    def joint_surface(self, outcome: str = "top1") -> Surface:
        """Return the surface of `"top1"` or `"top5"` over the factors that the sweep varied."""
        ...

    def iso_macs(
        self, factor: str, macs: str | float, *, tolerance: float = 0.03, outcome: str = "top1"
    ) -> SurfaceProfile:
        """Find the best that the joint surface promises at each level of a factor, at about fixed MACs."""
        ...


def is_base(table: pd.DataFrame) -> pd.Series[bool]:
    """Tell which rows of `StudyLike.finished` are the base model: those whose realised factors are all 1."""
    return at_base(table, FACTOR_NAMES)


def at_base(table: pd.DataFrame, names: Sequence[str]) -> pd.Series[bool]:
    """Tell in which rows the named factors are all 1."""
    factors = table[list(names)].to_numpy(dtype=float)
    return pd.Series(np.isclose(factors, 1.0).all(axis=1), index=table.index)
