"""Every number of a validation's tables, computed again from its CSV and from which test images were right."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t

from gpscale.comparison.validation import run_validation
from gpscale.run_dir import DEFAULT_STUDY, RunDir, find_study, shipped_studies
from gpscale.sweep import fit_run
from tests.comparison.instant import Scored, write_study

SHIPPED = [version for name in shipped_studies() for version in find_study(name).validations()]
README = Path(__file__).parents[3] / "README.md"


@functools.cache
def bits(file: Path, line: int) -> np.ndarray:
    lines = file.read_text().splitlines()
    written = bin(int("1" + lines[line], 16))[3:]
    return np.array([bit == "1" for bit in written[: int(lines[0].split()[0])]], dtype=float)


@dataclasses.dataclass(frozen=True)
class Stored:
    """The files of a version."""

    run: RunDir

    @functools.cached_property
    def trainings(self) -> pd.DataFrame:
        return pd.read_csv(self.run.path / "trainings.csv")

    @functools.cached_property
    def table(self) -> pd.DataFrame:
        return pd.read_csv(self.run.path / "validation.csv")

    @functools.cached_property
    def differences(self) -> pd.DataFrame:
        return pd.read_csv(self.run.path / "differences.csv", keep_default_na=False, na_values=[""])

    @functools.cached_property
    def summary(self) -> dict[str, Any]:
        return json.loads((self.run.path / "summary.json").read_text())

    def hits(self, trial: str, line: int = 1) -> np.ndarray:
        """Return which test images are right: with line 1 of the likeliest class, with line 2 of the five likeliest."""
        return bits(self.run.trial(trial) / "test_hits.txt", line)

    def pairs(self, theirs: str, budget: int) -> pd.DataFrame:
        """Return trials of ours and of another rule with the same budget and seed; those of all budgets are judged."""
        rows = self.trainings[self.trainings["judged"] if budget == 0 else self.trainings["budget"] == budget]
        wide = rows.pivot(index=["budget", "seed"], columns="rule", values="trial")
        return wide[["rule", theirs]].dropna().set_axis(["own", "its"], axis=1).reset_index()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A version of a small study, extended after its results were seen, with a rule that lacks a budget."""
    run = write_study(tmp_path_factory.mktemp("tiny") / "study", trials=14, fit={"bootstrap": 5})
    fit_run(run, figures=False)
    names = ["rule", "surface", "width", "tinynet", "random"]
    run_validation(run, Scored(), shares=[0.4, 1.0], names=names, seeds=3)
    return run_validation(run, Scored(), shares=[0.7], names=[*names, "compound"], seeds=4).run


@pytest.fixture(params=[None, *SHIPPED], ids=["tiny", *map(str, SHIPPED)])
def stored(request: pytest.FixtureRequest) -> Stored:
    return Stored(request.param or request.getfixturevalue("tiny"))


def ends(
    values: Sequence[np.ndarray], budgets: Sequence[int], trainings: Sequence[object] | None = None
) -> tuple[float, float, float, float]:
    """Return mean and 95 % interval of what trainings have at each test image, and the p-value, as `evidence` says.

    Budgets at which the very same trainings are met count as one, with their weights; none shares a part alone.
    """
    names = range(len(values)) if trainings is None else trainings
    met = {b: [one for one, own in zip(names, budgets, strict=True) if own == b] for b in sorted({*budgets})}
    by_name = dict(zip(names, values, strict=True))
    kinds = {frozenset(own): own for own in met.values()}
    groups = [np.stack([by_name[one] for one in own]) for own in kinds.values()]
    weights = np.array([sum(set(own) == kind for own in met.values()) / len(met) for kind in kinds])
    assert len(by_name) == sum(map(len, groups))
    images = weights @ [group.mean(axis=0) for group in groups]
    mean = images.mean()
    if min(map(len, groups)) < 2:
        return mean, np.nan, np.nan, np.nan
    terms = weights**2 * [group.mean(axis=1).var(ddof=1) / len(group) for group in groups]
    freedom = np.array([len(group) - 1 for group in groups])
    degrees = terms.sum() ** 2 / (terms**2 / freedom).sum() if terms.any() else 1.0
    luck = weights**2 @ [group.var(axis=0, ddof=1).mean() / len(group) for group in groups]
    chance = max(0.0, images.var(ddof=1) - luck) / images.size

    def half(level: float) -> float:
        return np.sqrt(t.isf(level / 2, degrees) ** 2 * terms.sum() + norm.isf(level / 2) ** 2 * chance)

    levels = np.logspace(-12, 0, 20_001)
    p_value = 1.0 if mean == 0 else levels[int(np.argmin(np.abs(half(levels) - abs(mean))))]
    return mean, mean - half(0.05), mean + half(0.05), p_value


