"""What a figure needs of a study, and how to add a figure.

1. Write `plotting/<name>.py` with `<name>_data(study) -> DataFrame`, which computes and draws nothing, and
   `plot_<name>(study, ...) -> Figure`, which draws inside `style()` and labels every axis with its unit. A figure of
   one panel takes an `Axes` to draw on, one of several panels a `Figure` or `SubFigure`.
2. Name it in `plotting/__init__.py`, and in `plotting/files.py` if every sweep should draw it.

Tables hold what the study holds: accuracies as fractions, MACs as numbers. Percent and M appear only on axes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd

from gpscale.factors import FACTOR_NAMES
from gpscale.rules.gp_rule import GPRule
from gpscale.surrogate.surface import Surface

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
    """A fitted study, as figures see it; `gpscale.Study` is one."""

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
        """What the last fit found; `pareto` (ids and ranks, or None), `rule_missing` and `surface_names` are read."""
        ...

    @property
    def rule(self) -> GPRule:
        """The scaling rule."""
        ...

    def joint_surface(self, outcome: str = "top1") -> Surface:
        """Return the surface of `"top1"` or `"top5"` over the factors that the sweep varied."""
        ...


def is_base(table: pd.DataFrame) -> pd.Series[bool]:
    """Tell which rows of `StudyLike.finished` are the base model: those whose realised factors are all 1."""
    factors = table[list(FACTOR_NAMES)].to_numpy(dtype=float)
    return pd.Series(np.isclose(factors, 1.0).all(axis=1), index=table.index)
