"""What every sampler must do; a new sampler is tested by being registered."""

from __future__ import annotations

import functools
import re

import numpy as np
import pytest

from gpscale import families, sampling
from gpscale.errors import GpscaleError, SpaceError, UnknownNameError
from gpscale.factors import PAPER_BOUNDS, Bounds
from gpscale.families import Architecture
from gpscale.sampling import Band
from gpscale.search_space import SearchSpace

BASE = families.parse_base("mobilevitv2_050@64")
FAMILY = families.get("mobilevitv2")
BAND = Band(0.2, 1.1)
SAMPLERS = pytest.mark.parametrize("name", sampling.names())
SEEDS = pytest.mark.parametrize("seed", [0, 1, 17])
FREE_MACS = pytest.mark.parametrize("name", [name for name in sampling.names() if not sampling.make(name).fixed_macs])


@functools.cache
def space() -> SearchSpace:
    return SearchSpace.enumerate(BASE, num_classes=10)


@functools.cache
def small_space() -> SearchSpace:
    """A space that is quickly exhausted."""
    bounds = Bounds(resolution=(0.5, 1.5), ir_depth=(0.8, 1.2), vit_depth=(0.9, 1.1), width=(0.8, 1.1))
    return SearchSpace.enumerate(BASE, bounds, num_classes=10)


def planned(
    name: str, count: int, seed: int, where: SearchSpace | None = None, band: Band = BAND
) -> list[Architecture]:
    return sampling.plan(where or space(), sampling.make(name), count, band=band, seed=seed)


def offered(name: str) -> int:
    """The most trials up to 24 that the sampler can plan in the default space."""
    return min(24, len(sampling.make(name).feasible(space(), BAND)))


def reduction(architectures: list[Architecture]) -> np.ndarray:
    rows = np.stack([FAMILY.row(architecture) for architecture in architectures])
    return FAMILY.count(rows, 10)[0] / space().base_macs


@SAMPLERS
@SEEDS
def test_a_plan_has_as_many_distinct_architectures_as_were_asked_for(name: str, seed: int) -> None:
    count = offered(name)
    assert count >= 2
    assert len(set(planned(name, count, seed))) == count


@SAMPLERS
@SEEDS
def test_the_same_seed_gives_the_same_plan(name: str, seed: int) -> None:
    assert planned(name, offered(name), seed) == planned(name, offered(name), seed)


@FREE_MACS
def test_another_seed_gives_another_plan(name: str) -> None:
    assert set(planned(name, 24, 0)) != set(planned(name, 24, 1))


@SAMPLERS
@SEEDS
def test_a_longer_plan_begins_with_every_shorter_one(name: str, seed: int) -> None:
    longest = planned(name, offered(name), seed)
    for count in range(1, len(longest)):
        assert planned(name, count, seed) == longest[:count]


@FREE_MACS
def test_96_trials_contain_the_first_40(name: str) -> None:
    assert planned(name, 96, 5)[:40] == planned(name, 40, 5)


@SAMPLERS
def test_a_plan_leaves_the_global_random_state_alone(name: str) -> None:
    before = np.random.get_state()[1].tolist()  # noqa: NPY002 - the state that must not change
    planned(name, offered(name), 0)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


@SAMPLERS
def test_the_base_comes_first(name: str) -> None:
    assert planned(name, 1, 3) == [BASE.architecture]


@FREE_MACS
def test_the_base_comes_first_even_where_the_bounds_exclude_it(name: str) -> None:
    paper = SearchSpace.enumerate(BASE, PAPER_BOUNDS, num_classes=10)
    assert FAMILY.row(BASE.architecture).tolist() not in paper.integers.tolist()
    assert planned(name, 10, 3, paper)[0] == BASE.architecture


@FREE_MACS
@SEEDS
@pytest.mark.parametrize("band", [BAND, Band(0.3, 0.7), Band(0.05, 4.0)])
def test_one_architecture_within_three_percent_of_each_end_follows_the_base(name: str, seed: int, band: Band) -> None:
    _, low, high = reduction(planned(name, 3, seed, band=band))
    assert band.low <= low <= 1.03 * band.low
    assert 0.97 * band.high <= high <= band.high


@SAMPLERS
@SEEDS
def test_all_but_the_base_lie_inside_the_band(name: str, seed: int) -> None:
    c = reduction(planned(name, offered(name), seed)[1:])
    assert np.all((c >= BAND.low) & (c <= BAND.high))


@FREE_MACS
def test_a_band_without_the_base_holds_everything_but_the_base(name: str) -> None:
    c = reduction(planned(name, 20, 0, band=Band(0.3, 0.5)))
    assert c[0] == 1.0
    assert np.all((c[1:] >= 0.3) & (c[1:] <= 0.5))


@SAMPLERS
def test_every_planned_architecture_belongs_to_the_space(name: str) -> None:
    members = {tuple(row) for row in space().integers.tolist()}
    assert all(tuple(FAMILY.row(architecture).tolist()) in members for architecture in planned(name, offered(name), 0))


@SAMPLERS
def test_more_trials_than_architectures_is_an_error_that_says_how_many_there_are(name: str) -> None:
    with pytest.raises(SpaceError, match=rf"'{name}'.*[Gg]ot trials=100000") as caught:
        planned(name, 100_000, 0, small_space())
    most = int(re.search(r"Ask for at most (\d+)", str(caught.value))[1])  # type: ignore[index]
    every = planned(name, most, 0, small_space())
    assert len(set(every)) == most
    rows = {tuple(row) for row in sampling.make(name).feasible(small_space(), BAND).integers.tolist()}
    assert {tuple(FAMILY.row(architecture).tolist()) for architecture in every} == rows | {
        tuple(FAMILY.row(BASE.architecture).tolist())
    }
    with pytest.raises(SpaceError, match=f"trials={most + 1}"):
        planned(name, most + 1, 0, small_space())


@FREE_MACS
def test_a_band_that_holds_nothing_is_an_error_that_says_what_the_bounds_reach(name: str) -> None:
    with pytest.raises(SpaceError, match="must hold at least one architecture") as caught:
        planned(name, 3, 0, band=Band(100.0, 200.0))
    assert "Widen `band` or `space`" in str(caught.value)
    assert f"{space().macs[0] / 1e6:,.1f}M" in str(caught.value)


@SAMPLERS
def test_an_unknown_option_is_named_with_the_known_ones(name: str) -> None:
    with pytest.raises(UnknownNameError, match=rf"option of sampler '{name}'.*'colour'"):
        sampling.make(name, colour="red")


@SAMPLERS
def test_a_sampler_has_the_name_it_is_registered_under(name: str) -> None:
    assert sampling.make(name).name == name


def test_an_unknown_sampler_is_answered_with_the_nearest() -> None:
    with pytest.raises(GpscaleError, match=r"Unknown sampler 'sobel'.*Did you mean 'sobol'\?"):
        sampling.make("sobel")
