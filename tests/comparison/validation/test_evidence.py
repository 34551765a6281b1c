"""Differences, intervals and p-values, against what is published and what is simulated."""

from __future__ import annotations

import numpy as np
import pytest

from gpscale.comparison.validation.evidence import LEVEL, difference, holm, interval


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