def test_the_trainings_are_those_of_the_records(stored: Stored) -> None:
    assert len(stored.trainings)
    for row in stored.trainings.to_dict("records"):
        record = json.loads(stored.run.record_file(row["trial"]).read_text())
        result = record["result"]
        for name in ("top1", "top5", "test_top1", "test_top5"):
            assert row[name] == pytest.approx(result[name], abs=1e-12)
        assert row["test_top1"] == pytest.approx(stored.hits(row["trial"]).mean(), abs=1e-9)
        assert row["test_top5"] == pytest.approx(stored.hits(row["trial"], 2).mean(), abs=1e-9)
        assert row["macs"] == result["macs"] <= row["budget"]


def test_the_table_of_what_each_rule_reaches_follows_from_the_trainings(stored: Stored) -> None:
    for row in stored.table.to_dict("records"):
        own = stored.trainings.query("rule == @row['rule'] and share == @row['share']")
        assert row["seeds"] == len(own)
        if own.empty:
            continue
        for name in ("top1", "expected", "macs"):
            assert row[name] == pytest.approx(own[name].mean())
        for line, name in ((1, "test_top1"), (2, "test_top5")):
            found = ends([stored.hits(trial, line) for trial in own["trial"]], [0] * len(own))[:3]
            assert [row[name], row[f"{name}_low"], row[f"{name}_high"]] == pytest.approx([*found], nan_ok=True)
            assert row[name] == pytest.approx(own[name].mean())


def test_the_differences_follow_from_the_trainings(stored: Stored) -> None:
    assert stored.differences.iloc[0][["budget", "ours", "theirs"]].tolist() == [0, "rule", "width"]
    for row in stored.differences.to_dict("records"):
        pairs = stored.pairs(row["theirs"], row["budget"])
        each = [stored.hits(own) - stored.hits(its) for own, its in zip(pairs["own"], pairs["its"], strict=True)]
        same = list(zip(pairs["own"], pairs["its"], strict=True))
        mean, low, high, p_value = ends(each, pairs["budget"].tolist(), same)
        assert [row["mean"], row["low"], row["high"]] == pytest.approx([mean, low, high], nan_ok=True, abs=1e-12)
        assert row["p_value"] == pytest.approx(p_value, rel=5e-3, nan_ok=True)
        by_seed = [
            np.mean([one for one, own in zip(each, pairs["seed"], strict=True) if own == seed], axis=0)
            for seed in sorted({*pairs["seed"]})
        ]
        whole = row["budgets"] > 1 and len(pairs) == row["budgets"] * len(by_seed)
        found = ends(by_seed, [0] * len(by_seed))[1:3] if whole else (np.nan, np.nan)
        assert [row["low_by_seed"], row["high_by_seed"]] == pytest.approx([*found], nan_ok=True, abs=1e-12)
        signs = np.sign([round(float(one.mean()), 9) for one in each])
        assert [row["wins"], row["ties"], row["losses"]] == [(signs == sign).sum() for sign in (1, 0, -1)]
        assert row["coinciding"] == (pairs["own"] == pairs["its"]).sum()
        assert (row["trainings"], row["budgets"]) == (len(pairs), pairs["budget"].nunique())


