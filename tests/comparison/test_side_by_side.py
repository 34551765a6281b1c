"""Comparisons whose trainings are answered by a function: what is built, kept, tabulated and told."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gpscale import families, recommend
from gpscale.benchmark.energy import EnergyMeter
from gpscale.benchmark.latency import Benchmark, Timed
from gpscale.benchmark.protocol import Protocol
from gpscale.benchmark.timing import Timing
from gpscale.comparison.seed_intervals import SeedIntervals
from gpscale.comparison.side_by_side import Comparison, ComparisonConfig, run_comparison
from gpscale.comparison.side_by_side.begun import BEGUN_FILE
from gpscale.comparison.side_by_side.comparison import ENTRIES_FILE, TIMINGS_FILE
from gpscale.comparison.side_by_side.entries import Entry, find_entries
from gpscale.comparison.side_by_side.figure import plot_comparison
from gpscale.comparison.side_by_side.running import check
from gpscale.comparison.side_by_side.table import summarise
from gpscale.comparison.validation.evidence import difference, holm
from gpscale.doctor import examine
from gpscale.errors import BudgetError, DataError, RunDirError, SweepFileError
from gpscale.families.named import FamilyModel
from gpscale.report.comparison_card import comparison_card
from gpscale.run_dir import SHIPPED_STUDIES, RunDir
from gpscale.sweep import Plan, SweepConfig
from gpscale.training.test_hits import read_test_hits
from gpscale.trial import Trial
from tests.comparison.scored import TEST_IMAGES, Scored, by_macs, compare, config
from tests.synthetic_runs import snapshot
from tests.training.data.made_images import write_folder

COMPARISONS = sorted((SHIPPED_STUDIES.parents[1] / "sweeps").glob("compare_*.yaml"))


TWINS = [{"family": "mobilenetv2", "base": "mobilenetv2_050@64", "by": by} for by in ("width", "depth")]
"""Entrants that both build their base where the budget is its MACs."""


def _macs_of_twins() -> int:
    family, base = families.get("mobilenetv2"), families.parse_base("mobilenetv2_050@64")
    return int(family.count(family.row(base.architecture)[None], 10)[0][0])


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return compare(tmp_path_factory.mktemp("side_by_side") / "x")


def test_every_entrant_meets_the_others_at_every_budget_and_none_is_above_it(comparison: Comparison) -> None:
    table = comparison.table
    names = ["mobilevitv2", "mobilevitv2 (width)", "mobilenetv3_small", "gpscale, rule of quickstart"]
    assert table["entrant"].tolist() == names * 2
    assert (table["macs"] <= table["budget"]).all()
    assert (table["gap"] == 1 - table["macs"] / table["budget"]).all()
    assert (table["seeds"] == 2).all()


def test_compound_scaling_uses_a_budget_and_scaling_by_width_changes_width_alone(comparison: Comparison) -> None:
    table = comparison.table.set_index(["entrant", "budget"])
    assert (table.loc[["mobilevitv2", "mobilenetv3_small"], "gap"] <= 0.03).all()
    narrow = table.loc["mobilevitv2 (width)"]
    assert (narrow[["resolution", "ir_depth", "vit_depth"]] == 1).all(axis=None)
    assert (narrow["width"] != 1).all()


def test_a_study_enters_with_what_it_recommends(comparison: Comparison) -> None:
    entry = next(one for one in comparison.entries if one.key == ("gpscale, rule of quickstart", 6_000_000))
    found = recommend("6M", study="quickstart")
    assert (entry.architecture, entry.macs) == (json.loads(json.dumps(found.architecture.to_dict())), found.macs)


def test_what_a_study_recommended_stays_though_it_would_recommend_another_now() -> None:
    first = {entry.key: entry for entry in find_entries(config(), 10)}
    key = "gpscale, rule of quickstart", 6_000_000
    begun = dataclasses.replace(first[key], missing="nothing then")
    found = {entry.key: entry for entry in find_entries(config(), 10, [begun])}
    assert found[key] == begun
    assert not found["gpscale, rule of quickstart", 3_000_000].missing
    # the same study, asked otherwise, is another entrant
    otherwise = find_entries(config(entrants=[{"study": "quickstart", "method": "surface"}]), 10, [begun])
    assert not any(entry.missing for entry in otherwise)


def test_a_family_that_gets_another_base_is_scaled_anew() -> None:
    entrants = [{"family": "mobilenetv2", "base": f"mobilenetv2_{width}@64"} for width in ("035", "050")]
    first = find_entries(config(entrants=entrants[:1]), 10)
    second = find_entries(config(entrants=entrants[1:]), 10, first)
    assert [entry.base for entry in (*first, *second)] == ["mobilenetv2_035@64"] * 2 + ["mobilenetv2_050@64"] * 2
    assert {entry.entrant for entry in (*first, *second)} == {"mobilenetv2"}
    both = find_entries(config(entrants=entrants), 10)
    assert {entry.entrant for entry in both} == {"mobilenetv2 (mobilenetv2_035@64)", "mobilenetv2 (mobilenetv2_050@64)"}


def test_a_budget_that_nobody_can_keep_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match="Got 10.0K, which none can: "):
        compare(tmp_path / "x", budgets=["6M", "10k"])
    assert not (tmp_path / "x").exists()


def test_an_entrant_that_cannot_keep_a_budget_says_why_and_costs_nothing(tmp_path: Path) -> None:
    found = compare(tmp_path / "x", budgets=["6M", "300k"], entrants=["mobilenetv3_small", {"study": "quickstart"}])
    table = found.table.set_index(["entrant", "budget"])
    missing = table.loc["gpscale, rule of quickstart", 300_000]
    assert "must lie inside the range" in missing["missing"]
    assert np.isnan(missing["top1"])
    assert table.drop(missing.name)["top1"].notna().all()
    card = comparison_card(found)
    assert "| gpscale, rule of quickstart: n/a: macs=" in card
    assert "have not all their seeds" not in card
    assert found.status()["planned"] == len(found.trainings) == 6


def test_entrants_that_build_the_same_model_share_its_trainings(tmp_path: Path) -> None:
    plans: list[Plan] = []
    run = RunDir(tmp_path / "x")
    entrants = ["mobilenetv2", {"family": "mobilenetv2", "base": "mobilenetv2_050@128", "by": "width"}]
    same = config(entrants=[{"family": "mobilenetv2", "by": by} for by in ("width", "depth")], budgets=["31M"])
    assert config(entrants=entrants).entrants[1].base == "mobilenetv2_050@128"
    found = run_comparison(same, run, Scored(), on_plan=plans.append)
    models = {entry.model_key for entry in found.entries}
    assert [len(plan.trials) for plan in plans] == [2 * len(models)]
    assert len(found.trainings) == 4


def test_entrants_that_build_the_same_model_are_named_and_differ_by_nothing(tmp_path: Path) -> None:
    found = compare(tmp_path / "x", entrants=[*TWINS, "mobilenetv3_small"], budgets=[_macs_of_twins()])
    assert found.table["same_as"].tolist() == ["", "mobilenetv2 (width)", ""]
    assert "| mobilenetv2 (depth) (same model as mobilenetv2 (width)) |" in comparison_card(found).replace("**", "")
    row = found.differences.iloc[0]
    assert (row["theirs"], row["mean"], row["coinciding"], row["verdict"]) == ("mobilenetv2 (depth)", 0, 2, "tie")
    assert "In 2 pairs both build the same model" in comparison_card(found)


def test_means_and_intervals_are_those_of_the_trainings_in_the_csv(comparison: Comparison) -> None:
    trainings = pd.read_csv(comparison.run.path / "trainings.csv")
    table = pd.read_csv(comparison.run.path / "comparison.csv")
    groups = trainings.groupby(["entrant", "budget"])["test_top1"]
    distinct = {tuple(group["trial"]): group["test_top1"] for _, group in trainings.groupby(["entrant", "budget"])}
    freedom = sum(len(group) - 1 for group in distinct.values())
    pooled = np.sqrt(sum(group.var() * (len(group) - 1) for group in distinct.values()) / freedom)
    half = stats.t.ppf(0.975, freedom) * pooled / np.sqrt(2)
    for row in table.to_dict("records"):
        mean = groups.get_group((row["entrant"], row["budget"])).mean()
        assert row["top1"] == pytest.approx(mean)
        assert (row["top1_low"], row["top1_high"]) == pytest.approx((mean - half, mean + half))
    assert pooled == pytest.approx(0.01 / np.sqrt(2), rel=0.2)


def test_counts_of_right_images_and_their_shares_agree(comparison: Comparison) -> None:
    trainings = pd.read_csv(comparison.run.path / "trainings.csv")
    assert (trainings["test_images"] == TEST_IMAGES).all()
    for name in ("top1", "top5"):
        assert np.allclose(trainings[f"{name}_hits"] / trainings["test_images"], trainings[f"test_{name}"], atol=5e-3)
    for row in trainings.to_dict("records"):
        assert read_test_hits(comparison.run.trial(row["trial"])).sum() == row["top1_hits"]


def test_intervals_of_accuracies_end_at_0_and_1(tmp_path: Path) -> None:
    found = compare(tmp_path / "x", Scored(lambda trial: 0.02 + 0.96 * trial.seed), budgets=["6M"])
    assert (found.table["top1_low"] == 0).all()
    assert (found.table["top1_high"] == 1).all()
    assert "(0.0 to 100.0%)" in comparison_card(found)


def test_every_other_entrant_is_compared_with_the_first_image_by_image(comparison: Comparison) -> None:
    found = comparison.differences
    others = ["mobilevitv2 (width)", "mobilenetv3_small", "gpscale, rule of quickstart"]
    pooled = found[found["budget"] == 0]
    assert (found["ours"] == "mobilevitv2").all()
    assert pooled["theirs"].tolist() == others
    assert found["theirs"].tolist() == others * 3
    means = comparison.trainings.groupby(["entrant", "budget"])["test_top1"].mean()
    for row in found.to_dict("records"):
        budgets = [3_000_000, 6_000_000] if row["budget"] == 0 else [row["budget"]]
        assert row["mean"] == pytest.approx(
            np.mean([means["mobilevitv2", budget] - means[row["theirs"], budget] for budget in budgets])
        )
    single = [difference("mobilevitv2", other, comparison.arms) for other in others]
    assert pooled["low"].tolist() == [one.low for one in single if one]
    assert pooled["p_corrected"].tolist() == holm([one.p_value for one in single if one])
    assert (found.loc[found["budget"] > 0, "verdict"] == "").all()
    written = pd.read_csv(comparison.run.path / "differences.csv", keep_default_na=False)
    assert written["theirs"].tolist() == found["theirs"].tolist()


def test_a_difference_that_is_one_of_many_needs_more_to_count(tmp_path: Path) -> None:
    def law(trial: Trial) -> float:
        # half a dozen images from seed to seed, more than that between families
        return 0.5 + 0.02 * (trial.family == "mobilevitv2") + 0.003 * trial.seed * (trial.family == "mobilevitv2")

    few = {"entrants": ["mobilevitv2", "mobilenetv3_small"], "budgets": ["6M"], "seeds": 3}
    many = {**few, "entrants": [*few["entrants"], "mobilenetv2", "mobilenetv1", "edgevit", "mobilevit"]}
    alone, among = compare(tmp_path / "few", Scored(law), **few), compare(tmp_path / "many", Scored(law), **many)
    assert alone.differences["p_corrected"][0] == pytest.approx(alone.differences["p_value"][0])
    assert among.differences["p_value"][0] == alone.differences["p_value"][0]
    assert among.differences["p_corrected"][0] > alone.differences["p_corrected"][0]


def test_one_budget_is_not_told_twice(tmp_path: Path) -> None:
    found = compare(tmp_path / "x", budgets=["6M"])
    assert found.differences["budget"].tolist() == [0, 0, 0]
    assert "single budgets" not in comparison_card(found)


def test_one_seed_has_no_interval() -> None:
    found = SeedIntervals.of([np.array([0.5]), np.array([0.7])])
    assert found.degrees == 0
    mean, low, high = found.around(np.array([0.5]))
    assert mean == 0.5
    assert np.isnan([low, high]).all()
    assert np.isnan(found.around(np.array([]))).all()


def test_the_front_holds_what_no_other_beats() -> None:
    macs = {"a": 500, "b": 500, "c": 700, "d": 980, "e": 990}
    entries = [Entry(name, 1000, "mobilenetv2", macs=count) for name, count in macs.items()]
    # those that use their budget have none of it to spare
    top1 = {"a": 0.5, "b": 0.6, "c": 0.6, "d": 0.65, "e": 0.7}
    rows = [
        {"entrant": name, "budget": 1000, "seed": 0, "trial": name, "test_top1": value, "test_top5": 1.0}
        for name, value in top1.items()
    ]
    entries = [Entry(one.entrant, 1000, "mobilenetv2", macs=one.macs, architecture=_architecture()) for one in entries]
    table = summarise(entries, pd.DataFrame(rows), None, 0.97)
    assert set(table.loc[table["front"], "entrant"]) == {"b", "e"}
    assert not table["latency_front"].any()


def _architecture() -> dict[str, Any]:
    return families.parse_base("mobilenetv2_100@224").architecture.to_dict()


def test_the_same_comparison_goes_on_and_may_get_more_seeds_and_entrants(tmp_path: Path) -> None:
    executor = Scored()
    small = {"entrants": ["mobilevitv2"], "budgets": ["6M"], "seeds": 1}
    compare(tmp_path / "x", executor, **small)
    compare(tmp_path / "x", executor, **small)
    assert len(executor.jobs) == 1
    larger = {**small, "entrants": ["mobilevitv2", "mobilenetv2"], "seeds": 3}
    found = compare(tmp_path / "x", executor, **larger)
    assert len(executor.jobs) == len({job.trial.id for job in executor.jobs}) == 6
    assert found.table["seeds"].tolist() == [3, 3]
    fewer = compare(tmp_path / "x", executor, **{**larger, "seeds": 2})
    assert len(executor.jobs) == 6
    assert fewer.table["seeds"].tolist() == [2, 2]
    assert set(fewer.trainings["seed"]) == {0, 1}
    assert "4 finished, 0 failed" in comparison_card(fewer)
    assert "| seeds | 0, 1 (added later) |" in comparison_card(fewer)


BEGUN = {"entrants": ["mobilevitv2", "mobilenetv2"], "budgets": ["6M"], "seeds": 2}
MORE = {"entrants": [*BEGUN["entrants"], "mobilenetv3_small"], "budgets": ["6M", "3M"], "seeds": 3}


def test_what_is_added_after_results_were_seen_is_marked_and_decides_nothing(tmp_path: Path) -> None:
    first = compare(tmp_path / "x", **BEGUN)
    assert first.note_on_additions == ""
    assert first.trainings["judged"].all()
    assert not first.table["added"].any()
    more = compare(tmp_path / "x", **MORE)
    said = "Added after its results were seen: entrants mobilenetv3_small; budgets 3.0M; seeds 2."
    assert more.note_on_additions.startswith(said)
    before, after = (one.differences.query("budget == 0").set_index("theirs") for one in (first, more))
    for name in ("mean", "low", "high", "p_value", "trainings"):
        assert after.loc["mobilenetv2", name] == before.loc["mobilenetv2", name]
    # what came later is compared over what the others had
    assert after.loc["mobilenetv3_small", "trainings"] == 2
    assert set(more.trainings.loc[more.trainings["judged"], "seed"]) == {0, 1}
    assert set(more.trainings.loc[more.trainings["judged"], "budget"]) == {6_000_000}
    old = (more.table["entrant"] != "mobilenetv3_small") & (more.table["budget"] == 6_000_000)
    assert (more.table["added"] == ~old).all()
    card = comparison_card(more)
    for words in (said, "| mobilenetv3_small (added later) | all |", "| seeds | 0, 1, 2 (added later) |"):
        assert words in card
    for name in ("comparison.csv", "trainings.csv"):
        assert {"added", "judged"} & set(pd.read_csv(more.run.path / name))
    # what was begun is kept though it goes on and on, and what was left out is said
    less = compare(tmp_path / "x", **{**MORE, "entrants": ["mobilevitv2", "mobilenetv3_small"], "seeds": 1})
    assert less.judged == more.judged
    assert "Left out after its results were seen: entrants mobilenetv2; seeds 1." in less.note_on_additions
    assert less.judged_seeds == [0]
    back = compare(tmp_path / "x", **BEGUN)
    assert back.note_on_additions == ""
    pd.testing.assert_frame_equal(back.differences, first.differences)


def test_the_first_entrant_stays_the_first_once_results_are_seen(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        compare(tmp_path / "x", Scored(dies_after=0), **BEGUN)
    swapped = {**BEGUN, "entrants": BEGUN["entrants"][::-1]}
    assert compare(tmp_path / "x", **swapped).first == "mobilenetv2"
    before = snapshot(tmp_path)
    for entrants in (BEGUN["entrants"], ["mobilevitv2", *swapped["entrants"][:1]], ["mobilenetv3_small"]):
        with pytest.raises(RunDirError, match=r"begun with 'mobilenetv2' as the first of `entrants`; here it is"):
            check(config(**{**BEGUN, "entrants": entrants}), RunDir(tmp_path / "x"))
    assert snapshot(tmp_path) == before
    # though another of its family changes what it is called
    again = compare(
        tmp_path / "x",
        **{**BEGUN, "entrants": [*swapped["entrants"], {"family": "mobilenetv2", "base": "mobilenetv2_050@64"}]},
    )
    assert again.first == "mobilenetv2 (nearest base)"
    assert again.added == {"mobilenetv2 (mobilenetv2_050@64)"}


def test_what_is_added_before_any_result_was_seen_counts_in_full(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        compare(tmp_path / "x", Scored(dies_after=0), **BEGUN)
    more = compare(tmp_path / "x", **MORE)
    assert more.note_on_additions == ""
    assert more.trainings["judged"].all()


def test_one_seed_is_no_tie(tmp_path: Path) -> None:
    found = compare(tmp_path / "x", seeds=1)
    assert found.differences["low"].isna().all()
    assert (found.differences["verdict"] == "").all()
    card = comparison_card(found)
    assert card.count("| one seed |") == len(found.differences)
    assert "| tie |" not in card


def test_an_entrant_that_sees_larger_images_leaves_those_of_the_others_as_they_are(tmp_path: Path) -> None:
    for split, count in (("train", 20), ("test", 5)):
        write_folder(tmp_path / "images" / split, per_class=count)
    images = {"data": {"source": "folder", "root": str(tmp_path / "images"), "validation_images": 10}, "seeds": 1}
    small = {**images, "entrants": ["mobilevitv2"], "budgets": ["3M"]}
    first = compare(tmp_path / "x", **small)
    side = first.images["stored_pixels"]
    later = compare(tmp_path / "x", **{**small, "entrants": ["mobilevitv2", "mobilenetv3_small"]})
    assert later.table["pixels"].max() > side
    assert dict(later.images) == dict(first.images)
    assert later.table["seeds"].tolist() == [1, 1]
    # the decoded images may be removed; they come back as they were
    shutil.rmtree(later.run.images)
    assert dict(compare(tmp_path / "x", **{**small, "budgets": ["3M", "30M"]}).images) == dict(first.images)


def test_another_comparison_in_the_same_directory_is_refused(tmp_path: Path) -> None:
    compare(tmp_path / "x", seeds=1, entrants=["mobilevitv2"])
    with pytest.raises(RunDirError, match=r"holds another: `recipe.epochs` is 1 there, 2 here"):
        check(config(recipe={"epochs": 2, "batch_size": 25}), RunDir(tmp_path / "x"))
    with pytest.raises(RunDirError, match="holds something else"):
        check(config(), RunDir(SHIPPED_STUDIES / "quickstart"))
    with pytest.raises(RunDirError, match="Run `gpscale compare`"):
        Comparison(RunDir(tmp_path))


def test_a_directory_with_images_of_someone_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    write_folder(tmp_path / "images")
    before = snapshot(tmp_path)
    with pytest.raises(RunDirError, match="must be empty or hold a comparison"):
        compare(tmp_path)
    assert snapshot(tmp_path) == before


def test_failed_trainings_are_counted_and_leave_the_others_as_they_are(tmp_path: Path) -> None:
    def fails_once(trial: Trial) -> float | None:
        return None if trial.family == "mobilenetv3_small" and trial.seed == 1 else by_macs(trial)

    found = compare(tmp_path / "x", Scored(fails_once))
    seeds = found.table.set_index("entrant")["seeds"]
    assert set(seeds["mobilenetv3_small"]) == {1}
    assert set(seeds.drop("mobilenetv3_small")) == {2}
    assert (found.trainings["reason"] == "crashed").sum() == 2
    card = comparison_card(found)
    assert "14 finished, 2 failed" in card
    assert "2 of 8 models have not all their seeds" in card
    trial = found.failures["trial"].iloc[0]
    assert f"- mobilenetv3_small at 3.0M, seed 1 (trial {trial}): crashed: no luck" in card
    assert found.status()["failed"] == 2


def test_the_card_says_what_it_rests_on(comparison: Comparison) -> None:
    card = comparison_card(comparison)
    best = comparison.table.sort_values("top1").iloc[-1]
    assert f"| {best['top1']:.1%} ({100 * best['top1_low']:.1f} to {best['top1_high']:.1%}) |" in card
    for words in ("355 to test", "One recipe for all, 1 epoch of 100 images", "seeds | 0, 1 |", "So few seeds"):
        assert words in card
    assert "overlap" not in card


def test_the_card_says_what_each_was_scaled_from_and_what_was_searched(comparison: Comparison) -> None:
    card = comparison_card(comparison)
    for name, rows in comparison.table.groupby("entrant"):
        [line] = [line for line in card.splitlines() if line.startswith(f"| {name} | mobile") and ", " in line]
        for row in rows.to_dict("records"):
            factors = ", ".join(f"{row[key]:.2f}" for key in ("resolution", "ir_depth", "vit_depth", "width"))
            assert row["from"] in line
            assert f"| {factors} |" in line
    assert "gpscale, rule of quickstart was searched: 24 trainings on other training images." in card
    assert "Scaled from another member at each budget" not in card


def test_the_card_says_whose_base_is_another_at_each_budget(tmp_path: Path) -> None:
    entrants = ["mobilenetv2", {"family": "edgevit", "base": "edgevit_xxs@64"}]
    found = compare(tmp_path / "x", entrants=entrants, budgets=["4M", "30M"], seeds=1)
    assert "Scaled from another member at each budget: mobilenetv2." in comparison_card(found)
    assert "| mobilenetv2 | mobilenetv2_035@128, mobilenetv2_050@128 |" in comparison_card(found)


def test_a_study_of_the_very_images_is_said_to_have_searched_on_them(tmp_path: Path) -> None:
    sweep = SweepConfig.load(SHIPPED_STUDIES / "quickstart" / "sweep.yaml")
    data = {"source": "digits", "validation": sweep.data.validation, "split_seed": sweep.data.split_seed}
    found = compare(tmp_path / "x", entrants=[{"study": "quickstart"}], budgets=["6M"], seeds=1, data=data)
    assert "24 trainings on these very training images" in comparison_card(found)
    assert found.differences.empty
    assert "less the others" not in comparison_card(found)


def test_an_entrant_that_comes_twice_is_refused_however_it_is_written() -> None:
    for twice in (["mobilenetv2", {"family": "mobilenetv2", "by": "compound"}], ["edgevit", "edgevit"]):
        with pytest.raises(SweepFileError, match="`entrants` must differ"):
            config(entrants=twice)
    assert len(config(entrants=["mobilenetv2", {"family": "mobilenetv2", "by": "width"}]).entrants) == 2


def test_damaged_files_are_found_and_made_anew(tmp_path: Path) -> None:
    whole = compare(tmp_path / "x")
    run = whole.run
    assert whole.table["seeds"].tolist() == [2] * 8
    assert examine(run) == []
    Comparison.entries_file_of(run).write_text('[{"entrant": "a"}]')
    Comparison.timings_file_of(run).write_text("[]")
    (run.path / BEGUN_FILE).write_text('{"seeds": 2}')
    assert {found.path for found in examine(run)} == {ENTRIES_FILE, TIMINGS_FILE, BEGUN_FILE}
    again = compare(tmp_path / "x")
    assert again.entries == whole.entries
    assert again.timings is None
    pd.testing.assert_frame_equal(again.table, whole.table)


def test_models_are_timed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gpscale.benchmark.protocol import Protocol
    from gpscale.comparison.side_by_side import running

    quick = Protocol("gpscale", "median", runs=2, rounds=1, warm_up=0)
    monkeypatch.setattr(running, "LATENCY", quick)
    monkeypatch.setattr(running, "THROUGHPUT", Protocol("msra", "images/s", batch=2, runs=2, rounds=1, warm_up=0))
    small = {"entrants": ["mobilevitv2", "mobilenetv3_small"], "budgets": ["3M"], "seeds": 1, "timing": True}
    results: list[Comparison] = []
    found = run_comparison(config(**small), RunDir(tmp_path / "x"), Scored(), on_results=results.append)
    assert [written.timings is not None for written in results] == [False, True]
    times = ["latency_ms", "images_per_second", "latency_cpu_ms", "images_per_cpu_second"]
    assert (pd.read_csv(found.run.path / "comparison.csv")[times] > 0).all(axis=None)
    assert found.table["latency_front"].any()
    written = found.timings_file_of(found.run).read_bytes()
    monkeypatch.setattr(running, "bench", None)
    assert found.timings_file_of(compare(tmp_path / "x", **small).run).read_bytes() == written
    assert "Timed on" in comparison_card(found)
    for shared in (True, False):
        found.timings_file_of(found.run).write_text(json.dumps({**json.loads(written), "cores_shared": shared}))
        now = Comparison(found.run)
        assert ("The cores were shared" in comparison_card(now)) is shared
        assert ("| CPU time, ms | images/CPU s |" in comparison_card(now)) is shared
        row, title = now.table.iloc[0], "latency_cpu_ms" if shared else "latency_ms"
        assert f"| {row[title]:.1f} |" in comparison_card(now)


def test_models_that_coincide_are_timed_once_and_share_their_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gpscale.comparison.side_by_side import running

    timed: list[str] = []

    def bench(models: Sequence[FamilyModel], protocol: Protocol, **_: object) -> Benchmark:
        timed.extend(model.name for model in models)
        rows = tuple(
            Timed(model.name, 1, 1, Timing(((0.001 * (place + 1),),), ((0.002,),)))
            for place, model in enumerate(models)
        )
        return Benchmark(protocol, {"device": "cpu"}, rows, EnergyMeter("", None))

    monkeypatch.setattr(running, "bench", bench)
    # budgets that look alike when they are rounded, and are kept by models of their own
    budgets = [_macs_of_twins(), _macs_of_twins() - 40_000]
    found = compare(tmp_path / "x", entrants=[*TWINS, "edgevit"], budgets=budgets, timing=True)
    models = {entry.model_key for entry in found.entries}
    assert len(timed) == len(set(timed)) * 2 == 2 * len(models)
    assert len(models) < len(found.entries)
    times = found.table["latency_ms"].tolist()
    assert times[0] == times[1] == pytest.approx(1.0)
    assert found.table["latency_ms"].notna().all()


def test_the_front_in_time_is_that_of_the_processor_where_the_cores_were_shared() -> None:
    entries = [
        Entry(name, 1000, macs=1000, family="mobilenetv2", architecture={"pixels": size})
        for name, size in (("a", 32), ("b", 64))
    ]
    rows = [
        {"entrant": name, "budget": 1000, "seed": 0, "trial": name, "test_top1": value, "test_top5": 1.0}
        for name, value in (("a", 0.6), ("b", 0.7))
    ]
    times = [{"latency_ms": 2.0, "latency_cpu_ms": 1.0}, {"latency_ms": 1.0, "latency_cpu_ms": 2.0}]
    models = {entry.model_key: one for entry, one in zip(entries, times, strict=True)}
    for shared, front in ((False, ["b"]), (True, ["a", "b"])):
        table = summarise(entries, pd.DataFrame(rows), {"models": models, "cores_shared": shared}, 0.97)
        assert table.loc[table["latency_front"], "entrant"].tolist() == front


@pytest.mark.parametrize("count", [2, 14, 40])
def test_the_figure_names_every_entrant_once_whatever_their_number(count: int) -> None:
    budgets, names = (15_000_000, 30_000_000), [f"family{number}" for number in range(count)]
    rows = [
        {"entrant": name, "budget": budget, "seeds": 2, "macs": 0.98 * budget, "top1": 0.5 + place / 100}
        for budget in budgets
        for place, name in enumerate(names)
    ]
    table = pd.DataFrame(rows).assign(top1_low=0.4, top1_high=0.6, latency_ms=np.nan, front=False, latency_front=False)
    figure = plot_comparison(table, "x")
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [*reversed(names), "on the front"]
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in legend.get_texts()]
    assert all(above.y0 >= below.y1 for above, below in itertools.pairwise(boxes))
    if count < 36:
        lines = [(line.get_marker(), line.get_markerfacecolor()) for line in legend.get_lines()]
        assert len(set(lines)) == count + 1


@pytest.mark.parametrize("file", COMPARISONS, ids=lambda file: file.stem)
def test_the_comparison_files_are_legal_and_everyone_fits_their_budgets(file: Path) -> None:
    found = ComparisonConfig.load(file)
    assert "\n" in found.question or file.stem == "compare_quickstart"
    for entry in find_entries(found, 10):
        assert not entry.missing, entry
        assert 0.9 * entry.budget < entry.macs <= entry.budget or "width" in (found.scale_by, entry.entrant[-6:-1])


@pytest.mark.parametrize("file", COMPARISONS, ids=lambda file: file.stem)
def test_the_comparison_files_scale_each_entrant_from_one_model(file: Path) -> None:
    found = ComparisonConfig.load(file)
    bases: dict[str, set[str]] = {}
    for entry in find_entries(found, 10):
        bases.setdefault(entry.entrant, set()).add(entry.base)
    assert all(len(each) == 1 for each in bases.values())
    assert found.entrants[0].study is not None
    if len(found.budgets) > 1:
        # beside the study's base, rivals start at one size of image
        rivals = [one.base.split("@")[1] for one in found.entrants if one.base and one.family != "mobilevitv2"]
        assert len(set(rivals)) == 1
        assert len(rivals) == sum(one.family not in (None, "mobilevitv2") for one in found.entrants)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"budgets": []}, "`budgets`"),
        ({"budgets": ["many"]}, "many"),
        ({"budgets": ["6M", "6.0M"]}, "must differ from each other"),
        ({"entrants": ["mobilevit2"]}, "Did you mean 'mobilevit"),
        ({"entrants": [{"family": "mobilevitv2", "study": "quickstart"}]}, "either a `family` or a `study`"),
        ({"entrants": [{"study": "quickstart", "by": "width"}]}, "`by` is for a family"),
        ({"entrants": [{"study": "none"}]}, "Unknown study"),
        ({"entrants": [{"family": "mobilevitv2", "base": "edgevit_xxs@224"}]}, "must be a model of the family"),
        ({"entrants": [{"family": "mobilevitv2", "by": "luck"}]}, "width"),
        ({"recipe": {"epoch": 3}}, "Did you mean 'epochs'"),
        ({"trials": 3}, "`trials` is no setting"),
    ],
)
def test_a_comparison_file_that_is_not_legal_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(SweepFileError) as raised:
        config(**changed)
    assert words in str(raised.value)
    assert "sweep file" not in str(raised.value)


def test_images_without_a_test_split_are_refused_before_any_work(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match="A test split must lie in"):
        check(config(data={"source": "folder", "root": tmp_path / "in"}), RunDir(tmp_path / "x"))
    assert not (tmp_path / "x").exists()
