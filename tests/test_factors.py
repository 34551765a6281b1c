"""The four factors and their bounds."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpscale.errors import FactorError, UnknownNameError
from gpscale.factors import FACTOR_NAMES, FACTOR_SYMBOLS, PAPER_BOUNDS, Bounds, Factors, check_factor_name

POSITIVE = st.floats(1e-3, 1e3)


def test_factors_default_to_the_base() -> None:
    assert list(Factors()) == [1.0, 1.0, 1.0, 1.0]


def test_factors_print_with_the_symbols_of_the_paper() -> None:
    assert str(Factors(1.5, 2, 0.75, 0.7)) == "r=1.500 d_i=2.000 d_m=0.750 w=0.700"
    assert list(FACTOR_SYMBOLS) == list(FACTOR_NAMES)


@given(st.builds(Factors, POSITIVE, POSITIVE, POSITIVE, POSITIVE))
def test_factors_are_read_back_from_their_dict(factors: Factors) -> None:
    assert list(factors.to_dict()) == list(FACTOR_NAMES)
    assert Factors.from_dict(factors.to_dict()) == factors
    assert Factors(*factors) == factors


def test_absent_factors_are_one() -> None:
    assert Factors.from_dict({"width": 0.5}) == Factors(width=0.5)


@pytest.mark.parametrize("name", FACTOR_NAMES)
@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, "1.0", None, [1.0]])
def test_a_factor_that_is_no_positive_number_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(FactorError, match=rf"^{name} must be a positive number\. Got "):
        Factors(**{name: value})


def test_an_unknown_factor_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"'widht'.*Did you mean 'width'\?"):
        Factors.from_dict({"widht": 1.0})
    with pytest.raises(UnknownNameError, match=r"'widht'.*Did you mean 'width'\?"):
        Bounds.from_dict({"widht": (0.5, 1.0)})
    with pytest.raises(UnknownNameError, match="Unknown factor 3"):
        check_factor_name(3)
    assert check_factor_name("vit_depth") == "vit_depth"


def test_factors_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Factors().width = 2.0  # type: ignore[misc]


def test_default_bounds_hold_the_base_and_those_of_the_paper_exclude_it() -> None:
    assert all(low <= 1.0 <= high for low, high in Bounds().to_dict().values())
    assert [name for name, (low, high) in PAPER_BOUNDS.to_dict().items() if not low <= 1.0 <= high] == ["ir_depth"]


def test_bounds_are_read_back_from_their_dict_and_absent_ones_keep_the_default() -> None:
    assert Bounds.from_dict(PAPER_BOUNDS.to_dict()) == PAPER_BOUNDS
    assert Bounds.from_dict({"width": (0.5, 1.0)}) == Bounds(width=(0.5, 1.0))


def test_bounds_from_lists_and_whole_numbers_equal_those_from_tuples() -> None:
    listed = Bounds(width=[0.5, 1])  # type: ignore[arg-type]
    assert listed == Bounds(width=(0.5, 1.0))
    assert hash(listed) == hash(Bounds(width=(0.5, 1.0)))
    assert listed.width == (0.5, 1.0)


@pytest.mark.parametrize(
    "span", [(1.0, 0.5), (0.0, 1.0), (-1.0, 1.0), (0.5, math.inf), (math.nan, 1.0), (0.5, math.nan)]
)
def test_bounds_that_are_reversed_or_not_positive_are_refused_by_name(span: tuple[float, float]) -> None:
    with pytest.raises(FactorError, match=rf"^width needs 0 < low <= high\. Got low={span[0]}, high={span[1]}"):
        Bounds(width=span)


@pytest.mark.parametrize("span", [(0.5,), (0.5, 1.0, 2.0), 0.5, ("a", "b"), None, "1"])
def test_bounds_that_are_not_two_numbers_are_refused_by_name(span: Any) -> None:
    for make in (lambda: Bounds(vit_depth=span), lambda: Bounds.from_dict({"vit_depth": span})):
        with pytest.raises(FactorError, match=r"^vit_depth must be two numbers\. Got "):
            make()


def test_bounds_of_one_value_are_legal() -> None:
    assert Bounds(width=(1.0, 1.0)).width == (1.0, 1.0)
