"""Rounding of real factors to integers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from timm.layers import make_divisible

from gpscale.families.rounding import channel_steps, round_channels, round_half_up, spread_blocks

STAGES = st.lists(st.integers(1, 6), min_size=1, max_size=6)


def test_halves_are_rounded_up() -> None:
    assert round_half_up([0.5, 1.5, 2.5, 2.49, 7.0]).tolist() == [1, 2, 3, 2, 7]


def test_channels_are_rounded_as_timm_rounds_them() -> None:
    wanted = np.concatenate([np.arange(0.5, 300, 0.01), np.arange(300, 2100, 0.25)])
    assert round_channels(wanted).tolist() == [make_divisible(float(value), 8) for value in wanted]


def test_channels_are_rounded_to_their_own_divisors_where_heads_need_others() -> None:
    # 34 would lose more than a tenth as 24
    assert round_channels([[10.0, 34.0, 50.0]], [4, 24, 20]).tolist() == [[12, 48, 60]]
    for divisor in (4, 8, 20, 24):
        assert round_channels([7.0 * divisor], divisor).tolist() == [7 * divisor]


@given(divisor=st.sampled_from([4, 16, 20, 24]), low=st.floats(0.05, 1.0), span=st.floats(0, 2))
def test_channels_of_other_divisors_change_only_at_their_own_steps(divisor: int, low: float, span: float) -> None:
    ends = np.concatenate([[low], channel_steps(240.0, low, low + span, divisor), [low + span]])
    for left, right in itertools.pairwise(ends):
        inside = np.linspace(left, right, 9)[1:-1]
        inside = inside[(inside > left * (1 + 1e-12)) & (inside < right * (1 - 1e-12))]
        assert len(np.unique(round_channels(240.0 * inside, divisor))) <= 1


def test_channels_are_never_below_eight() -> None:
    assert round_channels([0.01, 1.0, 3.9]).tolist() == [8, 8, 8]


@given(st.floats(0.1, 10_000))
def test_channels_lose_at_most_a_tenth(wanted: float) -> None:
    got = int(round_channels(wanted))
    assert got % 8 == 0
    assert 0.9 * wanted <= got <= max(8.0, wanted + 8)


@given(nominal=st.sampled_from([16.0, 32.0, 64.0, 96.0, 384.0, 512.0]), low=st.floats(0.05, 1.0), span=st.floats(0, 2))
def test_channels_change_only_at_the_channel_steps(nominal: float, low: float, span: float) -> None:
    steps = channel_steps(nominal, low, low + span)
    assert np.all((steps > low) & (steps < low + span))
    ends = np.concatenate([[low], steps, [low + span]])
    for left, right in itertools.pairwise(ends):
        inside = np.linspace(left, right, 9)[1:-1]
        inside = inside[(inside > left * (1 + 1e-12)) & (inside < right * (1 - 1e-12))]
        assert len(np.unique(round_channels(nominal * inside))) <= 1


def test_totals_5_to_15_of_the_inverted_residuals_are_spread_as_designed() -> None:
    spread = ["".join(map(str, spread_blocks(total, (1, 2, 1, 1, 1)))) for total in range(5, 16)]
    assert spread == ["11111", "12111", "13111", "13112", "13122", "13222", "23222", "24222", "25222", "25223", "25233"]


@pytest.mark.parametrize("total", [-3, 0, 1, 4])
def test_a_total_below_one_per_stage_becomes_one_per_stage(total: int) -> None:
    assert spread_blocks(total, (1, 2, 1, 1, 1)) == (1, 1, 1, 1, 1)


@given(STAGES, st.integers(1, 6))
def test_multiples_of_the_base_multiply_every_stage(base: list[int], times: int) -> None:
    assert spread_blocks(times * sum(base), base) == tuple(times * blocks for blocks in base)


@given(STAGES, st.integers(-2, 60))
def test_spread_blocks_sum_to_the_total_with_at_least_one_each(base: list[int], total: int) -> None:
    counts = spread_blocks(total, base)
    assert len(counts) == len(base)
    assert sum(counts) == max(total, len(base))
    assert min(counts) >= 1


@given(STAGES, st.integers(1, 60))
def test_spread_blocks_stay_within_one_of_the_exact_share(base: list[int], total: int) -> None:
    whole = sum(base)
    if all(blocks * total >= whole for blocks in base):  # else the one block that each stage needs comes in between
        for count, blocks in zip(spread_blocks(total, base), base, strict=True):
            assert abs(count - blocks * total / whole) < 1


@pytest.mark.parametrize("base", [(1, 2, 1, 1, 1), (2, 4, 3)])
def test_a_larger_total_takes_no_block_from_a_stage(base: tuple[int, ...]) -> None:
    for total in range(1, 100):
        fewer, more = spread_blocks(total, base), spread_blocks(total + 1, base)
        assert all(right >= left for left, right in zip(fewer, more, strict=True))
