from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from gpscale import families
from gpscale.sweep import SweepConfig
from gpscale.sweep.space_report import _runs, describe_space

BASE = "mobilevitv2_050@64"


def report(**values: Any) -> dict[str, Any]:
    return describe_space(SweepConfig.from_values({"base": BASE, **values}), 10)


def test_the_numbers_of_architectures_add_up() -> None:
    space = SweepConfig.from_values({"base": BASE}).search_space(10)
    found = report()
    low, high = found["band_macs"]
    assert found["architectures"] == len(space) == 84_084
    assert found["feasible"] == np.sum((space.macs >= low) & (space.macs <= high))
    assert found["below"] + found["feasible"] + found["above"] == found["architectures"]
    assert found["drawable"] == found["feasible"]
    assert (low, high) == (0.2 * found["base_macs"], 1.1 * found["base_macs"])
    assert found["base_inside"] is True
    json.dumps(found, allow_nan=False)


def test_a_sampler_at_fixed_macs_may_draw_less() -> None:
    assert 0 < report(sampler={"name": "line"})["drawable"] < 10


def test_the_staircases_start_at_the_bounds_and_hold_the_base() -> None:
    steps = report()["staircases"]
    assert [step["value"] for step in steps["pixels"]] == ["32", "48", "64", "80", "96", "112", "128"]
    assert {step["value"]: step["macs_share"] for step in steps["pixels"]}["64"] == 1.0
    assert steps["ir_blocks"][1]["value"] == "1 2 1 1 1"
    assert steps["ir_blocks"][1]["macs_share"] == 1.0
    for name in steps:
        shares = [step["macs_share"] for step in steps[name]]
        assert shares == sorted(shares)
        assert shares.count(1.0) == 1, name


def test_a_stair_costs_what_the_model_costs() -> None:
    family = families.get("mobilevitv2")
    large, base = (family.row(families.parse_base(f"mobilevitv2_050@{pixels}").architecture) for pixels in (96, 64))
    counts = family.count(np.stack([large, base]), 10)[0]
    pixels = {step["value"]: step["macs_share"] for step in report()["staircases"]["pixels"]}
    assert pixels["96"] == counts[0] / counts[1]


def test_the_factors_say_what_the_band_excludes() -> None:
    factors = report()["factors"]
    assert factors["resolution"]["bounds"] == [0.5, 2.0]
    assert factors["resolution"]["realised"] == [0.5, 2.0]
    assert factors["resolution"]["levels"] == 7
    assert factors["width"]["never_in_band"] == []
    narrow = report(band={"low": 0.05, "high": 0.06})["factors"]["resolution"]
    assert narrow["in_band"][1] < 2.0
    assert narrow["never_in_band"][-1]["high"] == 2.0


def test_levels_that_are_never_in_the_band_are_told_by_runs_of_adjacent_ones() -> None:
    levels = np.array([0.5, 0.75, 1.0, 1.25, 1.5])
    assert _runs(levels, np.array([True, False, False, True, True])) == [
        {"low": 0.5, "high": 0.5, "levels": 1},
        {"low": 1.25, "high": 1.5, "levels": 2},
    ]
    assert _runs(levels, np.zeros(5, bool)) == []
    assert _runs(levels, np.ones(5, bool)) == [{"low": 0.5, "high": 1.5, "levels": 5}]


def test_bounds_that_exclude_the_base_are_reported() -> None:
    found = report(space={"preset": "paper"})
    assert found["base_inside"] is False
    assert found["factors"]["ir_depth"]["realised"][0] == pytest.approx(8 / 6)


def test_an_empty_band_is_reported_and_not_refused() -> None:
    found = report(band={"low": 0.0001, "high": 0.0002})
    assert (found["feasible"], found["drawable"], found["below"]) == (0, 0, 0)
    assert found["factors"]["width"]["in_band"] is None
