"""What papers print, and how far it is from what we count."""

from __future__ import annotations

import pytest

from gpscale import families
from gpscale.families.listing import list_models
from gpscale.families.prints import PAPERS, PRINTS, agrees
from gpscale.units import parse_macs


@pytest.mark.parametrize(
    ("count", "printed", "same"),
    [
        (1_249_999, "1.2M", True),
        (1_299_999, "1.2M", True),  # cut off, as some papers do
        (1_300_000, "1.2M", False),
        (1_150_000, "1.2M", True),  # rounded up
        (1_149_999, "1.2M", False),
        (521_583_104, "522M", True),
        (521_499_999, "522M", False),
        (522_999_999, "522M", True),
        (17_434_579, "17.43M", True),
        (17_526_829, "17.43M", False),
    ],
)
def test_a_count_has_the_digits_of_a_print_rounded_or_cut_off(count: int, printed: str, same: bool) -> None:
    assert agrees(count, printed) is same


@pytest.mark.parametrize("printed", PRINTS, ids=lambda one: f"{one.model}-{one.where}")
def test_every_print_is_of_a_model_that_there_is_and_names_its_paper(printed: object) -> None:
    assert printed.where.split(",")[0] in PAPERS  # type: ignore[attr-defined]
    assert printed.params or printed.macs  # type: ignore[attr-defined]
    assert families.parse_base(printed.model).name == printed.model  # type: ignore[attr-defined]


def test_every_print_that_we_do_not_have_says_why_and_no_other_does() -> None:
    rows = [row for row in list_models() if row.printed is not None]
    assert {row.model for row in rows if not row.reproduced and not row.printed.why} == set()  # type: ignore[union-attr]
    assert {row.model for row in rows if row.reproduced and row.printed.why} == set()  # type: ignore[union-attr]


def test_every_stock_model_and_every_print_is_listed_once() -> None:
    rows = list_models()
    stock = {name for family in families.names() for name in families.get(family).stock_bases}
    assert stock | {one.model for one in PRINTS} == {row.model for row in rows}
    assert sorted(map(repr, PRINTS)) == sorted(repr(row.printed) for row in rows if row.printed is not None)
    keys = [(row.model, row.num_classes, row.printed) for row in rows]
    assert len(set(keys)) == len(keys)


def test_counts_follow_the_classes_that_are_asked_for_and_prints_keep_their_own() -> None:
    rows = list_models(10, "mobilevitv2")
    plain = {row.num_classes for row in rows if row.printed is None}
    assert plain == {10}
    own = [row for row in rows if row.model == "mobilevitv2_200@128" and row.printed is not None]
    assert {row.num_classes for row in own} == {10, 100, 200}
    (cifar,) = (row for row in own if row.num_classes == 10)
    assert (cifar.params, cifar.reproduced) == (17_434_579, True)


def test_the_gap_is_our_count_over_the_printed_one() -> None:
    (row,) = (row for row in list_models(family="edgevit") if row.model == "edgevit_s@224")
    assert row.gap("params") == 13_108_168 / 11_100_000 - 1
    assert not row.reproduced
    assert row.gap("macs") == 1_911_021_792 / parse_macs("1.9G") - 1
    assert row.to_dict()["printed"]["params_gap"] == row.gap("params")


def test_the_form_that_is_trained_is_listed_where_it_has_other_counts() -> None:
    assert [row for row in list_models(family="mobilevit", trained=True) if row.form == "trained"] == []
    trained = {row.model: row for row in list_models(family="fastvit", trained=True) if row.form == "trained"}
    assert set(trained) == set(families.get("fastvit").stock_bases)
    assert (trained["fastvit_t8@256"].params, trained["fastvit_t8@256"].macs) == (4_026_232, 690_149_376)
