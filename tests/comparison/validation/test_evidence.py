"""Differences, intervals and p-values, against what is published and what is simulated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gpscale.comparison.validation.evidence import LEVEL, difference, holm, interval


def test_holm_is_as_published() -> None:
    # Holm (1979): the smallest of m is multiplied by m, the next by m - 1 ..., none below the one before
    assert holm([0.01, 0.02, 0.03, 0.04]) == [0.04, 0.06, 0.06, 0.06]
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert np.isnan(holm([0.01, float("nan")])[1])
    assert holm([0.01, float("nan")])[0] == 0.01


def simulated(
    generator: np.random.Generator,
    better: float,
    seeds: int,
    images: int,
    budgets: int = 3,
    seed_std: float = 0.05,
    *,
    common: bool = False,
) -> dict[str, dict]:
    """Two rules at some budgets; images differ in difficulty, architectures in what is difficult for them.

    A seed's luck with a rule is another at each budget, or common to all.
    """
    difficulty = generator.normal(0, 1.2, images)
    arms: dict[str, dict] = {"a": {}, "b": {}}
    shared = {(name, seed): generator.normal(0, seed_std) for name in arms for seed in range(seeds)} if common else {}
    for budget in range(budgets):
        own = {name: generator.normal(0, 0.3, images) for name in arms}
        for seed in range(seeds):
            for name, shift in (("a", better), ("b", 0.0)):
                own_luck = shared[name, seed] if common else generator.normal(0, seed_std)
                luck = own_luck + generator.normal(0, 0.6, images)
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


def test_luck_that_is_common_to_budgets_is_held_by_the_interval_by_seed_and_not_by_the_other() -> None:
    generator = np.random.default_rng(0)
    drawn = (simulated(generator, 0.0, 5, 600, 4, 0.1, common=True) for _ in range(200))
    found = [one for arms in drawn if (one := difference("a", "b", arms)) is not None]
    assert np.mean([one.low <= 0 <= one.high for one in found]) < 0.85
    by_seed = np.mean([one.low_by_seed <= 0 <= one.high_by_seed for one in found])
    # 95 % of 200, and three standard deviations either way
    assert 0.904 <= by_seed <= 0.995
    assert all((one.verdict_by_seed == "tie") == (one.low_by_seed <= 0 <= one.high_by_seed) for one in found)


def test_the_same_pair_of_trainings_at_several_budgets_counts_once() -> None:
    arms = simulated(np.random.default_rng(0), 0.1, 4, 800, 1)
    twice = {name: {(b, seed): hits for b in (0, 1) for (_, seed), hits in arm.items()} for name, arm in arms.items()}
    once, found = difference("a", "b", arms), difference("a", "b", twice)
    assert once is not None
    assert found is not None
    assert (found.budgets, found.trainings) == (2, 8)
    for name in ("mean", "low", "high", "p_value"):
        assert getattr(found, name) == pytest.approx(getattr(once, name))
    # so does the interval by seed, which sees it by itself
    assert (found.low_by_seed, found.high_by_seed) == pytest.approx((once.low, once.high))
    # equal accuracies of other trainings count twice
    copies = {name: {key: hits.copy() for key, hits in arm.items()} for name, arm in twice.items()}
    other = difference("a", "b", copies)
    assert other is not None
    assert other.high - other.low < 0.95 * (found.high - found.low)


def test_the_interval_by_seed_is_that_of_the_seeds_means_and_needs_every_budget_of_each() -> None:
    arms = simulated(np.random.default_rng(3), 0.1, 5, 100_000, 4)
    found = difference("a", "b", arms)
    assert found is not None
    means = [np.mean([arms["a"][b, seed].mean() - arms["b"][b, seed].mean() for b in range(4)]) for seed in range(5)]
    half = stats.t.ppf(0.975, 4) * np.std(means, ddof=1) / np.sqrt(5)
    # with so many images little is left to them
    assert (found.high_by_seed - found.low_by_seed) / 2 == pytest.approx(half, rel=0.05)
    assert found.low_by_seed + found.high_by_seed == pytest.approx(2 * found.mean)
    del arms["b"][2, 3]
    lacking = difference("a", "b", arms)
    assert lacking is not None
    assert np.isfinite(lacking.low)
    assert np.isnan([lacking.low_by_seed, lacking.high_by_seed]).all()
    assert lacking.verdict_by_seed == ""
    single = difference("a", "b", {name: {key: arm[key] for key in arm if key[0] == 0} for name, arm in arms.items()})
    assert single is not None
    assert np.isnan(single.low_by_seed)


def test_budgets_and_not_pairs_have_equal_weight_where_pairs_are_missing() -> None:
    ones, zeros = np.ones(8, bool), np.zeros(8, bool)
    ours = {(1, 0): ones, (1, 1): ones, (1, 2): ones, (2, 0): zeros, (2, 1): zeros}
    found = difference("a", "b", {"a": ours, "b": dict.fromkeys(ours, zeros)})
    assert found is not None
    assert found.mean == 0.5


def test_without_an_interval_there_is_no_verdict_and_the_reason_is_said() -> None:
    arms = simulated(np.random.default_rng(0), 0.5, 2, 300, 2)
    del arms["a"][1, 0]
    found = difference("a", "b", arms)
    assert found is not None
    assert (found.verdict, found.verdict_at(0.9), found.verdict_by_seed) == ("", "", "")
    assert str(found).endswith(" points, a budget has one pair alone: no interval")


def test_a_real_difference_is_found_and_equal_rules_are_not_told_apart() -> None:
    arms = simulated(np.random.default_rng(1), 0.4, 5, 2000)
    found = difference("a", "b", arms)
    assert found is not None
    assert (found.verdict, found.losses) == ("better", 0)
    assert (found.verdict_at(0.01), found.verdict_at(0.06), found.verdict_at(float("nan"))) == (
        "better",
        "tie",
        "better",
    )
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
