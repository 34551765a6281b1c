from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpscale.comparison.choice import spread

SQUARE = np.array([[x, y] for x in range(5) for y in range(5)], dtype=float)


def test_the_first_is_in_the_middle_and_the_next_are_the_corners() -> None:
    chosen = SQUARE[spread(SQUARE, 5)].tolist()
    assert chosen[0] == [2, 2]
    assert sorted(chosen[1:]) == [[0, 0], [0, 4], [4, 0], [4, 4]]


@given(st.integers(0, 10_000), st.integers(2, 20))
def test_a_longer_choice_begins_with_a_shorter_one(seed: int, count: int) -> None:
    points = np.random.default_rng(seed).random((20, 2))
    assert spread(points, count)[: count - 1] == spread(points, count - 1)
    assert len(set(spread(points, count))) == count


def test_what_is_kept_comes_first_and_the_rest_keeps_away_from_it() -> None:
    chosen = spread(SQUARE, 4, kept=[0, 24])
    assert chosen[:2] == [0, 24]
    assert sorted(SQUARE[chosen[2:]].tolist()) == [[0, 4], [4, 0]]


def test_units_do_not_matter() -> None:
    points = np.random.default_rng(0).random((30, 2))
    assert spread(points * [1000, 0.001] + [5, -3], 8) == spread(points, 8)


def test_a_column_that_is_constant_does_not_matter() -> None:
    points = np.random.default_rng(0).random((30, 1))
    assert spread(np.column_stack([points, np.ones(30)]), 8) == spread(points, 8)


@pytest.mark.parametrize("kept", [[], [3]])
def test_points_that_are_all_equal_are_chosen_once_each(kept: list[int]) -> None:
    chosen = spread(np.ones((5, 2)), 5, kept)
    assert sorted(chosen) == [0, 1, 2, 3, 4]
