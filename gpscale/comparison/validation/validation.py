"""A version of a validation and what its trainings say."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gpscale import pareto, rules
from gpscale.comparison.validation.differences import difference_table
from gpscale.comparison.validation.evidence import Difference, Hits, Verdict, difference, interval
from gpscale.comparison.validation.version import HABIT, OURS, Choice, Version
from gpscale.factors import FACTOR_NAMES
from gpscale.rules.fitted import Transferred
from gpscale.run_dir import RunDir
from gpscale.training.test_hits import read_test_hits, read_top5_hits
from gpscale.trial import TrialRecord, architecture_key

_BEYOND = 1.1
"""The reference of a hypervolume, over the largest budget: the accuracy there counts, too."""


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
            "`gpscale validate --new` would, unless its rule builds the same."
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

        Columns: `rule`, `share`, `budget`, `macs`, `seed`, `trial`; `judged`: whether its budget and seed were asked
        for before any result was seen; measured `top1` and `top5` of the validation images, `test_top1` and
        `test_top5`; what the surface expected of `top1`, as `expected`, `expected_low` and `expected_high`. All
        accuracies are fractions.
        """
        ended = {(architecture_key(record.trial.architecture), record.trial.seed): record for record in self.records}
        rows = []
        for share in self.version.shares:
            for rule in self.version.rules:
                for seed in self.version.seed_range:
                    choice = self.version.of(rule, share, seed)
                    record = ended.get((architecture_key(choice.architecture), seed))
                    if record is not None and record.result is not None:
                        rows.append(
                            _training_row(choice, seed, record) | {"judged": (share, seed) in self._judged_pairs}
                        )
        return pd.DataFrame(rows, columns=_TRAINING_COLUMNS)

    @functools.cached_property
    def arms(self) -> Mapping[str, Mapping[tuple[int, int], Hits]]:
        """By rule, then by budget and seed: which test images each finished training gets right."""
        return self._arms(self.trainings)

    @functools.cached_property
    def judged_arms(self) -> Mapping[str, Mapping[tuple[int, int], Hits]]:
        """As `arms`, of the trainings that are `judged`: verdicts are of these alone."""
        return self._arms(self.trainings[self.trainings["judged"]])

    @functools.cached_property
    def _hits(self) -> Mapping[str, Hits]:
        """By trial: which test images it gets right."""
        return {trial: read_test_hits(self.run.trial(trial)) for trial in self.trainings["trial"].unique()}

    @functools.cached_property
    def _top5_hits(self) -> Mapping[str, Hits]:
        """As `_hits`, of the five likeliest classes; without the trials that an earlier version has stored."""
        found = {trial: read_top5_hits(self.run.trial(trial)) for trial in self.trainings["trial"].unique()}
        return {trial: hits for trial, hits in found.items() if hits is not None}

    def _arms(self, trainings: pd.DataFrame) -> Mapping[str, Mapping[tuple[int, int], Hits]]:
        found: dict[str, dict[tuple[int, int], Hits]] = {rule: {} for rule in self.version.rules}
        for row in trainings.to_dict("records"):
            found[row["rule"]][row["budget"], row["seed"]] = self._hits[row["trial"]]
        return found

    @functools.cached_property
    def table(self) -> pd.DataFrame:
        """One row a rule and budget: what was built, mean accuracies, and the 95 % intervals of test top-1 and top-5.

        MACs, parameters and factors of a rule that draws are means over its seeds.
        """
        rows = []
        for share in self.version.shares:
            for rule in self.version.rules:
                choices = [self.version.of(rule, share, seed) for seed in self.version.seed_range]
                own = self.trainings[(self.trainings["rule"] == rule) & (self.trainings["share"] == share)]
                rows.append(self._table_row(choices, own))
        return pd.DataFrame(rows)

    @functools.cached_property
    def primary(self) -> Difference | None:
        """Ours less the habit, over budgets and seeds asked for before results; None before both have trainings."""
        return self._difference(HABIT, self.judged_arms)

    @functools.cached_property
    def transfer(self) -> Difference | None:
        """Ours less the rule of the other study, as `primary`: what a transfer loses; None without one."""
        return self._difference(Transferred.name, self.judged_arms)

    @property
    def note_on_additions(self) -> str:
        """What was added after results were seen, and what the primary result would be with it; else empty."""
        if not self.version.added:
            return ""
        said = (
            f"Extended after its results were seen ({self.version.added}): verdicts, and differences over all budgets, "
            "are of the budgets and seeds that it was begun with."
        )
        found = self._difference(HABIT, self.arms)
        return (
            said
            if found is None or found == self.primary
            else f"{said} With all of them the rule less width only is {found}."
        )

    def _difference(self, theirs: str, arms: Mapping[str, Mapping[tuple[int, int], Hits]]) -> Difference | None:
        return difference(OURS, theirs, arms) if {OURS, theirs} <= arms.keys() else None

    @functools.cached_property
    def differences(self) -> pd.DataFrame:
        """One row for each other rule: ours less it, over all budgets and at each, p-values corrected (Holm).

        The first row is the primary result, whose p-value needs no correction; `budget` 0 means all, of what was asked
        for before any result was seen.
        """
        return difference_table(OURS, self._rivals(), self.judged_arms, self.arms, primary=HABIT)

    def _verdict(self, found: Difference) -> Verdict:
        """Return the verdict of a difference over all budgets, corrected for their number but for the primary one."""
        table = self.differences
        verdict: Verdict = table.loc[(table["budget"] == 0) & (table["theirs"] == found.theirs), "verdict"].item()
        return verdict

    def summary(self) -> dict[str, Any]:
        """Return the primary result, each rule's hypervolume, and how good the predictions were, as JSON values."""
        return {
            "primary": self.primary and self.primary.to_dict(),
            "verdict": self.verdict,
            "by_seed": self.note_on_seeds,
            "added": self.note_on_additions,
            "transfer": self.transfer and self.transfer.to_dict() | {"verdict": self._verdict(self.transfer)},
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
        if not found.verdict:
            return f"{self._without_interval(found)}."
        said = {
            "better": "The rule beats width only",
            "worse": "Width only beats the rule",
            "tie": "The rule and width only tie",
        }[found.verdict]
        if (lost := self._failed(OURS)) and found.verdict == "better":
            said = f"Not settled, because {lost} of the rule's trainings failed"
        return f"{said}: {found} of test top-1 over {self._extent(found)}."

    @property
    def note_on_seeds(self) -> str:
        """What the primary result is if a seed's luck is not independent between budgets; empty where not known."""
        found = self.primary
        if found is None or not found.verdict_by_seed:
            return ""
        ends = f"{100 * found.low_by_seed:+.2f} to {100 * found.high_by_seed:+.2f}"
        other = f", by which it would be {found.verdict_by_seed!r}" if found.verdict_by_seed != found.verdict else ""
        return (
            "This interval takes the luck of a seed as independent between budgets; by the means of seeds over the "
            f"budgets, which does not, it is {ends}{other}."
        )

    @property
    def transfer_verdict(self) -> str:
        """One sentence on what the rule of the other study loses here; empty without one."""
        found = self.transfer
        if found is None:
            return ""
        other = self.version.transfer
        what = f"The rule of study {other['name']!r} (base {other['base']})"
        verdict = self._verdict(found)
        if not verdict:
            return f"{what}, applied here, is not judged. {self._without_interval(found)}."
        said = {
            "better": "loses when it is applied here",
            "worse": "is better here than this study's own",
            "tie": "ties with this study's own",
        }[verdict]
        return f"{what} {said}: own rule less it {found} of test top-1 over {self._extent(found)}."

    def _without_interval(self, found: Difference) -> str:
        """Say of a difference that has no interval what it is, why it has none, and what has failed."""
        why = "One seed says" if self.version.judged.seeds == 1 else "A budget has one pair alone, which says"
        ours, theirs = ("the rule" if name == OURS else rules.get(name).title for name in (found.ours, found.theirs))
        mean = f"{ours} less {theirs} {100 * found.mean:+.2f} points of test top-1"
        lost = {ours: self._failed(found.ours), theirs: self._failed(found.theirs)}
        failed = " and ".join(f"{count} of {name}" for name, count in lost.items() if count)
        return (
            f"{why} nothing of chance: {mean} over {self._extent(found)}, without an interval"
            f"{f'; failed trainings: {failed}' if failed else ''}"
        )

    @functools.cached_property
    def hypervolumes(self) -> dict[str, float]:
        """By rule, the area under its curve of mean test top-1 against the budget's c, at `common_shares`.

        The reference is an accuracy of 0 at 1.1 times the largest of these. It is the budgets that count, not the MACs
        that were built: to leave a part of a budget unused is no merit.
        """
        shares = self.common_shares
        table = self.table[self.table["share"].isin(shares) & self.table["test_top1"].notna()]
        return {
            str(rule): pareto.hypervolume(rows["share"], rows["test_top1"], (_BEYOND * max(shares), 1.0))
            for rule, rows in table.groupby("rule", sort=False)
        }

    @functools.cached_property
    def common_shares(self) -> tuple[float, ...]:
        """Budgets at which every rule has trainings, rules that have none at all left out; shares of the base's."""
        done = self.table[self.table["test_top1"].notna()]
        return tuple(
            share for share in self.version.shares if set(done.loc[done["share"] == share, "rule"]) == set(done["rule"])
        )

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
        planned = sum(
            not any(self.version.of(rule, share, seed).missing for rule in (found.ours, found.theirs))
            for share, seed in self._judged_pairs
        )
        of_all = "" if found.trainings == planned else f" of {planned}"
        budgets, pairs = ("" if number == 1 else "s" for number in (found.budgets, planned))
        return f"{found.budgets} budget{budgets}, {found.trainings}{of_all} pair{pairs} of trainings"

    def _failed(self, rule: str) -> int:
        """Return how many of a rule's trainings that decide verdicts have failed."""
        picked = {
            (architecture_key(self.version.of(rule, share, seed).architecture), seed)
            for share, seed in self._judged_pairs
        }
        return sum(
            record.failure is not None and (architecture_key(record.trial.architecture), record.trial.seed) in picked
            for record in self.records
        )

    @property
    def _judged_pairs(self) -> list[tuple[float, int]]:
        """Budgets and seeds that decide verdicts."""
        judged = self.version.judged
        return [(share, seed) for share in judged.shares for seed in self.version.seed_range[: judged.seeds]]

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
            **{
                name: float(np.mean([choice.factors[name] for choice in built])) if built else math.nan
                for name in FACTOR_NAMES
            },
            "extrapolated": first.extrapolated,
            "architecture": architecture_key(first.architecture) if same and built else "",
            "seeds": len(own),
            "top1": own["top1"].mean(),
            "expected": own["expected"].mean() if len(own) else math.nan,
        }
        by_seed = dict(zip(own["seed"], own["trial"], strict=True))
        for outcome, hits in (("test_top1", self._hits), ("test_top5", self._top5_hits)):
            known = len(own) > 0 and all(trial in hits for trial in by_seed.values())
            mean = own[outcome].mean()
            ends = interval({seed: hits[one] for seed, one in by_seed.items()}) if known else (mean, math.nan, math.nan)
            row |= dict(zip((outcome, f"{outcome}_low", f"{outcome}_high"), ends, strict=True))
        return {**row, "missing": first.missing}


_TRAINING_COLUMNS = [
    "rule", "share", "budget", "macs", "seed", "trial", "judged", "top1", "top5", "test_top1", "test_top5",
    "expected", "expected_low", "expected_high",
]  # fmt: skip


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
