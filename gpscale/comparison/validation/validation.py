"""A version of a validation and what its trainings say."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gpscale import pareto, rules
from gpscale.comparison.validation.evidence import LEVEL, Difference, Hits, difference, holm, interval
from gpscale.comparison.validation.version import HABIT, OURS, Choice, Version
from gpscale.rules.fitted import Transferred
from gpscale.run_dir import RunDir
from gpscale.training.test_hits import read_test_hits
from gpscale.trial import TrialRecord, architecture_key


class Validation:
    """One version, however far it has come.

    Attributes:
        run: Its run directory, inside the study's.
        version: What it trains.

    Raises:
        RunDirError: There is none, or it is damaged.

    Example:
        >>> Validation(RunDir("runs/absent").validation(1))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        gpscale.errors.RunDirError: runs/absent/validations/1/validation.json must exist. ...
    """

    def __init__(self, run: RunDir) -> None:
        self.run = run
        self.version = Version.read(run)

    @property
    def name(self) -> str:
        """Study and number."""
        return f"{self.run.path.resolve().parents[1].name}, version {self.run.name}"

    @property
    def note_on_fit(self) -> str:
        """What to know if the study has been fitted anew since the picks were made; else empty."""
        if RunDir(self.run.path.parents[1]).fingerprint == self.version.study:
            return ""
        return (
            f"These picks are of an earlier fit (`{self.version.study}`). The present one has not been validated: "
            "`gpscale validate --new` would."
        )

    @functools.cached_property
    def images(self) -> Mapping[str, Any]:
        """What was recorded of the images."""
        return self.run.described_images()

    @functools.cached_property
    def records(self) -> list[TrialRecord]:
        """The records of all trainings that have ended."""
        return list(self.run.records())

    @functools.cached_property
    def trainings(self) -> pd.DataFrame:
        """One row a rule, budget and seed with a finished training.

        Columns: `rule`, `share`, `budget`, `macs`, `seed`, `trial`; measured `top1` and `top5` of the validation
        images, `test_top1` and `test_top5`; what the surface expected of `top1`, as `expected`, `expected_low` and
        `expected_high`. All accuracies are fractions.
        """
        ended = {(architecture_key(record.trial.architecture), record.trial.seed): record for record in self.records}
        rows = []
        for share in self.version.shares:
            for rule in self.version.rules:
                for seed in self.version.seed_range:
                    choice = self.version.of(rule, share, seed)
                    record = ended.get((architecture_key(choice.architecture), seed))
                    if record is not None and record.result is not None:
                        rows.append(_training_row(choice, seed, record))
        return pd.DataFrame(rows, columns=_TRAINING_COLUMNS)

    @functools.cached_property
    def arms(self) -> Mapping[str, Mapping[tuple[int, int], Hits]]:
        """By rule, then by budget and seed: which test images each finished training gets right."""
        hits = {trial: read_test_hits(self.run.trial(trial)) for trial in self.trainings["trial"].unique()}
        found: dict[str, dict[tuple[int, int], Hits]] = {rule: {} for rule in self.version.rules}
        for row in self.trainings.to_dict("records"):
            found[row["rule"]][row["budget"], row["seed"]] = hits[row["trial"]]
        return found

    @functools.cached_property
    def table(self) -> pd.DataFrame:
        """One row a rule and budget: what was built, mean accuracies, and the 95 % interval of test top-1."""
        rows = []
        for share in self.version.shares:
            for rule in self.version.rules:
                choices = [self.version.of(rule, share, seed) for seed in self.version.seed_range]
                own = self.trainings[(self.trainings["rule"] == rule) & (self.trainings["share"] == share)]
                rows.append(self._table_row(choices, own))
        return pd.DataFrame(rows)

    @functools.cached_property
    def primary(self) -> Difference | None:
        """Ours less the habit, over all budgets and seeds; None before both have trainings."""
        if not {OURS, HABIT} <= self.arms.keys():
            return None
        return difference(OURS, HABIT, self.arms)

    @functools.cached_property
    def transfer(self) -> Difference | None:
        """Ours less the rule of the other study, over budgets and seeds: what a transfer loses; None without one."""
        if not {OURS, Transferred.name} <= self.arms.keys():
            return None
        return difference(OURS, Transferred.name, self.arms)

    @functools.cached_property
    def differences(self) -> pd.DataFrame:
        """One row for each other rule: ours less it, over all budgets and at each, p-values corrected (Holm).

        The first row is the primary result, whose p-value needs no correction; `budget` 0 means all.
        """
        corrected = self._corrected
        rows: list[dict[str, Any]] = []
        for found in self._pooled:
            p_value = corrected.get(found.theirs, math.nan)
            verdict = _verdict(found, p_value)
            rows.append({"budget": 0, **found.to_dict(), "p_corrected": p_value, "verdict": verdict})
        for budget in sorted({budget for arm in self.arms.values() for budget, _ in arm}):
            here = {
                rule: {key: hits for key, hits in arm.items() if key[0] == budget} for rule, arm in self.arms.items()
            }
            found_here = [difference(OURS, rule, here) for rule in self._rivals()]
            # so many comparisons would find something by chance: they describe, and judge nothing
            rows += [
                {"budget": budget, **one.to_dict(), "p_corrected": math.nan, "verdict": ""} for one in found_here if one
            ]
        return pd.DataFrame(rows, columns=_DIFFERENCE_COLUMNS)

    @functools.cached_property
    def _pooled(self) -> list[Difference]:
        """Ours less each other rule over all budgets, the habit first."""
        return [found for rule in self._rivals() if (found := difference(OURS, rule, self.arms)) is not None]

    @functools.cached_property
    def _corrected(self) -> Mapping[str, float]:
        """P-values of all but the primary result, corrected for their number (Holm)."""
        others = [found for found in self._pooled if found.theirs != HABIT]
        return dict(zip((found.theirs for found in others), holm([one.p_value for one in others]), strict=True))

    def summary(self) -> dict[str, Any]:
        """Return the primary result, each rule's hypervolume, and how good the predictions were, as JSON values."""
        return {
            "primary": self.primary.to_dict() if self.primary else None,
            "verdict": self.verdict,
            "transfer": self.transfer.to_dict() if self.transfer else None,
            "transfer_verdict": self.transfer_verdict,
            "hypervolume": self.hypervolumes,
            "predictions": self.predictions,
            "seeds": self.version.seeds,
            "trainings": len(self.trainings),
            "failed": sum(record.failure is not None for record in self.records),
        }

    @property
    def verdict(self) -> str:
        """One sentence on the primary result."""
        found = self.primary
        if found is None:
            return "Nothing to compare yet."
        said = {
            "better": "The rule beats width only",
            "worse": "Width only beats the rule",
            "tie": "The rule and width only tie",
        }[found.verdict]
        if math.isnan(found.low):
            return f"One seed says nothing of chance: {found} over {self._extent(found)}."
        if (lost := self._failed(OURS)) and found.verdict == "better":
            said = f"Not settled, because {lost} of the rule's trainings failed"
        return f"{said}: {found} of test top-1 over {self._extent(found)}."

    @property
    def transfer_verdict(self) -> str:
        """One sentence on what the rule of the other study loses here; empty without one."""
        found = self.transfer
        if found is None:
            return ""
        other = self.version.transfer
        what = f"The rule of study {other['name']!r} (base {other['base']})"
        if math.isnan(found.low):
            return f"{what}, applied here: one seed says nothing of chance; own rule less it {found}."
        said = {
            "better": "loses when it is applied here",
            "worse": "is better here than this study's own",
            "tie": "ties with this study's own",
        }[_verdict(found, self._corrected[found.theirs])]
        return f"{what} {said}: own rule less it {found} of test top-1 over {self._extent(found)}."

    @functools.cached_property
    def hypervolumes(self) -> dict[str, float]:
        """Of each rule that has all budgets, the area under its curve of mean test top-1 against MACs / base MACs.

        The reference is the largest budget and an accuracy of 0.
        """
        unit = self.table["budget"] / self.table["share"]
        table = self.table.assign(c=self.table["macs"] / unit)
        return {
            str(rule): pareto.hypervolume(rows["c"], rows["test_top1"], (max(self.version.shares), 1.0))
            for rule, rows in table.groupby("rule", sort=False)
            if rows["test_top1"].notna().all()
        }

    @functools.cached_property
    def predictions(self) -> dict[str, Any]:
        """How the study's surface predicted validation top-1: by rule and over all, points and shares."""
        rows = self.trainings.drop_duplicates(["rule", "trial"])
        if rows.empty:
            return {}
        groups = {"all": rows.drop_duplicates("trial"), **dict(iter(rows.groupby("rule", sort=False)))}
        return {
            str(name): {
                "trainings": len(group),
                "bias": float((group["expected"] - group["top1"]).mean()),
                "rmse": float(np.sqrt(((group["expected"] - group["top1"]) ** 2).mean())),
                "coverage": float(group["top1"].between(group["expected_low"], group["expected_high"]).mean()),
            }
            for name, group in groups.items()
        }

    def _extent(self, found: Difference) -> str:
        """Say over what a difference is, and what of it is missing."""
        version = self.version
        planned = sum(
            not (version.of(found.ours, share, seed).missing or version.of(found.theirs, share, seed).missing)
            for share in version.shares
            for seed in version.seed_range
        )
        of_all = "" if found.trainings == planned else f" of {planned}"
        return f"{found.budgets} budget{'s' if found.budgets > 1 else ''}, {found.trainings}{of_all} pairs of trainings"

    def _failed(self, rule: str) -> int:
        """Return how many trainings of a rule's picks have failed."""
        version = self.version
        picked = {
            (architecture_key(version.of(rule, share, seed).architecture), seed)
            for share in version.shares
            for seed in version.seed_range
        }
        return sum(
            record.failure is not None and (architecture_key(record.trial.architecture), record.trial.seed) in picked
            for record in self.records
        )

    def _rivals(self) -> list[str]:
        """Return the other rules, the habit first."""
        rivals = [rule for rule in self.version.rules if rule != OURS] if OURS in self.version.rules else []
        return sorted(rivals, key=lambda rule: rule != HABIT)

    def _table_row(self, choices: list[Choice], own: pd.DataFrame) -> dict[str, Any]:
        first = choices[0]
        same = len({architecture_key(choice.architecture) for choice in choices}) == 1
        built = [choice for choice in choices if not choice.missing]
        row: dict[str, Any] = {
            "rule": first.rule,
            "title": rules.get(first.rule).title,
            "share": first.share,
            "budget": first.budget,
            "macs": float(np.mean([choice.macs for choice in built])) if built else math.nan,
            "params": float(np.mean([choice.params for choice in built])) if built else math.nan,
            "architecture": architecture_key(first.architecture) if same and built else "",
            "seeds": len(own),
            "top1": own["top1"].mean(),
            "test_top5": own["test_top5"].mean(),
            "expected": own["expected"].mean() if len(own) else math.nan,
        }
        hits = {seed: one for (budget, seed), one in self.arms[first.rule].items() if budget == first.budget}
        mean, low, high = interval(hits) if hits else (math.nan, math.nan, math.nan)
        return {**row, "test_top1": mean, "test_top1_low": low, "test_top1_high": high, "missing": first.missing}


_TRAINING_COLUMNS = [
    "rule", "share", "budget", "macs", "seed", "trial", "top1", "top5", "test_top1", "test_top5",
    "expected", "expected_low", "expected_high",
]  # fmt: skip

_DIFFERENCE_COLUMNS = [
    "budget", "ours", "theirs", "budgets", "trainings", "mean", "low", "high", "p_value", "p_corrected",
    "wins", "ties", "losses", "coinciding", "verdict",
]  # fmt: skip


def _verdict(found: Difference, p_corrected: float) -> str:
    """Return the verdict of one of several comparisons, or of the primary one, whose p-value is not corrected (NaN)."""
    return "tie" if p_corrected >= LEVEL else found.verdict


def _training_row(choice: Choice, seed: int, record: TrialRecord) -> dict[str, Any]:
    result = record.result
    assert result is not None
    return {
        "rule": choice.rule,
        "share": choice.share,
        "budget": choice.budget,
        "macs": choice.macs,
        "seed": seed,
        "trial": record.id,
        "top1": result.top1,
        "top5": result.top5,
        "test_top1": result.test_top1,
        "test_top5": result.test_top5,
        "expected": choice.top1,
        "expected_low": choice.top1_low,
        "expected_high": choice.top1_high,
    }
