"""What a version trains: decided once, kept, and taken further only so that it can be told."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gpscale.comparison.validation import Validation, plan_version
from gpscale.comparison.validation.evidence import difference
from gpscale.doctor import examine
from gpscale.errors import BudgetError, FitError, RunDirError, UnitError, UnknownNameError
from gpscale.report.card import card
from gpscale.report.validation_card import validation_card
from gpscale.run_dir import RunDir, find_study
from gpscale.study import Study
from gpscale.sweep import fit_run
from gpscale.training.test_hits import TEST_HITS_FILE
from tests.comparison.instant import Scored, write_study
from tests.comparison.validation.validating import ARMS, SHARES, validate


def test_the_random_rule_draws_anew_for_each_seed_and_the_others_do_not(study: RunDir) -> None:
    version = validate(study).version
    for share in SHARES:
        for rule in ARMS:
            built = {str(version.of(rule, share, seed).architecture) for seed in version.seed_range}
            assert (len(built) > 1) == (rule == "random")


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


def test_a_new_version_of_an_unchanged_fit_is_refused_for_it_would_draw_until_it_wins(study: RunDir) -> None:
    first = validate(study)
    for options in ({}, {"seeds": 5}, {"shares": (*SHARES, 0.6)}, {"names": ("rule", "surface")}):
        with pytest.raises(RunDirError, match="what a fit builds meets the test images once"):
            validate(study, new=True, **options)
    assert [run.name for run in study.validations()] == ["1"]
    # nor with the rule of another study, nor with rules to which ours could be added later
    for options in ({"transfer": find_study("quickstart")}, {"names": ("surface", "tinynet")}, {"shares": (0.6,)}):
        with pytest.raises(RunDirError, match="has the same fit"):
            validate(study, new=True, **options)
    assert [run.name for run in study.validations()] == ["1"]
    assert Validation(first.run).version == first.version


def refit(study: RunDir, bootstrap: int) -> None:
    """Give a study another fit of the same trials, whose rule builds the same."""
    text = study.sweep_file.read_text()
    study.sweep_file.write_text(re.sub(r"bootstrap: \d+", f"bootstrap: {bootstrap}", text))
    fit_run(study, figures=False)


def test_another_fit_that_builds_the_same_is_no_new_version(study: RunDir) -> None:
    first = validate(study)
    refit(study, 6)
    assert study.fingerprint != first.version.study
    for options in ({}, {"shares": (0.4, 0.6)}, {"shares": (0.40001, 0.80001)}, {"transfer": find_study("quickstart")}):
        with pytest.raises(RunDirError, match=r"has the same picks of rule at 0\.4.*Leave --new out"):
            validate(study, new=True, **options)
    assert [run.name for run in study.validations()] == ["1"]
    # at other budgets it builds what no image has met; what has met them cannot be added
    with pytest.raises(KeyboardInterrupt):
        validate(study, Scored(dies_after=0), new=True, shares=(0.6,), names=("width", "random"))
    with pytest.raises(RunDirError, match=r"has the same picks of rule at 0\.4, 0\.8\. Leave out"):
        validate(study)
    second = validate(study, shares=(0.6,))
    assert (second.run.name, second.version.shares) == ("2", (0.6,))


def test_the_rule_of_another_study_is_added_to_the_version_that_is_there(study: RunDir) -> None:
    first = validate(study)
    more = validate(study, transfer=find_study("quickstart"))
    assert more.run.path == first.run.path
    assert more.version.added == "rules transferred"
    assert (more.primary, more.verdict) == (first.primary, first.verdict)
    assert more.transfer is not None
    assert more.transfer.trainings == 6


def test_what_is_added_after_results_were_seen_is_said_and_decides_nothing(study: RunDir) -> None:
    first = validate(study)
    assert (first.version.added, first.note_on_additions) == ("", "")
    assert first.trainings["judged"].all()
    more = validate(study, shares=(0.6,), seeds=5, names=("tinynet",))
    seeds = list(more.version.seed_range)
    assert more.version.added == f"budgets 0.6; rules tinynet; seeds {seeds[3]}, {seeds[4]}"
    assert (more.primary, more.verdict) == (first.primary, first.verdict)
    whole = difference("rule", "width", more.arms)
    assert whole is not None
    assert (whole.budgets, whole.trainings) == (3, 15)
    assert f"({more.version.added})" in more.note_on_additions
    assert f"With all of them the rule less width only is {whole}." in more.note_on_additions
    for said in (validation_card(more), card(Study(study)), json.dumps(more.summary())):
        assert more.note_on_additions in said
    assert (more.differences.loc[more.differences["budget"] == 0, "trainings"] == 6).all()
    judged = more.trainings[more.trainings["judged"]]
    assert set(judged["share"]) == set(SHARES)
    assert set(judged["seed"]) == set(seeds[:3])
    # what was begun is kept though it goes on and on
    assert validate(study, seeds=6).version.judged == more.version.judged


def test_what_is_added_before_any_result_was_seen_counts_in_full(study: RunDir) -> None:
    with pytest.raises(KeyboardInterrupt):
        validate(study, Scored(dies_after=0))
    more = validate(study, seeds=4)
    assert more.version.added == ""
    assert more.primary is not None
    assert more.primary.trainings == 8


def test_a_start_that_was_killed_before_it_chose_is_taken_up(study: RunDir) -> None:
    left = study.validation(1)
    left.images.mkdir(parents=True)
    (left.path / ".lock").touch()
    assert validate(study).run.name == "1"


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


def test_a_version_tries_the_rule_of_one_other_study_which_need_not_be_named_again(study: RunDir) -> None:
    first = validate(study, transfer=find_study("quickstart"))
    again = Scored()
    assert validate(study, again).version == first.version
    assert again.jobs == []
    with pytest.raises(RunDirError, match=r"tries the rule of one other study.*Leave --transfer out"):
        validate(study, transfer=find_study("cifar10"))
    with pytest.raises(FitError, match="Name it with --transfer"):
        validate(study, shares=(*SHARES, 0.6))
    assert validate(study, shares=(*SHARES, 0.6), transfer=find_study("quickstart")).version.shares == (0.4, 0.6, 0.8)
    with pytest.raises(RunDirError, match="has the same fit"):
        validate(study, new=True, transfer=find_study("cifar10"))


def test_a_transfer_without_another_study_is_refused(study: RunDir) -> None:
    with pytest.raises(FitError, match="Name it with --transfer"):
        validate(study, names=("rule", "transferred"))
    assert not study.validations()


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
    said = r"^--budgets must lie in c 0\.\d{3} to 1\.\d{3}, the span of the finished trials\. Got 0\.001\. Choose one"
    with pytest.raises(BudgetError, match=said):
        validate(study, shares=(0.001, 0.4))
    assert study.validations() == []
    whole = validate(study)
    with pytest.raises(BudgetError, match=said):
        validate(study, shares=(*SHARES, 0.001))
    assert Validation(whole.run).version == whole.version


def test_a_study_without_a_rule_cannot_be_validated(tmp_path: Path) -> None:
    run = write_study(tmp_path / "study", trials=8, fit={"pareto_share": 0.1, "bootstrap": 5, "rule_from": "trials"})
    fit_run(run, figures=False)
    with pytest.raises(FitError, match="needs a study with a rule"):
        plan_version(run, None, None, None)
