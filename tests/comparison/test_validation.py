"""Validations whose trainings end at once: what is chosen, kept, compared and told."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gpscale import rules
from gpscale.comparison.rule_picks import ground_of
from gpscale.comparison.validation import Validation, plan_version, run_validation
from gpscale.comparison.validation.evidence import LEVEL, difference, holm, interval
from gpscale.doctor import examine
from gpscale.errors import BudgetError, DataError, FitError, RunDirError, UnitError, UnknownNameError
from gpscale.execution import Job
from gpscale.pareto import hypervolume
from gpscale.report.card import card
from gpscale.report.validation_card import validation_card
from gpscale.run_dir import RunDir, find_study
from gpscale.study import Study
from gpscale.sweep import fit_run
from gpscale.training.test_hits import TEST_HITS_FILE, write_test_hits
from gpscale.trial import FailureReason, TrialRecord
from tests.comparison.instant import Instant, write_study

TEST_IMAGES = 355
SHARES = (0.4, 0.8)
ARMS = ("rule", "width", "random")


class Scored(Instant):
    """Ends a training at once; the wider the images, the more of the test images are right."""

    def _record(self, job: Job) -> TrialRecord:
        record = super()._record(job)
        if record.result is None:
            return record
        trial = record.trial
        share = 0.3 + trial.architecture["pixels"] / 200
        generator = np.random.default_rng([trial.seed, trial.architecture["pixels"]])
        hits = np.arange(TEST_IMAGES) < share * TEST_IMAGES + generator.normal(0, 3)
        directory = RunDir(job.directory).trial(trial.id)
        directory.mkdir(parents=True, exist_ok=True)
        write_test_hits(directory, hits)
        tested = {"test_top1": float(hits.mean()), "test_top5": 1.0, "test_loss": 1.0}
        return dataclasses.replace(record, result=dataclasses.replace(record.result, **tested))


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A fitted study; its tests take copies."""
    run = write_study(
        tmp_path_factory.mktemp("fitted") / "study",
        law=lambda c, factors: 0.3 + 0.2 * c + 0.05 * np.log(factors.resolution),
        trials=14,
        fit={"bootstrap": 5},
    )
    fit_run(run, figures=False)
    return run


@pytest.fixture
def study(fitted: RunDir, tmp_path: Path) -> RunDir:
    return RunDir(shutil.copytree(fitted.path, tmp_path / "study"))


def validate(run: RunDir, executor: Instant | None = None, **options: object) -> Validation:
    settings = {"shares": SHARES, "names": ARMS, "seeds": 3, **options}
    return run_validation(run, executor or Scored(), **settings)  # type: ignore[arg-type]


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


def test_the_random_rule_draws_anew_for_each_seed_and_the_others_do_not(study: RunDir) -> None:
    version = validate(study).version
    for share in SHARES:
        for rule in ARMS:
            built = {str(version.of(rule, share, seed).architecture) for seed in version.seed_range}
            assert (len(built) > 1) == (rule == "random")


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
    base = Study(study).base.macs
    for rule, value in found.hypervolumes.items():
        rows = table[table["rule"] == rule]
        assert value == pytest.approx(hypervolume(rows["macs"] / base, rows["test_top1"], (0.8, 1.0)))


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


def test_the_same_command_goes_on_and_more_seeds_rules_and_budgets_are_added(study: RunDir) -> None:
    executor = Scored(dies_after=3)
    with pytest.raises(KeyboardInterrupt):
        validate(study, executor)
    again = Scored()
    whole = validate(study, again)
    assert len(executor.jobs) == 3
    assert {job.trial.id for job in executor.jobs}.isdisjoint(job.trial.id for job in again.jobs)
    more = validate(study, seeds=4, shares=(0.6,), names=("tinynet",))
    assert more.run.path == whole.run.path
    assert (more.version.shares, more.version.seeds) == ((0.4, 0.6, 0.8), 4)
    assert more.version.rules == (*ARMS, "tinynet")
    kept = {choice.key: choice for choice in more.version.choices}
    assert all(kept[choice.key] == choice for choice in whole.version.choices)


def test_picks_stay_though_the_study_has_grown_and_a_new_version_takes_new_ones(study: RunDir) -> None:
    first = validate(study)
    for record in list(study.records())[:3]:
        study.record_file(record.id).unlink()
    fit_run(study, figures=False)
    assert validate(study).version == first.version
    assert "The present one has not been validated" in validate(study).note_on_fit
    assert first.note_on_fit in card(Study(study))
    with pytest.raises(RunDirError, match="begin another version with --new"):
        validate(study, shares=(0.5,))
    second = validate(study, new=True)
    assert [run.name for run in study.validations()] == ["1", "2"]
    assert Validation(study.validation(1)).version == first.version
    assert second.version.study != first.version.study
    assert set(second.version.seed_range).isdisjoint(first.version.seed_range)
    said = card(Study(study))
    assert second.note_on_fit == ""
    assert f"version 1: {first.verdict}" in said
    assert f"version 2: {second.verdict}" in said


