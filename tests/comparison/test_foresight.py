"""What a comparison would train, before it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpscale.comparison.side_by_side.foresight import foresee
from gpscale.errors import BudgetError, DataError
from gpscale.run_dir import RunDir
from gpscale.trial import Trial
from tests.comparison.scored import Scored, by_macs, compare, config
from tests.synthetic_runs import snapshot


def test_trainings_are_counted_and_nothing_is_written(tmp_path: Path) -> None:
    found = foresee(config(seeds=3), RunDir(tmp_path / "x"), workers=2)
    assert found.models == len({entry.model_key for entry in found.entries}) == 8
    assert (found.trainings, found.done, found.pending, found.seconds) == (24, 0, 24, None)
    assert snapshot(tmp_path) == {}


def test_the_time_is_that_of_the_trainings_of_the_same_models_that_have_ended(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "x")
    with pytest.raises(KeyboardInterrupt):
        compare(run.path, Scored(dies_after=9), seeds=2)
    found = foresee(config(seeds=2), run, workers=2)
    assert (found.done, found.pending) == (9, 7)
    # each took 40 s of training and 4 s of evaluation
    assert found.seconds == pytest.approx(7 * 44 / 2)
    assert foresee(config(seeds=2), run, workers=16).seconds == pytest.approx(44)
    assert foresee(config(seeds=2, entrants=["mobilevitv2", "edgevit"]), run, workers=2).seconds is None


def test_a_failed_training_has_ended_and_tells_no_time(tmp_path: Path) -> None:
    def law(trial: Trial) -> float | None:
        return None if trial.seed == 0 else by_macs(trial)

    run = compare(tmp_path / "x", Scored(law), seeds=1).run
    found = foresee(config(seeds=2), run, workers=1)
    assert (found.done, found.pending, found.seconds) == (8, 8, None)


def test_a_budget_that_nobody_can_keep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match="`budgets` must be ones that an entrant can keep"):
        foresee(config(budgets=["10k"]), RunDir(tmp_path / "x"), workers=1)


def test_images_that_a_comparison_would_fetch_are_not_fetched(tmp_path: Path) -> None:
    data = {"source": "cifar10", "root": str(tmp_path / "data"), "download": True}
    with pytest.raises(DataError, match="only a comparison fetches it"):
        foresee(config(data=data), RunDir(tmp_path / "x"), workers=1)
    assert snapshot(tmp_path) == {}
