"""Synthetic studies of the three designs: any MACs, one factor at fixed MACs, two factors at fixed MACs."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gpscale import pareto
from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES
from gpscale.rules.fit import fit_rule
from gpscale.rules.gp_rule import GPRule
from gpscale.surrogate.surface import Surface

BASE_MACS = 30_000_000


@dataclasses.dataclass
class SyntheticBase:
    name: str = "mobilevitv2_050@64"
    macs: int = BASE_MACS


@dataclasses.dataclass
class SyntheticStudy:
    name: str
    base: SyntheticBase
    finished: pd.DataFrame
    facts: dict[str, Any]
    surface: Surface
    fitted_rule: GPRule | None

    @property
    def rule(self) -> GPRule:
        if self.fitted_rule is None:
            raise FitError(self.facts["rule_missing"])
        return self.fitted_rule

    def joint_surface(self, outcome: str = "top1") -> Surface:
        return dataclasses.replace(self.surface, outcome=outcome)


def make_study(n: int, names: tuple[str, ...] = FACTOR_NAMES, seed: int = 0) -> SyntheticStudy:
    """Make a study whose accuracy grows with MACs; fewer than four names make a design at fixed MACs."""
    generator = np.random.default_rng(seed)
    factors = np.exp(generator.uniform(np.log(0.5), np.log(1.5), (n, 4)))
    factors[0] = 1.0
    r, d_i, d_m, w = factors.T
    c = r**2 * w**2 * (d_i + d_m) / 2 if names == FACTOR_NAMES else np.full(n, 1.0) + generator.uniform(-0.02, 0.02, n)
    loss = sum((np.log(factors[:, FACTOR_NAMES.index(name)]) - 0.1) ** 2 for name in names)
    top1 = 0.45 + 0.05 * np.log(c) - 0.1 * loss + generator.normal(0, 0.005, n)
    macs = np.round(c * BASE_MACS).astype(int)
    columns: dict[str, Any] = {"id": [f"{i:016x}" for i in range(n)], "macs": macs, "c": c}
    columns |= dict(zip(FACTOR_NAMES, factors.T, strict=True)) | {"top1": top1, "top5": top1 + 0.3}
    finished = pd.DataFrame(columns).sort_values(["macs", "id"], ignore_index=True)
    surface = Surface.fit(finished[list(names)].to_numpy(), names, finished["top1"].to_numpy(), restarts=1)
    facts: dict[str, Any] = {"pareto": None, "rule_missing": "it holds MACs fixed.", "surface_names": list(names)}
    rule = None
    if names == FACTOR_NAMES:
        selection = pareto.select(finished["c"], finished["top1"], band=(0.05, 4.0))
        ids = finished["id"].to_numpy()
        facts["rule_missing"] = ""
        facts["pareto"] = {
            "survivors": ids[selection.indices].tolist(),
            "front": ids[selection.front].tolist(),
            "ranks": dict(zip(ids.tolist(), selection.ranks.tolist(), strict=True)),
        }
        realised = finished[list(FACTOR_NAMES)].to_numpy()
        rule = fit_rule(finished["c"], realised, finished["top1"], band=(0.05, 4.0), bootstrap=3)
    return SyntheticStudy("synthetic", SyntheticBase(), finished, facts, surface, rule)


@pytest.fixture(scope="session")
def study() -> SyntheticStudy:
    """Twenty-four trials of any MACs."""
    return make_study(24)


@pytest.fixture(scope="session")
def large_study() -> SyntheticStudy:
    """A hundred trials of any MACs."""
    return make_study(100, seed=1)


@pytest.fixture(scope="session")
def line_study() -> SyntheticStudy:
    """Twelve trials at fixed MACs in which resolution varies."""
    return make_study(12, ("resolution",))


@pytest.fixture(scope="session")
def grid_study() -> SyntheticStudy:
    """Twenty trials at fixed MACs in which width and resolution vary."""
    return make_study(20, ("width", "resolution"))
