"""Validations whose trainings end at once: what is chosen, compared and told."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from gpscale import rules
from gpscale.comparison.rule_picks import ground_of
from gpscale.comparison.validation import Validation
from gpscale.comparison.validation.evidence import LEVEL
from gpscale.comparison.validation.version import Version
from gpscale.errors import RunDirError
from gpscale.execution import Job
from gpscale.pareto import hypervolume
from gpscale.report.card import card
from gpscale.report.validation_card import validation_card
from gpscale.run_dir import RunDir, find_study
from gpscale.study import Study
from gpscale.training.test_hits import TEST_HITS_FILE, write_test_hits
from gpscale.trial import FailureReason, TrialRecord, architecture_key
from tests.comparison.instant import TEST_IMAGES, Scored
from tests.comparison.validation.validating import ARMS, SHARES, validate


def test_every_rule_builds_for_every_budget_and_none_is_above_it(study: RunDir) -> None:
    found = validate(study)
    base = Study(study).base.macs
    assert found.table[["rule", "share"]].to_records(index=False).tolist() == [
        (rule, share) for share in SHARES for rule in ARMS
    ]
    assert (found.table["macs"] <= found.table["budget"]).all()
    assert (found.table["budget"] == (found.table["share"] * base).round()).all()
    assert (found.table["seeds"] == 3).all()
    ground = ground_of(Study(study))
    for choice in found.version.choices:
        if choice.rule == "width":
            picked = rules.pick(rules.get("width"), ground, choice.budget)
            assert choice.architecture == json.loads(json.dumps(picked.built.architecture.to_dict()))


def test_trainings_have_the_study_s_recipe_and_seeds_that_none_of_its_trials_had(study: RunDir) -> None:
    executor = Scored()
    found = validate(study, executor)
    own = list(study.records())
    assert {json.dumps(job.trial.recipe) for job in executor.jobs} == {json.dumps(own[0].trial.recipe)}
    assert set(found.version.seed_range).isdisjoint(record.trial.seed for record in own)
    # all of one seed before the next
    seeds = [job.trial.seed for job in executor.jobs]
    assert seeds == sorted(seeds)
    assert len({job.trial.id for job in executor.jobs}) == len(executor.jobs)


def test_every_number_of_the_tables_follows_from_the_trainings(study: RunDir) -> None:
    found = validate(study)
    trainings = pd.read_csv(found.run.path / "trainings.csv")
    table = pd.read_csv(found.run.path / "validation.csv")
    differences = pd.read_csv(found.run.path / "differences.csv")
    means = trainings.groupby(["rule", "share"])["test_top1"].mean()
    for row in table.to_dict("records"):
        assert row["test_top1"] == pytest.approx(means[row["rule"], row["share"]])
        assert row["test_top1_low"] < row["test_top1"] < row["test_top1_high"]
    wide = trainings.pivot(index=["budget", "seed"], columns="rule", values="test_top1")
    for row in differences.to_dict("records"):
        here = wide if row["budget"] == 0 else wide.loc[[row["budget"]]]
        each = here["rule"] - here[row["theirs"]]
        assert row["mean"] == pytest.approx(each.groupby("budget").mean().mean())
        assert (row["wins"], row["losses"]) == ((each > 1e-9).sum(), (each < -1e-9).sum())
        assert row["trainings"] == len(each)
        assert row["low"] <= row["mean"] <= row["high"]
    for rule, value in found.hypervolumes.items():
        rows = table[table["rule"] == rule]
        assert value == pytest.approx(hypervolume(rows["share"], rows["test_top1"], (1.1 * 0.8, 1.0)))


def test_the_first_difference_is_the_primary_result_and_the_verdict_follows_from_its_interval(study: RunDir) -> None:
    found = validate(study)
    primary = found.primary
    assert primary is not None
    assert (primary.ours, primary.theirs) == ("rule", "width")
    first = found.differences.iloc[0]
    assert (first["budget"], first["theirs"], first["mean"]) == (0, "width", primary.mean)
    assert pd.isna(first["p_corrected"])
    words = {"better": "The rule beats", "worse": "Width only beats", "tie": "tie"}[primary.verdict]
    assert words in found.verdict
    assert f"{100 * primary.mean:+.2f} points" in found.verdict
    page = validation_card(found)
    assert found.verdict in page
    assert found.verdict in card(Study(study))


def test_predictions_are_compared_with_what_was_measured(study: RunDir) -> None:
    found = validate(study)
    rows = found.trainings.drop_duplicates("trial")
    scored = found.predictions["all"]
    assert scored["trainings"] == len(rows)
    assert scored["bias"] == pytest.approx((rows["expected"] - rows["top1"]).mean())
    inside = (rows["top1"] >= rows["expected_low"]) & (rows["top1"] <= rows["expected_high"])
    assert scored["coverage"] == pytest.approx(inside.mean())


def test_top5_has_an_interval_and_none_where_an_earlier_version_has_stored_top1_alone(study: RunDir) -> None:
    found = validate(study)
    row = found.table.iloc[0]
    assert row["test_top5_low"] < row["test_top5"] < row["test_top5_high"]
    ends = f"{row['test_top5_low']:.1%} to {row['test_top5_high']:.1%}"
    assert f"{row['test_top5']:.1%} ({ends})" in validation_card(found)
    trial = found.trainings["trial"].iloc[0]
    file = found.run.trial(trial) / TEST_HITS_FILE
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:2]))
    again = Validation(found.run).table.iloc[0]
    assert np.isnan(again["test_top5_low"])
    assert again["test_top5"] == pytest.approx(row["test_top5"])
    assert (again["test_top1_low"], again["test_top1_high"]) == (row["test_top1_low"], row["test_top1_high"])


def test_the_area_under_a_rule_s_curve_is_of_budgets_that_all_rules_have(study: RunDir) -> None:
    found = validate(study, names=("rule", "width", "tinynet", "width_as_is"), shares=(0.4, 0.8, 1.0))
    assert found.common_shares == (0.4, 0.8)
    for rule, value in found.hypervolumes.items():
        low, high = found.table.loc[found.table["rule"] == rule, "test_top1"].iloc[:2]
        best = max(low, high)
        # between the budgets the first counts, from the second to 1.1 times it the better one
        assert value == pytest.approx(0.4 * low + 0.1 * 0.8 * best)
    assert "at the budgets that all have: 0.4, 0.8;" in validation_card(found)


def test_picks_beyond_what_the_rule_was_fitted_to_are_marked_and_what_is_built_is_shown(study: RunDir) -> None:
    rule = json.loads(study.rule_file.read_text())
    rule["fitted_range"][1] = 0.7
    study.rule_file.write_text(json.dumps(rule))
    found = validate(study)
    rows = found.table[found.table["rule"] == "rule"]
    assert rows["extrapolated"].tolist() == [False, True]
    page = validation_card(found)
    assert "| gpscale, rule* |" in page
    assert "*: extrapolated" in page
    choice = found.version.of("width", 0.4, found.version.first_seed)
    assert ", ".join(f"{value:.2f}" for value in choice.factors.values()) in page


def test_a_rule_that_reaches_a_budget_not_is_said_and_left_out_there(study: RunDir) -> None:
    found = validate(study, names=("rule", "width", "tinynet"), shares=(0.4, 1.0))
    row = found.table[(found.table["rule"] == "tinynet") & (found.table["share"] == 1.0)].iloc[0]
    assert "TinyNet's published models span" in row["missing"]
    pooled = found.differences[(found.differences["budget"] == 0) & (found.differences["theirs"] == "tinynet")].iloc[0]
    assert pooled["budgets"] == 1
    assert found.common_shares == (0.4,)
    assert "n/a: TinyNet" in validation_card(found)


def test_the_rule_of_another_study_is_tried_and_what_it_loses_is_said(study: RunDir) -> None:
    other = find_study("quickstart")
    found = validate(study, transfer=other)
    assert found.version.rules == (*ARMS, "transferred")
    ground = ground_of(Study(study), Study(other))
    for share in SHARES:
        choice = found.version.of("transferred", share, found.version.first_seed)
        picked = rules.pick(rules.get("transferred"), ground, choice.budget)
        assert picked.requested.tolist() == Study(other).rule.predict(share).factors[0].tolist()
        assert choice.architecture == json.loads(json.dumps(picked.built.architecture.to_dict()))
    pairs = found.trainings.pivot(index=["budget", "seed"], columns="rule", values="test_top1")
    assert found.transfer is not None
    assert found.transfer.mean == pytest.approx((pairs["rule"] - pairs["transferred"]).mean())
    assert str(found.transfer) in found.transfer_verdict
    assert "'quickstart' (base mobilevitv2_050@32)" in found.transfer_verdict
    assert found.transfer_verdict in validation_card(found)
    assert found.transfer_verdict in card(Study(study))


def test_one_seed_is_no_evidence(study: RunDir) -> None:
    found = validate(study, seeds=1)
    assert found.verdict.startswith("One seed says nothing of chance: the rule less width only ")
    assert found.verdict.endswith(" points of test top-1 over 2 budgets, 2 pairs of trainings, without an interval.")
    assert found.summary()["primary"]["verdict"] == ""
    assert (found.differences["verdict"] == "").all()
    assert found.differences["low"].isna().all()
    page = validation_card(found)
    assert "One seed: chance was not measured." in page
    assert page.count("| one seed |") == len(found.differences)


def fail(found: Validation, rule: str) -> Validation:
    """Return a validation in which one training of a rule has failed."""
    record = found.run.record(found.trainings.loc[found.trainings["rule"] == rule, "trial"].iloc[0])
    assert record is not None
    found.run.write_record(dataclasses.replace(record, result=None, failure=FailureReason.DIVERGED, detail="made"))
    return Validation(found.run)


class OursWins(Scored):
    """Ends a training at once; what was picked for the rule gets nearly all images right, the others few."""

    def __init__(self, study: RunDir) -> None:
        super().__init__()
        self.study = study

    def _record(self, job: Job) -> TrialRecord:
        record = super()._record(job)
        assert record.result is not None
        version = Version.read(self.study.validation(1))
        ours = architecture_key(record.trial.architecture) in version.built_by("rule").values()
        hits = np.random.default_rng(record.trial.seed).random(TEST_IMAGES) < (0.95 if ours else 0.2)
        write_test_hits(RunDir(job.directory).trial(record.id), hits, hits)
        top1 = float(hits.mean())
        return dataclasses.replace(record, result=dataclasses.replace(record.result, test_top1=top1, test_top5=top1))


def test_a_failed_training_of_ours_leaves_a_victory_unsettled_and_says_what_is_missing(study: RunDir) -> None:
    whole = validate(study, OursWins(study), seeds=4)
    assert whole.verdict.startswith("The rule beats width only: ")
    assert f"over 2 budgets, {whole.primary.trainings} pairs" in whole.verdict
    found = fail(whole, "rule")
    assert found.primary.verdict == "better"
    assert found.verdict.startswith("Not settled, because 1 of the rule's trainings failed: ")
    assert "7 of 8 pairs of trainings" in found.verdict


def test_a_budget_with_one_pair_alone_is_not_called_one_seed_and_what_failed_is_said(study: RunDir) -> None:
    found = fail(validate(study, seeds=2, transfer=find_study("quickstart")), "rule")
    assert found.verdict.startswith("A budget has one pair alone, which says nothing of chance: the rule less width")
    assert found.verdict.endswith(
        " over 2 budgets, 3 of 4 pairs of trainings, without an interval; failed trainings: 1 of the rule."
    )
    assert "is not judged. A budget has one pair alone" in found.transfer_verdict
    assert found.summary()["primary"]["verdict"] == ""
    page = validation_card(found)
    assert "| a budget has one pair alone |" in page
    assert "ne seed" not in found.verdict + found.transfer_verdict + page


def test_what_the_result_is_by_seed_is_said_beside_it(study: RunDir) -> None:
    found = validate(study)
    assert found.primary is not None
    ends = f"{100 * found.primary.low_by_seed:+.2f} to {100 * found.primary.high_by_seed:+.2f}"
    assert ends in found.note_on_seeds
    said = dataclasses.replace(found.primary, low=0.01, high=0.03, low_by_seed=-0.01, high_by_seed=0.05)
    found.__dict__["primary"] = said
    assert found.note_on_seeds.endswith("it is -1.00 to +5.00, by which it would be 'tie'.")
    again = Validation(found.run)
    page = validation_card(again)
    for place in (page, card(Study(study)), json.dumps(again.summary())):
        assert again.note_on_seeds in place
    assert f"| {ends} |" in page
    assert "takes the luck of a seed as independent between budgets" in page
    table = pd.read_csv(found.run.path / "differences.csv")
    assert (table["low_by_seed"].notna() == (table["budget"] == 0)).all()
    assert fail(again, "rule").note_on_seeds == ""


def test_a_verdict_of_several_comparisons_is_of_the_corrected_p_value(study: RunDir) -> None:
    found = validate(study, names=(*ARMS, "tinynet", "resolution"), shares=SHARES)
    table = found.differences
    pooled = table[table["budget"] == 0]
    assert (pooled["p_corrected"].notna() == (pooled["theirs"] != "width")).all()
    assert (pooled.loc[pooled["p_corrected"] >= LEVEL, "verdict"] == "tie").all()
    assert (table.loc[table["budget"] != 0, "verdict"] == "").all()


def test_a_training_whose_hits_are_lost_is_an_error_that_says_what_to_do(study: RunDir) -> None:
    found = validate(study)
    trial = found.trainings["trial"].iloc[0]
    (found.run.trial(trial) / "test_hits.txt").write_text("355 images\nffff\n")
    with pytest.raises(RunDirError, match="Remove the trial's directory"):
        Validation(found.run).arms  # noqa: B018
