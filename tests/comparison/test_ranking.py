from __future__ import annotations

import itertools

import numpy as np
import pytest

from gpscale.comparison.ranking import Agreement, agreement, agreement_within_bins

C = np.array([0.2, 0.25, 0.3, 0.5, 0.55, 0.6, 0.9, 1.0])


def compared(first: list[float], second: list[float]) -> Agreement:
    found = agreement(np.array(first), np.array(second))
    assert found is not None
    return found


def test_equal_orders_have_tau_one_and_opposite_ones_minus_one() -> None:
    values = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    same, opposite = compared(values, [10 * value for value in values]), compared(values, values[::-1])
    assert (same.tau, opposite.tau) == (1, -1)
    # two of 8! orders are at least as far from 0
    assert same.p_value == pytest.approx(2 / 40320)
    assert same.low is not None
    assert same.high is not None
    assert 0.6 < same.low < same.high == 1
    assert (opposite.low, opposite.high) == (pytest.approx(-same.high), pytest.approx(-same.low))


def test_tau_is_the_share_of_pairs_in_order_minus_that_of_the_others() -> None:
    first, second = [1.0, 2, 3, 4, 5, 6], [2.0, 1, 3, 6, 4, 5]
    signs = [(a - b) * (x - y) > 0 for (a, x), (b, y) in itertools.combinations(zip(first, second, strict=True), 2)]
    assert compared(first, second).tau == pytest.approx(2 * np.mean(signs) - 1)


def test_the_interval_holds_the_tau_and_is_narrower_with_many_trials() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for n in (6, 48):
        first = rng.random(n)
        found = agreement(first, first + rng.random(n))
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.tau <= found.high
        widths.append(found.high - found.low)
    assert widths[1] < widths[0]


def test_four_trials_have_no_interval_yet() -> None:
    found = compared([1, 2, 3, 4], [1, 2, 4, 3])
    assert (found.n, found.low, found.high) == (4, None, None)


@pytest.mark.parametrize("values", [[], [0.5], [0.5, 0.5, 0.5]])
def test_where_there_is_nothing_to_rank_there_is_no_tau(values: list[float]) -> None:
    assert agreement(np.array(values), np.arange(float(len(values)))) is None


def test_within_bins_only_pairs_of_about_equal_c_count() -> None:
    # the larger the better in both, but the other way round within each bin
    first = C + np.array([0, 1, 2, 0, 1, 2, 0, 1]) * 0.001
    second = 10 * np.array([0, 0, 0, 1, 1, 1, 2, 2]) - first
    overall, within = agreement(first, second), agreement_within_bins(C, first, second)
    assert overall is not None
    assert within is not None
    assert overall.tau == pytest.approx((21 - 7) / 28)
    assert (within.tau, within.pairs) == (-1, 7)
    assert [(bin.n, bin.concordant, bin.discordant) for bin in within.bins] == [(3, 0, 3), (3, 0, 3), (2, 0, 1)]
    assert [(bin.c_low, bin.c_high) for bin in within.bins] == [(0.2, 0.3), (0.5, 0.6), (0.9, 1.0)]


def test_bins_do_not_depend_on_the_order_of_the_trials() -> None:
    rng = np.random.default_rng(0)
    first, second, order = rng.random(8), rng.random(8), rng.permutation(8)
    assert agreement_within_bins(C, first, second) == agreement_within_bins(C[order], first[order], second[order])


def test_ties_count_for_neither_side() -> None:
    within = agreement_within_bins(C, C, np.array([1, 1, 1, 1, 2, 3, 5, 4.0]))
    assert within is not None
    assert within.tau == pytest.approx((3 - 1) / 7)


def test_bins_of_single_trials_have_nothing_to_compare() -> None:
    assert agreement_within_bins(C[:3], C[:3], C[:3]) is None
