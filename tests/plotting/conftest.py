"""Synthetic studies of the three designs: any MACs, one factor at fixed MACs, two factors at fixed MACs."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gpscale import pareto
from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES
from gpscale.rules.fit import fit_rule
from gpscale.rules.gp_rule import GPRule
from gpscale.search_space import SearchSpace
from gpscale.surrogate.diagnostics import Diagnostics, LeftOut, Scores
from gpscale.surrogate.surface import Surface
from gpscale.surrogate.views import SurfaceProfile
from gpscale.training.curve import CurveRow

BASE = "mobilevitv2_050@64"
SPACE = SearchSpace.enumerate(BASE, num_classes=10)
BAND = (0.2, 1.1)
EPOCHS = 6


@dataclasses.dataclass
class SyntheticBase:
    name: str = BASE
    macs: int = SPACE.base_macs


@dataclasses.dataclass
class SyntheticStudy:
    name: str
    base: SyntheticBase
    finished: pd.DataFrame
    facts: dict[str, Any]
    surfaces: dict[str, Surface]
    curves: pd.DataFrame
    fitted_rule: GPRule | None
    regret: dict[str, Any] | None = None

    @property
    def rule(self) -> GPRule:
        if self.fitted_rule is None:
            raise FitError(self.facts["rule_missing"])
        return self.fitted_rule

    @property
    def space(self) -> SearchSpace:
        return SPACE

    def joint_surface(self, outcome: str = "top1") -> Surface:
        return self.surfaces[outcome]

    def iso_macs(
        self, factor: str, macs: str | float, *, tolerance: float = 0.03, outcome: str = "top1"
    ) -> SurfaceProfile:
        assert isinstance(macs, float)
        surface = self.surfaces[outcome]
        if surface.names != FACTOR_NAMES:
            raise FitError(f"An iso-MAC profile needs all four factors. Got {surface.names}. Use `surface`.")
        candidates = SPACE.feasible((1 - tolerance) * macs, (1 + tolerance) * macs)
        return surface.profile(factor, candidates.factors)


def make_study(n: int, names: tuple[str, ...] = FACTOR_NAMES, seed: int = 0) -> SyntheticStudy:
    """Make a study whose accuracy grows with MACs; fewer than four names make a design at fixed MACs."""
    generator = np.random.default_rng(seed)
    fixed = names != FACTOR_NAMES
    part = SPACE.feasible(*((0.97, 1.03) if fixed else BAND) * np.array(SPACE.base_macs))
    rows = generator.choice(len(part), n - 1, replace=False)
    factors = np.vstack([np.ones(4), part.factors[rows]])
    macs = np.append(SPACE.base_macs, part.macs[rows])
    c = macs / SPACE.base_macs
    loss = sum((np.log(factors[:, FACTOR_NAMES.index(name)]) - 0.1) ** 2 for name in names)
    top1 = 0.45 + 0.05 * np.log(c) - 0.1 * loss + generator.normal(0, 0.005, n)
    columns: dict[str, Any] = {"id": [f"{i:016x}" for i in range(n)], "macs": macs, "c": c}
    columns |= dict(zip(FACTOR_NAMES, factors.T, strict=True))
    columns |= {"top1": top1, "top5": 0.9 + 0.2 * (top1 - 0.45)}
    finished = pd.DataFrame(columns).sort_values(["macs", "id"], ignore_index=True)
    surfaces = {
        outcome: Surface.fit(finished[list(names)].to_numpy(), names, finished[outcome], outcome, restarts=1)
        for outcome in ("top1", "top5")
    }
    facts: dict[str, Any] = {
        "pareto": None,
        "rule_missing": "it holds MACs fixed.",
        "surface_names": list(names),
        "surface_ids": finished["id"].tolist(),
        "c_range": [float(c.min()), float(c.max())],
        "diagnostics": {outcome: made_diagnostics(surface).to_dict() for outcome, surface in surfaces.items()},
    }
    rule = None
    if not fixed:
        selection = pareto.select(finished["c"], finished["top1"], band=BAND)
        ids = finished["id"].to_numpy()
        facts["rule_missing"] = ""
        facts["pareto"] = {
            "survivors": ids[selection.indices].tolist(),
            "front": ids[selection.front].tolist(),
            "values": "mean",
            "top1": dict(zip(ids.tolist(), finished["top1"].tolist(), strict=True)),
            "ranks": dict(zip(ids.tolist(), selection.ranks.tolist(), strict=True)),
        }
        realised = finished[list(FACTOR_NAMES)].to_numpy()
        rule = fit_rule(finished["c"], realised, finished["top1"], band=BAND, bootstrap=3)
    curves = pd.concat([made_curve(row, generator) for row in finished.to_dict("records")], ignore_index=True)
    regret = None if fixed else made_regret(n)
    return SyntheticStudy("synthetic", SyntheticBase(), finished, facts, surfaces, curves, rule, regret)


def made_diagnostics(surface: Surface) -> Diagnostics:
    """Make up predictions: the surface misses the first trial and no other, log MACs know the mean."""
    measured, n = surface.values, len(surface.values)
    joint = LeftOut(tuple(measured + 0.01 * (np.arange(n) == 0)), (0.004,) * n)
    alone = LeftOut((float(measured.mean()),) * n, (float(np.ptp(measured)),) * n)
    scores = Scores(rmse=0.0123, nlpd=-2.0, spearman=0.87, coverage=1 - 1 / n)
    other = Scores(rmse=0.0345, nlpd=-1.0, spearman=0.0, coverage=1.0)
    return Diagnostics(surface.outcome, n, scores, other, 1.0, 0.1, tuple(measured.tolist()), joint, alone)


def made_regret(n: int) -> dict[str, Any]:
    """Make up a regret that falls with the trials; the rule has no pick after the first eight."""
    counts = [*range(8, n, 4), n]
    rows = []
    for arm, kind, trials in itertools.product(("rule", "surface"), ("plan", "random"), counts):
        none = arm == "rule" and trials == 8
        regret = None if none else 0.02 * (1 - trials / n) + 0.002 * (arm == "rule")
        reach = {"low": 0.9 * regret, "high": 1.1 * regret} if regret is not None and kind == "random" else {}
        figures = {"regret": regret, "same": trials / n, "lost": 0.0, "low": None, "high": None, **reach}
        rows.append({"arm": arm, "kind": kind, "trials": trials, "orders": 0 if none else 10, **figures})
    return {"rows": rows, "chance": 0.03, "noise": 0.004}


def made_curve(row: dict[Any, Any], generator: np.random.Generator) -> pd.DataFrame:
    """Make up a learning curve that ends at the trial's accuracy; the raw weights waver below it."""
    epoch = np.arange(1, EPOCHS + 1)
    rise = epoch / EPOCHS
    wavering = rise * generator.uniform(0.8, 0.99, EPOCHS)
    columns = [epoch, 100 * epoch, 2.5 - rise, 2.5 - wavering, row["top1"] * wavering, row["top5"] * wavering]
    columns += [2.4 - rise, row["top1"] * rise, row["top5"] * rise]
    names = [field.name for field in dataclasses.fields(CurveRow)]
    return pd.DataFrame({"id": row["id"], "c": row["c"], **dict(zip(names, columns, strict=True))})


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