def test_the_corrected_p_values_and_the_verdicts_follow_from_the_differences(stored: Stored) -> None:
    assert stored.differences.loc[stored.differences["budget"] != 0, ["p_corrected", "verdict"]].isna().all(axis=None)
    pooled = stored.differences[stored.differences["budget"] == 0]
    others = pooled.iloc[1:].sort_values("p_value", kind="stable")
    known = others["p_value"].notna().sum()
    corrected = (others["p_value"] * (known - np.arange(len(others)))).clip(upper=1).cummax()
    assert others["p_corrected"].to_numpy() == pytest.approx(corrected.to_numpy(), nan_ok=True)
    assert np.isnan(pooled.iloc[0]["p_corrected"])
    for row in pooled[pooled["low"].notna()].to_dict("records"):
        found = "better" if row["low"] > 0 else "worse" if row["high"] < 0 else "tie"
        assert row["verdict"] == ("tie" if row["p_corrected"] >= 0.05 else found)


def test_the_summary_follows_from_the_tables(stored: Stored) -> None:
    first = stored.differences.iloc[0]
    primary = stored.summary["primary"]
    for name in ("mean", "low", "high", "p_value"):
        assert first[name] == pytest.approx(np.nan if primary[name] is None else primary[name], nan_ok=True)
    assert (primary["verdict"] or np.nan, primary["trainings"]) == (first["verdict"], first["trainings"])
    said = f"{100 * first['mean']:+.2f} points (95 % interval {100 * first['low']:+.2f} to {100 * first['high']:+.2f})"
    assert said in stored.summary["verdict"] or np.isnan(first["low"])
    wide = stored.table.pivot(index="share", columns="rule", values="test_top1").dropna(axis=1, how="all").dropna()
    reached = wide.cummax()
    steps = np.diff([*wide.index, 1.1 * wide.index[-1]])
    areas = dict(zip(reached, reached.to_numpy().T @ steps, strict=True))
    assert stored.summary["hypervolume"] == pytest.approx(areas)
    for name, found in stored.summary["predictions"].items():
        rows = stored.trainings if name == "all" else stored.trainings[stored.trainings["rule"] == name]
        rows = rows.drop_duplicates("trial")
        errors = rows["expected"] - rows["top1"]
        inside = rows["top1"].between(rows["expected_low"], rows["expected_high"])
        wanted = [len(rows), errors.mean(), np.sqrt((errors**2).mean()), inside.mean()]
        assert [found[key] for key in ("trainings", "bias", "rmse", "coverage")] == pytest.approx(wanted)


SAID = re.compile(r"[+-]\d+\.\d\d points \(95 % interval [+-]\d+\.\d\d to [+-]\d+\.\d\d\)")
"""How differences are written."""


def sentence(row: Mapping[str, float]) -> str:
    return f"{100 * row['mean']:+.2f} points (95 % interval {100 * row['low']:+.2f} to {100 * row['high']:+.2f})"


def faults(text: str, tables: Sequence[pd.DataFrame], primary: Sequence[pd.DataFrame]) -> list[str]:
    """Return differences that a text has and no table, and results that come first in a table and it has not."""
    said = SAID.findall(" ".join(text.split()))
    known = {sentence(row) for found in tables for row in found.to_dict("records")}
    wanted = [sentence(found.iloc[0]) for found in primary]
    return [one for one in said if one not in known] + [one for one in wanted if one not in said]


def test_the_readme_has_the_primary_result_of_the_default_study_and_no_other_than_what_ships() -> None:
    default = find_study(DEFAULT_STUDY).validations()[-1:]
    tables, primary = ([Stored(run).differences for run in runs] for runs in (SHIPPED, default))
    assert faults(README.read_text(), tables, primary) == []


def test_a_readme_with_another_result_or_none_is_noticed(tiny: RunDir) -> None:
    table = Stored(tiny).differences
    said = sentence(table.iloc[0])
    assert said in Stored(tiny).summary["verdict"]
    true = "It gains " + said.replace(" (95", "\n(95") + "."
    changed = dict(table.iloc[0]) | {"high": table.iloc[0]["high"] + 0.0002}
    assert faults(true, [table], [table]) == []
    assert faults(true, [], []) == [said]
    assert faults(true.replace(said[-6:], sentence(changed)[-6:]), [table], [table]) == [sentence(changed), said]
    assert faults("It gains.", [table], [table]) == [said]
