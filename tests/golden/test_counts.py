"""Counts that were measured once with torch's flop counter on the stock models, and must never change."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from gpscale import families

ROWS = list(csv.DictReader((Path(__file__).parent / "families.csv").open()))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['model']}@{row['input_px']}-{row['num_classes']}")
def test_closed_form_gives_the_measured_macs_and_parameters(row: dict[str, str]) -> None:
    name = f"mobilevitv2_{round(100 * float(row['model'].removeprefix('MobileViTV2-'))):03d}@{row['input_px']}"
    base = families.parse_base(name)
    family = families.get(base.family)
    macs, params = family.count(family.row(base.architecture)[None], int(row["num_classes"]))
    assert (macs.tolist(), params.tolist()) == ([int(row["macs"])], [int(row["params"])])


def test_the_golden_table_covers_all_stock_widths_at_two_sizes_and_four_class_numbers() -> None:
    assert len(ROWS) == 7 * 2 * 4
    assert {int(row["num_classes"]) for row in ROWS} == {10, 100, 200, 1000}
