"""Designs at fixed MACs: what varies, what compensates, what stays."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from gpscale import sampling
from gpscale.errors import FactorError, UnknownNameError
from gpscale.factors import FACTOR_NAMES, Bounds
from gpscale.sampling import Band
from gpscale.search_space import SearchSpace

BAND = Band()


@functools.cache
def space() -> SearchSpace:
    bounds = Bounds(resolution=(0.5, 2.0), ir_depth=(0.5, 2.5), vit_depth=(0.5, 2.0), width=(0.4, 2.0))
    return SearchSpace.enumerate("mobilevitv2_100@128", bounds, num_classes=10)


def column(part: SearchSpace, name: str) -> np.ndarray:
    return part.factors[:, FACTOR_NAMES.index(name)]


LINES = pytest.mark.parametrize(
    ("factor", "compensate", "c"),
    [
        ("resolution", "width", 1.0),
        ("resolution", "width", 0.6),
        ("width", ("ir_depth", "vit_depth"), 1.0),
        ("ir_depth", "width", 0.5),
        ("vit_depth", "width", 0.8),
    ],
)


@LINES
def test_a_line_holds_the_macs_and_varies_two_factors_only(factor: str, compensate: Any, c: float) -> None:
    part = sampling.make("line", factor=factor, compensate=compensate, c=c).feasible(space(), BAND)
    assert len(part) >= 4
    assert np.all(np.abs(part.c / c - 1) <= 0.03)
    moving = {factor, *([compensate] if isinstance(compensate, str) else compensate)}
    for name in FACTOR_NAMES:
        if name not in moving:
            assert set(column(part, name)) == {1.0}


@LINES
def test_a_line_has_one_architecture_for_each_level_that_can_be_closed_the_one_nearest_to_the_macs(
    factor: str, compensate: Any, c: float
) -> None:
    part = sampling.make("line", factor=factor, compensate=compensate, c=c).feasible(space(), BAND)
    moving = {factor, *([compensate] if isinstance(compensate, str) else compensate)}
    fixed = np.logical_and.reduce([column(space(), name) == 1.0 for name in FACTOR_NAMES if name not in moving])
    for level in np.unique(column(space(), factor)):
        here = fixed & (column(space(), factor) == level)
        distance = np.abs(space().c[here] / c - 1)
        got = np.abs(part.c[column(part, factor) == level] / c - 1)
        if len(distance) and distance.min() <= 0.03:
            assert got.tolist() == pytest.approx([distance.min()], abs=1e-12)
        else:
            assert len(got) == 0


def test_a_narrower_tolerance_is_held() -> None:
    part = sampling.make("line", factor="ir_depth", tolerance=0.004).feasible(space(), BAND)
    assert len(part) >= 2
    assert np.all(np.abs(part.c - 1) <= 0.004)


def test_the_first_trials_of_a_line_are_its_ends_and_then_its_middle() -> None:
    line = sampling.make("line", factor="ir_depth", c=0.7)
    part = line.feasible(space(), BAND)
    values = column(part, "ir_depth")[line.draw(part, 3, np.random.default_rng(0))]
    every = np.sort(column(part, "ir_depth"))
    assert len(every) >= 6
    assert values[:2].tolist() == [every[0], every[-1]]
    assert values[2] in every[len(every) // 2 - 1 : len(every) // 2 + 1]


def test_every_first_trials_of_a_line_leave_no_gap_wider_than_twice_the_narrowest() -> None:
    line = sampling.make("line", factor="vit_depth", c=0.8)
    part = line.feasible(space(), BAND)
    rank = np.argsort(np.argsort(column(part, "vit_depth")))
    order = rank[line.draw(part, len(part), np.random.default_rng(0))]
    assert sorted(order.tolist()) == list(range(len(part)))
    for count in range(2, len(part)):
        gaps = np.diff(np.sort(order[:count]))
        assert gaps.max() <= 2 * gaps.min() + 1


def test_a_grid_holds_the_macs_and_keeps_to_its_lattice() -> None:
    grid = sampling.make("grid", factors=("resolution", "width"), shape=(4, 5))
    part = grid.feasible(space(), BAND)
    assert len(part) >= 6
    assert np.all(np.abs(part.c - 1) <= 0.03)
    assert len(np.unique(column(part, "resolution"))) <= 4
    assert len(np.unique(column(part, "width"))) <= 5
    points = np.stack([column(part, "resolution"), column(part, "width")], axis=1)
    assert len(np.unique(points, axis=0)) == len(part)


def test_a_grid_keeps_the_fourth_factor_at_the_base() -> None:
    part = sampling.make("grid", factors=("resolution", "vit_depth"), compensate="width", shape=(4, 4)).feasible(
        space(), BAND
    )
    assert len(part) >= 6
    assert set(column(part, "ir_depth")) == {1.0}


def test_lattice_points_are_evenly_spaced_up_to_the_nearest_level() -> None:
    part = sampling.make("grid", factors=("ir_depth", "vit_depth"), compensate=["width"], shape=[3, 3]).feasible(
        space(), BAND
    )
    levels = np.unique(column(space(), "ir_depth"))
    wanted = {float(levels[np.argmin(np.abs(levels - value))]) for value in (0.5, 1.5, 2.5)}
    assert set(column(part, "ir_depth")) == wanted


@pytest.mark.parametrize(
    ("name", "options", "rule"),
    [
        ("line", {"factor": "width", "compensate": "width"}, "must differ"),
        ("line", {"compensate": ("width", "resolution")}, "must differ"),
        ("line", {"compensate": ()}, "at least one factor"),
        ("line", {"c": 0}, "`c` must be a positive number"),
        ("line", {"c": "half"}, "`c` must be a positive number"),
        ("line", {"c": float("nan")}, "`c` must be a positive number"),
        ("line", {"tolerance": -0.1}, "`tolerance` must be a positive number"),
        ("grid", {"factors": ("width", "width")}, "must differ"),
        ("grid", {"factors": ("resolution", "ir_depth")}, "must differ"),
        ("grid", {"factors": ("width",)}, "`factors` must be two"),
        ("grid", {"factors": "width"}, "`factors` must be two"),
        ("grid", {"shape": (6,)}, "`shape` must be two"),
        ("grid", {"shape": 6}, "`shape` must be two"),
        ("grid", {"shape": (6, 1)}, "`shape` must be two"),
        ("grid", {"shape": (6, 2.5)}, "`shape` must be two"),
        ("grid", {"c": None}, "`c` must be a positive number"),
    ],
)
def test_options_that_are_not_legal_are_refused(name: str, options: dict[str, Any], rule: str) -> None:
    with pytest.raises(FactorError, match=rule):
        sampling.make(name, **options)


@pytest.mark.parametrize("options", [{"factor": "widht"}, {"compensate": "widht"}, {"compensate": ("widht",)}])
def test_a_factor_that_is_not_known_is_answered_with_the_nearest(options: dict[str, Any]) -> None:
    with pytest.raises(UnknownNameError, match=r"Did you mean 'width'\?"):
        sampling.make("line", **options)
