"""Comparisons that ship and comparisons of a user: listed, found, and equal to what their tables say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gpscale.comparison import comparison_list
from gpscale.comparison.comparison_list import (
    SHIPPED_COMPARISONS,
    find_comparison,
    list_comparisons,
    shipped_comparisons,
)
from gpscale.comparison.side_by_side import Comparison
from gpscale.comparison.validation.evidence import difference, holm
from gpscale.report.comparison_card import comparison_card, write_comparison_card
from gpscale.run_dir import RunDir
from gpscale.training.test_hits import read_test_hits
from tests.comparison.scored import Scored, compare

LARGEST_PICTURE = 500_000
"""Bytes."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison as it would ship, among others of its kind."""
    folder = tmp_path_factory.mktemp("shipped") / "made"
    found = compare(folder)
    write_comparison_card(found)
    shutil.rmtree(found.run.images)
    return folder


@pytest.fixture(params=[*shipped_comparisons(), "made"])
def shipped(request: pytest.FixtureRequest, made: Path) -> RunDir:
    return RunDir(made if request.param == "made" else SHIPPED_COMPARISONS / request.param)


def test_a_shipped_table_follows_from_its_trainings(shipped: RunDir) -> None:
    table, trainings = pd.read_csv(shipped.path / "comparison.csv"), pd.read_csv(shipped.path / "trainings.csv")
    finished = trainings[trainings["top1_hits"].notna()]
    assert len(table)
    for outcome in ("top1", "top5"):
        shares = finished.assign(share=finished[f"{outcome}_hits"] / finished["test_images"])
        distinct = [group["share"] for _, group in shares.drop_duplicates("trial").groupby(["entrant", "budget"])]
        freedom = sum(len(group) - 1 for group in distinct)
        pooled = np.sqrt(sum(((group - group.mean()) ** 2).sum() for group in distinct) / freedom)
        for row in table.to_dict("records"):
            own = shares[(shares["entrant"] == row["entrant"]) & (shares["budget"] == row["budget"])]["share"]
            assert row["seeds"] == len(own)
            if len(own):
                half = stats.t.ppf(0.975, freedom) * pooled / np.sqrt(len(own))
                ends = max(own.mean() - half, 0), min(own.mean() + half, 1)
                # accuracies are stored to six digits
                assert row[outcome] == pytest.approx(own.mean(), abs=1e-6)
                assert (row[f"{outcome}_low"], row[f"{outcome}_high"]) == pytest.approx(ends, abs=1e-5)


def test_shipped_hits_are_those_of_the_table_and_give_the_shipped_differences(shipped: RunDir) -> None:
    trainings = pd.read_csv(shipped.path / "trainings.csv")
    arms: dict[str, dict[tuple[int, int], np.ndarray]] = {name: {} for name in trainings["entrant"].unique()}
    hits = {trial: read_test_hits(shipped.trial(trial)) for trial in trainings["trial"].unique()}
    for row in trainings[trainings["top1_hits"].notna()].to_dict("records"):
        assert hits[row["trial"]].sum() == row["top1_hits"]
        assert len(hits[row["trial"]]) == row["test_images"]
        arms[row["entrant"]][row["budget"], row["seed"]] = hits[row["trial"]]
    written = pd.read_csv(shipped.path / "differences.csv", keep_default_na=False, na_values=[""])
    pooled = written[written["budget"] == 0]
    again = [difference(row["ours"], row["theirs"], arms) for row in pooled.to_dict("records")]
    assert np.allclose(pooled["mean"], [one.mean for one in again if one])
    assert np.allclose(pooled["low"], [one.low for one in again if one], equal_nan=True)
    assert np.allclose(pooled["p_corrected"], holm([one.p_value for one in again if one]), equal_nan=True)


def test_a_shipped_comparison_is_whole_and_small(shipped: RunDir) -> None:
    found = Comparison(shipped)
    assert shipped.card_file.read_text() == comparison_card(found)
    assert (shipped.figures / "comparison.png").stat().st_size < LARGEST_PICTURE
    assert {"torch", "timm", "gpscale"} <= json.loads(shipped.provenance_file.read_text())["packages"].keys()
    assert not (shipped.path / "images").exists()
    assert not list(shipped.path.rglob("checkpoint.pt"))


def test_comparisons_are_listed_and_found_by_name(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison_list, "SHIPPED_COMPARISONS", made.parent)
    compare(tmp_path / "runs" / "own", Scored(lambda trial: None if trial.seed else 0.5), budgets=["6M"])
    monkeypatch.chdir(tmp_path)
    shipped, own = list_comparisons(Path("runs"))
    assert (shipped.name, shipped.shipped, shipped.ended, shipped.planned) == ("made", True, 16, 16)
    assert (shipped.images, shipped.train_images, shipped.test_images) == ("digits", 100, 355)
    assert (own.name, own.shipped, own.entrants, own.budgets) == ("runs/own", False, 4, (6_000_000,))
    assert (own.ended, own.planned) == (8, 8)
    for name in ("made", "own", "runs/own", tmp_path / "runs" / "own"):
        found = find_comparison(name)
        assert found is not None
        assert found.path.resolve() in (made, tmp_path / "runs" / "own")
    assert find_comparison("none") is None


def test_a_damaged_comparison_is_listed_as_such(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "bad")
    (tmp_path / "bad" / "entries.json").write_text('[{"entrant": "a"}]')
    [found] = [entry for entry in list_comparisons(tmp_path) if not entry.shipped]
    assert found.damage == "damaged (RunDirError): run `gpscale doctor` on it"