def test_damage_in_a_version_is_found_and_the_version_is_not_mistaken_for_a_new_one(study: RunDir) -> None:
    version = validate(study).run
    assert examine(study) == []
    lost = version.trial_ids()[0]
    (version.trial(lost) / TEST_HITS_FILE).write_text("9 images\nff\n")
    version.validation_file.write_text('{"schema": 1}')
    found = {one.path: one.advice for one in examine(study)}
    assert found.keys() == {"validations/1/validation.json", f"validations/1/trials/{lost}"}
    assert "begin another version" in found["validations/1/validation.json"]
    assert examine(study) == []
    assert study.validations() == []
    assert validate(study).run.name == "2"
    assert [run.name for run in study.validations()] == ["2"]


def test_a_rule_that_reaches_a_budget_not_is_said_and_left_out_there(study: RunDir) -> None:
    found = validate(study, names=("rule", "width", "tinynet"), shares=(0.4, 1.0))
    row = found.table[(found.table["rule"] == "tinynet") & (found.table["share"] == 1.0)].iloc[0]
    assert "TinyNet's published models span" in row["missing"]
    pooled = found.differences[(found.differences["budget"] == 0) & (found.differences["theirs"] == "tinynet")].iloc[0]
    assert pooled["budgets"] == 1
    assert "tinynet" not in found.hypervolumes
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


def test_a_version_tries_the_rule_of_one_other_study_which_need_not_be_named_again(study: RunDir) -> None:
    first = validate(study, transfer=find_study("quickstart"))
    again = Scored()
    assert validate(study, again).version == first.version
    assert again.jobs == []
    with pytest.raises(RunDirError, match="tries the rule of one other study"):
        validate(study, transfer=find_study("cifar10"))
    with pytest.raises(FitError, match="Name it with --transfer"):
        validate(study, shares=(*SHARES, 0.6))
    assert validate(study, shares=(*SHARES, 0.6), transfer=find_study("quickstart")).version.shares == (0.4, 0.6, 0.8)
    assert validate(study, new=True, transfer=find_study("cifar10")).version.transfer["name"] == "cifar10"


def test_a_transfer_without_another_study_is_refused(study: RunDir) -> None:
    with pytest.raises(FitError, match="Name it with --transfer"):
        validate(study, names=("rule", "transferred"))
    assert not study.validations()


