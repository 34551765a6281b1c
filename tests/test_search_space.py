"""The enumerated space: complete, distinct, exactly counted, and searched without going over a budget."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpscale import families
from gpscale.errors import BudgetError, SpaceError, UnitError, UnknownNameError
from gpscale.factors import FACTOR_NAMES, PAPER_BOUNDS, Bounds, Factors
from gpscale.search_space import BUDGET_SHARE, SearchSpace, check_pixel_step

BASE = families.parse_base("mobilevitv2_050@64")
FAMILY = families.get("mobilevitv2")
SMALL = Bounds(resolution=(0.5, 1.25), ir_depth=(0.8, 1.4), vit_depth=(0.7, 1.3), width=(0.7, 1.2))


@functools.cache
def small_space() -> SearchSpace:
    return SearchSpace.enumerate(BASE, SMALL, num_classes=10)


@functools.cache
def default_space() -> SearchSpace:
    return SearchSpace.enumerate(BASE, num_classes=10)


def spans(low: float, high: float) -> st.SearchStrategy[tuple[float, float]]:
    return st.tuples(st.floats(low, high), st.floats(low, high)).map(lambda pair: (min(pair), max(pair)))


BOUNDS = st.builds(
    Bounds, resolution=spans(0.25, 1.5), ir_depth=spans(0.3, 2.0), vit_depth=spans(0.3, 2.0), width=spans(0.3, 1.5)
)


def test_the_default_space_has_as_many_architectures_as_the_product_of_its_levels() -> None:
    space = default_space()
    # 7 pixel sizes, 11 totals of blocks, 14 totals of layers, 78 channel tuples
    assert len(space) == 7 * 11 * 14 * 78
    assert [len(np.unique(space.integers[:, FAMILY.columns[name]], axis=0)) for name in FACTOR_NAMES] == [7, 11, 14, 78]


def test_architectures_are_distinct_and_ascend_in_macs() -> None:
    space = default_space()
    assert len(np.unique(space.integers, axis=0)) == len(space)
    assert np.all(np.diff(space.macs) >= 0)


def test_architectures_of_equal_macs_keep_the_order_of_their_levels() -> None:
    space = default_space()
    order = np.lexsort((*space.codes.T[::-1], space.macs))
    assert len(np.unique(space.macs)) < len(space)
    assert np.array_equal(order, np.arange(len(space)))


def test_every_architecture_carries_its_own_macs_parameters_and_factors() -> None:
    space = small_space()
    macs, params = FAMILY.count(space.integers, 10)
    assert space.macs.tolist() == macs.tolist()
    assert space.params.tolist() == params.tolist()
    assert np.array_equal(space.factors, FAMILY.realised(BASE, space.integers))
    assert np.allclose(np.exp(space.log_factors), space.factors, rtol=1e-12)
    assert space.pixels().tolist() == space.integers[:, 0].tolist()
    assert np.array_equal(space.c, macs / space.base_macs)


def test_the_number_of_classes_is_counted() -> None:
    ten, thousand = small_space(), SearchSpace.enumerate(BASE, SMALL, num_classes=1000)
    assert thousand.base_macs - ten.base_macs == 990 * 256


@settings(max_examples=60, deadline=None)
@given(bounds=BOUNDS, data=st.data())
def test_no_architecture_inside_the_bounds_is_missing(bounds: Bounds, data: st.DataObject) -> None:
    try:
        space = SearchSpace.enumerate(BASE, bounds, num_classes=10)
    except SpaceError:  # no pixel size lies inside
        low, high = bounds.resolution
        assert not [pixels for pixels in range(16, 97, 16) if low * 64 <= pixels <= high * 64]
        return
    members = {tuple(row) for row in space.integers.tolist()}
    assert len(members) == len(space)
    sizes = st.sampled_from(sorted(set((space.pixels() / 64).tolist())))
    others = [st.floats(*span) for span in list(bounds.to_dict().values())[1:]]
    for _ in range(20):
        factors = Factors(*data.draw(st.tuples(sizes, *others)))
        assert tuple(families.requested_row(BASE, factors, 16).tolist()) in members


def test_a_dense_lattice_of_factors_realises_to_exactly_the_members_of_the_space() -> None:
    space = small_space()
    per_factor = []
    for name, (low, high) in SMALL.to_dict().items():
        dense = np.linspace(low, high, 3001)
        per_factor.append({tuple(row) for row in FAMILY.realise(BASE, name, dense, 16).tolist()})
    assert len(space) == np.prod([len(found) for found in per_factor])
    for name, found in zip(FACTOR_NAMES, per_factor, strict=True):
        assert {tuple(row) for row in space.integers[:, FAMILY.columns[name]].tolist()} == found


def test_pixel_sizes_lie_inside_the_bounds_on_the_resolution() -> None:
    # 0.8 x 128 = 102.4 and 1.7 x 128 = 217.6: the nearest sizes, 96 and 224, lie outside
    space = SearchSpace.enumerate("mobilevitv2_200@128", PAPER_BOUNDS, num_classes=100)
    assert sorted(set(space.pixels().tolist())) == [128, 160, 192]


def test_the_base_is_a_member_where_the_bounds_allow_factors_of_one() -> None:
    own = FAMILY.row(BASE.architecture).tolist()
    assert own in small_space().integers.tolist()
    paper = SearchSpace.enumerate(BASE, PAPER_BOUNDS, num_classes=10)
    assert own not in paper.integers.tolist()
    assert paper.base_macs == small_space().base_macs


def test_a_name_and_its_base_enumerate_the_same_space() -> None:
    by_name = SearchSpace.enumerate("mobilevitv2_050@64", SMALL, num_classes=10)
    assert by_name.integers.tolist() == small_space().integers.tolist()


def test_an_unknown_base_is_named() -> None:
    with pytest.raises(UnknownNameError, match="mobilevitv2_051x"):
        SearchSpace.enumerate("mobilevitv2_051x@64")


def test_the_arrays_of_a_space_cannot_be_written() -> None:
    for array in (small_space().integers, small_space().factors, small_space().macs):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_bounds_between_two_pixel_sizes_exclude_everything_and_the_error_says_so() -> None:
    with pytest.raises(SpaceError, match=r"`space\.resolution`.*\[0\.9, 0\.95\].*pixel step 16"):
        SearchSpace.enumerate(BASE, Bounds(resolution=(0.9, 0.95)))


@pytest.mark.parametrize("step", [0, -16, 48, 65, 128])
def test_a_pixel_step_that_does_not_divide_the_base_pixels_is_refused(step: int) -> None:
    with pytest.raises(SpaceError, match=rf"`space\.pixel_step` must divide.*\(64\).*Got {step}\. Take 16"):
        SearchSpace.enumerate(BASE, SMALL, pixel_step=step)


def test_the_pixel_step_sets_the_pixel_sizes() -> None:
    space = SearchSpace.enumerate(BASE, SMALL, pixel_step=8, num_classes=10)
    assert sorted(set(space.pixels().tolist())) == [32, 40, 48, 56, 64, 72, 80]
    assert sorted(set(small_space().pixels().tolist())) == [32, 48, 64, 80]


def test_the_default_pixel_step_is_a_quarter_where_four_divides() -> None:
    assert check_pixel_step(BASE, None) == 16
    assert check_pixel_step(families.parse_base("mobilevitv2_050@66"), None) == 66


@settings(max_examples=100, deadline=None)
@given(low=st.floats(0, 4e7), high=st.floats(0, 4e7))
def test_feasible_holds_what_lies_between_both_ends_included(low: float, high: float) -> None:
    space = small_space()
    inside = (space.macs >= low) & (space.macs <= high)
    part = space.feasible(low, high)
    assert part.integers.tolist() == space.integers[inside].tolist()
    assert part.macs.tolist() == space.macs[inside].tolist()
    assert np.array_equal(part.factors, space.factors[inside])
    assert np.array_equal(part.log_factors, space.log_factors[inside])
    assert part.params.tolist() == space.params[inside].tolist()


def test_feasible_includes_architectures_that_lie_exactly_on_the_ends() -> None:
    space = small_space()
    part = space.feasible(int(space.macs[5]), int(space.macs[9]))
    assert (part.macs[0], part.macs[-1]) == (space.macs[5], space.macs[9])


@settings(max_examples=150, deadline=None)
@given(
    factors=st.builds(Factors, *(st.floats(0.2, 3.0) for _ in range(4))),
    budget=st.integers(2_000_000, 60_000_000),
    scale=st.one_of(st.just(1.0), st.tuples(*(st.floats(0.05, 5.0) for _ in range(4))).map(np.array)),
)
def test_nearest_is_what_a_search_of_everything_finds(factors: Factors, budget: int, scale: float | np.ndarray) -> None:
    space = small_space()
    if budget < space.macs[0]:
        with pytest.raises(BudgetError):
            space.nearest(factors, budget)
        return
    architecture, macs = space.nearest(factors, budget, scale)
    assert macs <= budget
    largest = max(int(value) for value in space.macs if value <= budget)
    least = BUDGET_SHARE * (budget if largest >= BUDGET_SHARE * budget else largest)
    distances = np.full(len(space), np.inf)
    for index in np.flatnonzero((space.macs >= least) & (space.macs <= budget)):
        gaps = (np.log(space.factors[index]) - np.log(list(factors))) / scale
        distances[index] = float(gaps @ gaps)
    index = space.integers.tolist().index(FAMILY.row(architecture).tolist())
    assert int(space.macs[index]) == macs
    assert distances[index] == pytest.approx(distances.min(), rel=1e-9, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(budget=st.integers(2_000_000, 600_000_000))
def test_a_budget_is_never_exceeded_and_97_percent_of_it_is_used_where_the_space_allows(budget: int) -> None:
    space = default_space()
    part = space.within_budget(budget)
    assert len(part) > 0
    assert part.macs[-1] <= budget
    if np.any((space.macs >= 0.97 * budget) & (space.macs <= budget)):
        assert part.macs[0] >= 0.97 * budget
    else:
        assert part.macs[-1] == space.macs[space.macs <= budget][-1]


def test_every_budget_between_the_ends_of_the_default_space_can_be_used_to_97_percent() -> None:
    macs = default_space().macs
    budgets = np.geomspace(1.2 * macs[0], macs[-1], 2000)
    largest = macs[np.searchsorted(macs, budgets, side="right") - 1]
    assert np.all(largest >= 0.97 * budgets)


def test_nearest_to_a_member_at_its_own_macs_is_that_member() -> None:
    space = small_space()
    for index in (0, len(space) // 3, len(space) - 1):
        factors = Factors(*space.factors[index].tolist())
        architecture, macs = space.nearest(factors, int(space.macs[index]))
        assert (architecture, macs) == (space.architecture(index), int(space.macs[index]))


def test_nearest_takes_the_larger_of_two_that_are_equally_near() -> None:
    space = small_space()
    index = space.nearest_index(Factors(), np.array([1e-3, np.inf, np.inf, np.inf]))
    assert index == np.flatnonzero(space.factors[:, 0] == 1.0)[-1]


def test_nearest_reads_budgets_as_people_write_them() -> None:
    assert small_space().nearest(Factors(), "20M") == small_space().nearest(Factors(), 20_000_000)
    with pytest.raises(UnitError, match="20X"):
        small_space().nearest(Factors(), "20X")


def test_budget_error_names_the_smallest_architecture() -> None:
    space = default_space()
    smallest = f"{space.macs[0] / 1e6:,.1f}M"
    with pytest.raises(BudgetError) as caught:
        space.nearest(Factors(), "200K")
    message = str(caught.value)
    assert "no architecture of mobilevitv2 fits 200.0K MACs" in message.replace("0.2M", "200.0K")
    assert f"has {smallest}" in message
    assert "`space.width.low` (now 0.4)" in message


def test_a_budget_of_exactly_the_smallest_architecture_fits() -> None:
    space = small_space()
    smallest = int(space.macs[0])
    assert space.nearest(Factors(), smallest)[1] == smallest
    with pytest.raises(BudgetError):
        space.nearest(Factors(), smallest - 1)


def test_a_space_says_in_one_line_what_it_holds() -> None:
    text = repr(default_space())
    assert "mobilevitv2_050@64" in text
    assert "84,084 architectures" in text
    assert "empty" in repr(default_space().feasible(1, 2))
