"""Comparisons whose trainings are answered by a function: what is built, kept, tabulated and told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gpscale import families, recommend
from gpscale.comparison.seed_intervals import SeedIntervals
from gpscale.comparison.side_by_side import Comparison, ComparisonConfig, run_comparison
from gpscale.comparison.side_by_side.comparison import ENTRIES_FILE, TIMINGS_FILE, summarise
from gpscale.comparison.side_by_side.entries import Entry, find_entries
from gpscale.comparison.side_by_side.running import check
from gpscale.doctor import examine
from gpscale.errors import DataError, RunDirError, SweepFileError
from gpscale.execution import ReplayExecutor
from gpscale.report.comparison_card import comparison_card
from gpscale.run_dir import SHIPPED_STUDIES, RunDir
from gpscale.sweep import Plan
from gpscale.trial import Result, Trial
from tests.synthetic_runs import snapshot
from tests.training.data.made_images import write_folder

COMPARISONS = sorted((SHIPPED_STUDIES.parents[1] / "sweeps").glob("compare_*.yaml"))

SETTINGS: dict[str, Any] = {
    "budgets": ["3M", "6M"],
    "entrants": ["mobilevitv2", {"family": "mobilevitv2", "by": "width"}, "mobilenetv3_small", {"study": "quickstart"}],
    "seeds": 2,
    "timing": False,
    "data": {"train_images": 100, "validation_images": 50},
    "recipe": {"epochs": 1, "batch_size": 25},
}


def config(**changed: Any) -> ComparisonConfig:
    return ComparisonConfig.from_values({**SETTINGS, **changed})


def answer(trial: Trial) -> Result:
    """The more MACs the better; a point between seeds."""
    family = families.get(trial.family)
    row = family.row(family.architecture_from_dict(trial.architecture))[None]
    macs, params = (int(count[0]) for count in family.count(row, trial.num_classes))
    top1 = 0.3 + macs / 1e8 + 0.01 * trial.seed
    values = {"test_top1": top1, "test_top5": min(1.0, top1 + 0.4), "test_loss": 1.0}
    return Result(top1 - 0.02, 0.9, top1, 0.9, 1.0, 1.0, 1.0, 1, macs, params, **values)


def compare(path: Path, answer: Callable[[Trial], Result] = answer, **changed: Any) -> Comparison:
    return run_comparison(config(**changed), RunDir(path), ReplayExecutor(source=answer))


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


def test_what_a_study_recommended_stays_though_it_would_recommend_another_now(comparison: Comparison) -> None:
    begun = [Entry("gpscale, rule of quickstart", 6_000_000, missing="nothing then")]
    found = {entry.key: entry for entry in find_entries(config(), 10, begun)}
    assert found["gpscale, rule of quickstart", 6_000_000].missing == "nothing then"
    assert not found["gpscale, rule of quickstart", 3_000_000].missing


def test_a_budget_that_nobody_can_keep_is_said_and_costs_nothing(tmp_path: Path) -> None:
    found = compare(tmp_path / "x", budgets=["6M", "100k"])
    missing = found.table[found.table["budget"] == 100_000]
    assert missing["missing"].str.contains("fits 0.1M MACs|macs=0.1M must lie inside the range").all()
    assert missing["top1"].isna().all()
    assert found.table.loc[found.table["budget"] == 6_000_000, "top1"].notna().all()
    assert "n/a: " in comparison_card(found)


def test_entrants_that_build_the_same_model_share_its_trainings(tmp_path: Path) -> None:
    plans: list[Plan] = []
    run = RunDir(tmp_path / "x")
    entrants = ["mobilenetv2", {"family": "mobilenetv2", "base": "mobilenetv2_050@128", "by": "width"}]
    same = config(entrants=[{"family": "mobilenetv2", "by": by} for by in ("width", "depth")], budgets=["31M"])
    assert config(entrants=entrants).entrants[1].base == "mobilenetv2_050@128"
    executor = ReplayExecutor(source=answer)
    found = run_comparison(same, run, executor, on_plan=plans.append)
    models = {json.dumps(entry.architecture, sort_keys=True) for entry in found.entries}
    assert [len(plan.trials) for plan in plans] == [2 * len(models)]
    assert len(found.trainings) == 4


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
    assert pooled == pytest.approx(0.01 / np.sqrt(2))


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
    asked: list[str] = []

    def noted(trial: Trial) -> Result:
        asked.append(trial.id)
        return answer(trial)

    small = {"entrants": ["mobilevitv2"], "budgets": ["6M"], "seeds": 1}
    compare(tmp_path / "x", noted, **small)
    compare(tmp_path / "x", noted, **small)
    assert len(asked) == 1
    found = compare(tmp_path / "x", noted, **{**small, "entrants": ["mobilevitv2", "mobilenetv2"], "seeds": 3})
    assert len(asked) == len(set(asked)) == 6
    assert found.table["seeds"].tolist() == [3, 3]


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
    def fails_once(trial: Trial) -> Result:
        if trial.family == "mobilenetv3_small" and trial.seed == 1:
            raise ValueError("no luck")
        return answer(trial)

    found = compare(tmp_path / "x", fails_once)
    seeds = found.table.set_index("entrant")["seeds"]
    assert set(seeds["mobilenetv3_small"]) == {1}
    assert set(seeds.drop("mobilenetv3_small")) == {2}
    assert (found.trainings["reason"] == "crashed").sum() == 2
    card = comparison_card(found)
    assert "14 finished, 2 failed" in card
    assert "2 of 8 rows have not all their seeds" in card


def test_the_card_says_what_it_rests_on(comparison: Comparison) -> None:
    card = comparison_card(comparison)
    best = comparison.table.sort_values("top1").iloc[-1]
    assert f"| {best['top1']:.1%} ({best['top1_low']:.1%} to {best['top1_high']:.1%}) |" in card
    for words in ("355 to test", "0.71 points of top-1", "One recipe for all, 1 epoch of 100 images", "seeds | 0, 1 |"):
        assert words in card


def test_an_entrant_that_comes_twice_is_refused_however_it_is_written() -> None:
    for twice in (["mobilenetv2", {"family": "mobilenetv2", "by": "compound"}], ["edgevit", "edgevit"]):
        with pytest.raises(SweepFileError, match="`entrants` must differ"):
            config(entrants=twice)
    assert len(config(entrants=["mobilenetv2", {"family": "mobilenetv2", "by": "width"}]).entrants) == 2


def test_damaged_files_are_found_and_made_anew(tmp_path: Path) -> None:
    whole = compare(tmp_path / "x")
    run = whole.run
    assert examine(run) == []
    Comparison.entries_file_of(run).write_text('[{"entrant": "a"}]')
    Comparison.timings_file_of(run).write_text("[]")
    assert {found.path for found in examine(run)} == {ENTRIES_FILE, TIMINGS_FILE}
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
    found = compare(tmp_path / "x", **small)
    times = ["latency_ms", "images_per_second", "latency_cpu_ms", "images_per_cpu_second"]
    assert (pd.read_csv(found.run.path / "comparison.csv")[times] > 0).all(axis=None)
    assert found.table["latency_front"].any()
    written = found.timings_file_of(found.run).read_bytes()
    monkeypatch.setattr(running, "bench", None)
    assert found.timings_file_of(compare(tmp_path / "x", **small).run).read_bytes() == written
    assert "Timed on" in comparison_card(found)
    for shared in (True, False):
        found.timings_file_of(found.run).write_text(json.dumps({**json.loads(written), "cores_shared": shared}))
        assert ("The cores were shared" in comparison_card(Comparison(found.run))) is shared


@pytest.mark.parametrize("file", COMPARISONS, ids=lambda file: file.stem)
def test_the_comparison_files_are_legal_and_everyone_fits_their_budgets(file: Path) -> None:
    found = ComparisonConfig.load(file)
    assert "\n" in found.question or file.stem == "compare_quickstart"
    for entry in find_entries(found, 10):
        assert not entry.missing, entry
        assert 0.9 * entry.budget < entry.macs <= entry.budget or "width" in (found.scale_by, entry.entrant[-6:-1])


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
