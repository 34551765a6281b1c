"""Quantities as people write them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpscale
from gpscale.errors import GpscaleError, UnitError
from gpscale.units import Z95, format_macs, parse_macs, round_macs


@pytest.mark.parametrize(
    ("written", "macs"),
    [
        ("20M", 20_000_000),
        ("500M", 500_000_000),
        ("1.5G", 1_500_000_000),
        ("1.8g", 1_800_000_000),
        ("300k", 300_000),
        ("2T", 2_000_000_000_000),
        ("500e6", 500_000_000),
        ("5E+8", 500_000_000),
        (".5G", 500_000_000),
        (" 500 M MACs ", 500_000_000),
        ("500MMAC", 500_000_000),
        ("1788700672", 1_788_700_672),
        (500_000_000, 500_000_000),
        (5e8, 500_000_000),
        (np.int64(7), 7),
        (np.float32(2.0), 2),
        (1, 1),
        (2.6, 3),
    ],
)
def test_macs_are_read(written: Any, macs: int) -> None:
    got = parse_macs(written)
    assert got == macs
    assert type(got) is int


@pytest.mark.parametrize(
    "written",
    [
        "",
        "M",
        "abc",
        "500X",
        "500MB",
        "-5M",
        "+5M",
        "5,000M",
        "1.2.3M",
        "5 0 0M",
        "nan",
        "inf",
        "1e999",
        "0",
        "0.4",
        "\N{ARABIC-INDIC DIGIT FIVE}M",
        "500M\x00",
        0,
        -1,
        0.4,
        math.nan,
        math.inf,
        10**400,
        True,
        None,
        [500],
        {},
        1j,
    ],
)
def test_what_is_no_positive_number_of_macs_is_refused_and_shown(written: Any) -> None:
    with pytest.raises(UnitError) as caught:
        parse_macs(written)
    assert repr(written) in str(caught.value)
    assert '"500M"' in str(caught.value)
    assert isinstance(caught.value, GpscaleError)
    assert isinstance(caught.value, ValueError)


@given(st.integers(1, 10**15))
def test_a_whole_number_is_read_back_from_its_digits(macs: int) -> None:
    assert parse_macs(str(macs)) == parse_macs(macs) == macs


@given(st.integers(10**5, 10**12))
def test_macs_that_are_printed_are_read_back_to_a_tenth_of_a_million(macs: int) -> None:
    assert abs(parse_macs(format_macs(macs).replace(",", "")) - macs) <= 50_000


@pytest.mark.parametrize(
    ("macs", "written"),
    [(1_788_700_672, "1,788.7M"), (29_000_000, "29.0M"), (100_000, "0.1M"), (99_400, "99.4K"), (999, "999")],
)
def test_macs_are_printed_with_one_decimal_and_a_unit(macs: int, written: str) -> None:
    assert format_macs(macs) == written


def test_95_percent_of_a_normal_distribution_lie_between_the_ends_of_the_interval() -> None:
    assert pytest.approx(0.95, abs=1e-15) == math.erf(Z95 / math.sqrt(2))


def test_the_ends_of_an_interval_are_written_once() -> None:
    package = Path(gpscale.__file__).parent
    assert [file.name for file in package.rglob("*.py") if "1.95996" in file.read_text()] == ["units.py"]


@given(st.integers(1, 10**15))
def test_what_is_rounded_up_or_down_is_read_as_no_less_or_no_more(macs: int) -> None:
    low, high = (parse_macs(round_macs(macs, up=up)) for up in (False, True))
    assert low <= macs <= high
    assert high - low <= macs / 100 + 1