def test_one_seed_is_no_evidence(study: RunDir) -> None:
    found = validate(study, seeds=1)
    assert found.verdict.startswith("One seed says nothing of chance")
    assert found.differences["low"].isna().all()
    assert "One seed: chance was not measured." in validation_card(found)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"shares": (0.0,)}, UnitError, "--budgets are shares"),
        ({"seeds": 0}, UnitError, "--seeds must be at least 1"),
        ({"names": ("habit",)}, UnknownNameError, "Unknown scaling rule 'habit'"),
        ({"overrides": ("recipe.epochs=9",)}, RunDirError, "Further trainings keep"),
    ],
)
def test_bad_input_is_refused_before_any_work(
    study: RunDir, options: dict[str, object], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        validate(study, **options)
    assert study.validations() == []


def test_a_budget_that_nothing_can_be_built_for_is_refused_and_not_kept(study: RunDir) -> None:
    with pytest.raises(BudgetError, match=r"Got 0\.001"):
        validate(study, shares=(0.001, 0.4))
    assert study.validations() == []
    whole = validate(study)
    with pytest.raises(BudgetError, match="Leave it out"):
        validate(study, shares=(*SHARES, 0.001))
    assert Validation(whole.run).version == whole.version


def test_a_failed_training_of_ours_leaves_a_victory_unsettled_and_says_what_is_missing(study: RunDir) -> None:
    whole = validate(study, Scored(), seeds=4)
    assert f"over 2 budgets, {whole.primary.trainings} pairs" in whole.verdict
    row = whole.trainings[whole.trainings["rule"] == "rule"].iloc[0]
    record = whole.run.record(row["trial"])
    assert record is not None
    whole.run.write_record(dataclasses.replace(record, result=None, failure=FailureReason.DIVERGED, detail="made"))
    found = Validation(whole.run)
    assert "7 of 8 pairs of trainings" in found.verdict
    settled = {"better": "Not settled, because 1 of the rule's trainings failed"}
    assert found.verdict.startswith(settled.get(found.primary.verdict, ("The rule", "Width")))


def test_a_verdict_of_several_comparisons_is_of_the_corrected_p_value(study: RunDir) -> None:
    found = validate(study, names=(*ARMS, "tinynet", "resolution"), shares=SHARES)
    table = found.differences
    pooled = table[table["budget"] == 0]
    assert (pooled["p_corrected"].notna() == (pooled["theirs"] != "width")).all()
    assert (pooled.loc[pooled["p_corrected"] >= LEVEL, "verdict"] == "tie").all()
    assert (table.loc[table["budget"] != 0, "verdict"] == "").all()


def test_a_study_without_a_rule_cannot_be_validated(tmp_path: Path) -> None:
    run = write_study(tmp_path / "study", trials=8, fit={"pareto_share": 0.1, "bootstrap": 5})
    fit_run(run, figures=False)
    with pytest.raises(FitError, match="needs a study with a rule"):
        plan_version(run, None, None, None)


def test_a_training_whose_hits_are_lost_is_an_error_that_says_what_to_do(study: RunDir) -> None:
    found = validate(study)
    trial = found.trainings["trial"].iloc[0]
    (found.run.trial(trial) / "test_hits.txt").write_text("355 images\nffff\n")
    with pytest.raises(RunDirError, match="Remove the trial's directory"):
        Validation(found.run).arms  # noqa: B018


def test_holm_is_as_published() -> None:
    # Holm (1979): the smallest of m is multiplied by m, the next by m - 1 ..., none below the one before
    assert holm([0.01, 0.02, 0.03, 0.04]) == [0.04, 0.06, 0.06, 0.06]
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert np.isnan(holm([0.01, float("nan")])[1])
    assert holm([0.01, float("nan")])[0] == 0.01


def simulated(
    generator: np.random.Generator, better: float, seeds: int, images: int, budgets: int = 3, seed_std: float = 0.05
) -> dict[str, dict]:
    """Two rules at some budgets; images differ in difficulty, architectures in what is difficult for them."""
    difficulty = generator.normal(0, 1.2, images)
    arms: dict[str, dict] = {"a": {}, "b": {}}
    for budget in range(budgets):
        own = {name: generator.normal(0, 0.3, images) for name in arms}
        for seed in range(seeds):
            for name, shift in (("a", better), ("b", 0.0)):
                luck = generator.normal(0, seed_std) + generator.normal(0, 0.6, images)
                arms[name][budget, seed] = difficulty + own[name] + shift + luck > 0
    return arms


@pytest.mark.parametrize(
    ("budgets", "seeds", "seed_std"), [(3, 5, 0.0), (3, 5, 0.02), (3, 5, 0.1), (3, 2, 0.3), (1, 2, 0.0), (1, 2, 0.1)]
)
def test_intervals_hold_the_truth_as_often_as_they_say(budgets: int, seeds: int, seed_std: float) -> None:
    generator = np.random.default_rng(0)
    drawn = (simulated(generator, 0.0, seeds, 600, budgets, seed_std) for _ in range(200))
    found = [one for arms in drawn if (one := difference("a", "b", arms)) is not None]
    inside = np.mean([one.low <= 0 <= one.high for one in found])
    # 95 % of 200, less three standard deviations
    assert inside >= 0.904
    # as sure as it says, too, where there are seeds enough to tell
    if seeds == 5:
        assert inside <= 0.99
    # and an interval leaves 0 out just where the p-value says so
    assert all((one.p_value < LEVEL) == (not one.low <= 0 <= one.high) for one in found)


def test_a_real_difference_is_found_and_equal_rules_are_not_told_apart() -> None:
    arms = simulated(np.random.default_rng(1), 0.4, 5, 2000)
    found = difference("a", "b", arms)
    assert found is not None
    assert (found.verdict, found.losses) == ("better", 0)
    other = difference("b", "a", arms)
    assert other is not None
    assert (other.verdict, other.mean) == ("worse", -found.mean)
    same = difference("a", "c", {**arms, "c": arms["a"]})
    assert same is not None
    assert (same.mean, same.low, same.high, same.verdict, same.coinciding) == (0.0, 0.0, 0.0, "tie", 15)


def test_rules_that_share_no_budget_are_not_compared() -> None:
    hits = np.ones(4, bool)
    assert difference("a", "b", {"a": {(1, 0): hits}, "b": {(2, 0): hits}}) is None


def test_the_interval_of_one_pick_is_around_its_mean() -> None:
    generator = np.random.default_rng(0)
    hits = {seed: generator.random(3000) < 0.7 + 0.01 * seed for seed in range(4)}
    mean, low, high = interval(hits)
    assert mean == pytest.approx(np.mean([one.mean() for one in hits.values()]))
    assert 0.68 < low < mean < high < 0.75
    assert np.isnan(interval({0: hits[0]})[1])


def test_images_without_a_test_split_are_refused(study: RunDir, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "a.png").write_bytes(b"")
    text = study.sweep_file.read_text().replace("source: digits", "source: folder")
    study.sweep_file.write_text(text.replace("root: null", f"root: {tmp_path / 'in'}"))
    with pytest.raises(DataError, match="A test split must lie in"):
        validate(study)
