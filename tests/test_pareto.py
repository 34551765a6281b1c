"""NSGA-III survival on finished trials."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from gpscale import pareto
from gpscale.errors import FitError


def make_trials(n: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    ratios = rng.uniform(0.2, 1.1, n)
    return ratios, 0.6 + 0.1 * np.log(ratios) - 0.05 * rng.random(n)


def dominates(a: int, b: int, ratios: np.ndarray, top1: np.ndarray) -> bool:
    no_worse = ratios[a] <= ratios[b] and top1[a] >= top1[b]
    return bool(no_worse and (ratios[a] < ratios[b] or top1[a] > top1[b]))


def test_front_is_what_nothing_dominates() -> None:
    ratios, top1 = make_trials()
    expected = [b for b in range(60) if not any(dominates(a, b, ratios, top1) for a in range(60))]
    assert pareto.select(ratios, top1).front.tolist() == expected


def test_a_rank_is_one_more_than_the_worst_rank_that_dominates_it() -> None:
    ratios, top1 = make_trials(30)
    ranks = pareto.select(ratios, top1).ranks
    for b in range(30):
        above = [ranks[a] for a in range(30) if dominates(a, b, ratios, top1)]
        assert ranks[b] == 1 + max(above, default=0)


@pytest.mark.parametrize(("n", "share", "kept"), [(60, 0.2, 12), (15, 0.2, 3), (16, 0.2, 4), (7, 0.1, 1), (5, 1.0, 5)])
def test_a_share_of_the_trials_inside_survives_rounded_up(n: int, share: float, kept: int) -> None:
    selection = pareto.select(*make_trials(n), share=share)
    assert len(selection.indices) == len(set(selection.indices)) == kept
    assert (selection.n_inside, selection.share) == (n, share)


def test_a_large_front_is_thinned_and_keeps_its_ends() -> None:
    ratios = np.linspace(0.2, 1.1, 50)
    top1 = 0.5 + 0.3 * np.sqrt(ratios)
    selection = pareto.select(ratios, top1)
    assert len(selection.front) == 50
    assert len(selection.indices) == 10
    kept = ratios[selection.indices]
    assert (kept[0], kept[-1]) == (ratios[0], ratios[-1])
    assert np.diff(kept).max() < 0.35


def test_a_small_front_is_filled_up_from_the_next_ranks() -> None:
    ratios = np.linspace(0.2, 1.1, 20)
    top1 = 0.9 - 0.5 * ratios  # the smallest is the best: a front of one
    selection = pareto.select(ratios, top1)
    assert selection.front.tolist() == [0]
    assert selection.indices.tolist() == [0, 1, 2, 3]


def test_survivors_come_in_order_of_macs() -> None:
    ratios, top1 = make_trials()
    assert (np.diff(ratios[pareto.select(ratios, top1).indices]) > 0).all()


def test_selection_does_not_depend_on_order_or_global_generator() -> None:
    ratios, top1 = make_trials()
    expected = pareto.select(ratios, top1)
    for seed in range(5):
        np.random.seed(seed)  # noqa: NPY002
        order = np.random.default_rng(seed).permutation(60)
        found = pareto.select(ratios[order], top1[order])
        assert order[found.indices].tolist() == expected.indices.tolist()
        np.testing.assert_array_equal(found.ranks, expected.ranks[order])
        assert found.hypervolume == expected.hypervolume


def test_the_global_generator_is_left_alone() -> None:
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    pareto.select(*make_trials())
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_warnings_are_not_silenced_for_the_rest_of_the_process() -> None:
    before = list(warnings.filters)
    pareto.select(*make_trials())
    assert list(warnings.filters) == before


def test_hypervolume_is_the_area_up_to_band_and_chance() -> None:
    selection = pareto.select([0.5, 0.8, 0.9], [0.6, 0.8, 0.7], floor=0.1)
    # steps: from 0.5 at error 0.4, from 0.8 at error 0.2; the third trial is dominated
    assert selection.reference == (1.1, 0.9)
    assert selection.hypervolume == pytest.approx(0.3 * 0.5 + 0.3 * 0.7)


def test_trials_outside_band_or_floor_have_rank_zero_and_do_not_count() -> None:
    ratios, top1 = np.array([0.1, 0.2, 0.5, 0.6, 1.1, 1.2]), np.array([0.9, 0.3, 0.5, 0.1, 0.8, 0.9])
    selection = pareto.select(ratios, top1, share=1.0, floor=0.1)
    assert selection.ranks.tolist() == [0, 1, 1, 0, 1, 0]
    assert selection.n_inside == 3
    assert selection.indices.tolist() == [1, 2, 4]


def test_a_band_that_ends_at_the_base_holds_the_base() -> None:
    selection = pareto.select([0.5, 1.0], [0.5, 0.6], band=(0.2, 1.0), share=1.0)
    assert selection.indices.tolist() == [0, 1]


def test_equal_trials_are_kept_apart() -> None:
    selection = pareto.select([0.5, 0.5, 0.5], [0.6, 0.6, 0.6], share=1.0)
    assert sorted(selection.indices.tolist()) == [0, 1, 2]
    assert selection.ranks.tolist() == [1, 1, 1]


def test_too_few_trials_inside_are_counted_in_the_error() -> None:
    with pytest.raises(FitError, match=r"0.2 to 1.1 of the base's and top-1 above 0.5. Got 1 of 3."):
        pareto.select([0.1, 0.5, 0.6], [0.9, 0.9, 0.4], floor=0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"share": 0.0}, "`share`"),
        ({"share": 1.5}, "`share`"),
        ({"band": (1.1, 0.2)}, "`band`"),
        ({"floor": 1.0}, "`floor`"),
        ({"top1": [0.5, 0.6]}, "one number a trial"),
        ({"top1": [50.0, 60.0, 70.0]}, "fractions"),
        ({"top1": [0.5, np.nan, 0.6]}, "fractions"),
        ({"macs_ratio": [0.5, -1.0, 0.6]}, "positive"),
    ],
)
def test_illegal_input_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(FitError, match=message):
        pareto.select(**{"macs_ratio": [0.3, 0.5, 0.9], "top1": [0.5, 0.6, 0.7], **change})


def test_the_chance_of_being_on_the_front_counts_the_draws_in_which_nothing_as_cheap_is_better() -> None:
    generator = np.random.default_rng(0)
    macs = generator.integers(1, 6, 12)
    draws = generator.normal(0.5, 0.1, (200, 12))
    expected = [np.mean([draw[i] >= draw[macs <= macs[i]].max() for draw in draws]) for i in range(12)]
    np.testing.assert_array_equal(pareto.front_probability(macs, draws), expected)


def test_the_cheapest_is_on_the_front_for_sure_and_a_cheaper_and_surely_better_one_keeps_others_off() -> None:
    draws = np.random.default_rng(0).normal([0.5, 0.6, 0.5], 0.001, (100, 3))
    assert pareto.front_probability([1.0, 2.0, 3.0], draws).tolist() == [1.0, 1.0, 0.0]
