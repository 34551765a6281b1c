"""The default sampler spreads better than chance."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from gpscale import sampling
from gpscale.sampling import Band
from gpscale.search_space import SearchSpace

COUNT = 64
SEEDS = pytest.mark.parametrize("seed", range(4))


@functools.cache
def feasible() -> SearchSpace:
    space = SearchSpace.enumerate("mobilevitv2_050@64", num_classes=10)
    return sampling.make("sobol").feasible(space, Band())


def drawn(name: str, seed: int) -> np.ndarray:
    return sampling.make(name).draw(feasible(), COUNT, np.random.default_rng(seed))


def places(indices: np.ndarray) -> np.ndarray:
    """Places in log MACs, 0 and 1 at the ends of the band, ascending."""
    log_macs = np.log(feasible().macs)
    return np.sort((log_macs[indices] - log_macs[0]) / (log_macs[-1] - log_macs[0]))


def discrepancy(indices: np.ndarray) -> float:
    """Largest distance between the draw's distribution in log MACs and the even one."""
    u, steps = places(indices), np.arange(COUNT)
    return float(max(np.max((steps + 1) / COUNT - u), np.max(u - steps / COUNT)))


def pixel_imbalance(indices: np.ndarray) -> float:
    """Share of the trials that would have to move for pixel sizes to be taken alike wherever they are possible."""
    pixels, log_macs = feasible().pixels(), np.log(feasible().macs)
    sizes = np.unique(pixels)
    expected = np.zeros(len(sizes))
    for index in indices:
        possible = np.isin(sizes, pixels[np.abs(log_macs - log_macs[index]) <= 0.01])
        expected += possible / possible.sum()
    got = (pixels[indices][:, None] == sizes).sum(axis=0)
    return float(np.abs(got - expected).sum() / 2 / len(indices))


@SEEDS
def test_macs_are_even_on_a_log_scale(seed: int) -> None:
    assert discrepancy(drawn("sobol", seed)) < 0.03
    assert discrepancy(drawn("sobol", seed)) < 0.5 * discrepancy(drawn("random", seed))


@SEEDS
def test_no_gap_in_log_macs_is_much_wider_than_two_steps(seed: int) -> None:
    # one point in each of 64 cells, each moved by at most the 1 % within which the other factors are chosen
    span = np.log(feasible().macs[-1] / feasible().macs[0])
    gaps = np.diff(np.concatenate([[0.0], places(drawn("sobol", seed)), [1.0]]))
    assert gaps.max() <= 2 / COUNT + 2 * 0.01 / span


@SEEDS
def test_pixel_sizes_are_balanced(seed: int) -> None:
    indices = drawn("sobol", seed)
    assert set(feasible().pixels()[indices]) == set(feasible().pixels())
    assert pixel_imbalance(indices) < 0.12
    assert pixel_imbalance(indices) < 0.6 * pixel_imbalance(drawn("random", seed))


@SEEDS
def test_depths_and_widths_reach_over_their_ranges(seed: int) -> None:
    factors = feasible().log_factors
    chosen = factors[drawn("sobol", seed)]
    spread = (chosen.max(axis=0) - chosen.min(axis=0)) / (factors.max(axis=0) - factors.min(axis=0))
    assert np.all(spread > 0.9)


def test_an_exhausted_set_is_drawn_to_its_last_architecture() -> None:
    few = feasible().take(np.arange(0, len(feasible()), 400))
    indices = sampling.make("sobol").draw(few, len(few), np.random.default_rng(0))
    assert sorted(indices.tolist()) == list(range(len(few)))


def test_a_set_of_one_architecture_can_be_drawn() -> None:
    one = feasible().take(np.array([7]))
    assert sampling.make("sobol").draw(one, 1, np.random.default_rng(0)).tolist() == [0]
