"""Growth with the resolution: the fit, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpscale.benchmark import protocol_of
from gpscale.benchmark.resolutions import fit_exponent, measure_growth
from gpscale.errors import ImageSizeError, RuntimeChoiceError

QUICK = protocol_of("gpscale", runs=1, warm_up=0)


@given(exponent=st.floats(-3, 5), factor=st.floats(1e-6, 1e3))
def test_a_power_law_is_found_exactly(exponent: float, factor: float) -> None:
    sides = [64, 96, 128, 224]
    found, interval = fit_exponent(sides, [factor * side**exponent for side in sides])
    assert found == pytest.approx(exponent, abs=1e-6)
    assert interval is not None
    assert interval[1] - interval[0] < 1e-3


def test_the_interval_holds_the_true_exponent_as_often_as_it_says() -> None:
    generator, sides = np.random.default_rng(0), np.array([64, 96, 128, 160, 224])
    held = 0
    for _ in range(400):
        _, interval = fit_exponent(sides.tolist(), (sides**2.0 * np.exp(generator.normal(0, 0.1, 5))).tolist())
        assert interval is not None
        held += interval[0] <= 2.0 <= interval[1]
    assert 360 <= held <= 395


def test_two_sizes_have_an_exponent_without_an_interval() -> None:
    exponent, interval = fit_exponent([64, 128], [1.0, 8.0])
    assert exponent == pytest.approx(3.0)
    assert interval is None


def test_all_models_are_timed_at_all_sizes_in_ascending_order() -> None:
    timed, found = measure_growth(["mobilenetv1_025", "timm:test_resnet"], [64, 32, 96, 64], QUICK, num_classes=5)
    assert [growth.model for growth in found] == ["mobilenetv1_025", "timm:test_resnet"]
    assert [growth.pixels for growth in found] == [(32, 64, 96)] * 2
    assert [row.model for row in found[1].rows] == [f"timm:test_resnet@{side}" for side in (32, 64, 96)]
    assert len(timed.rows) == 6
    assert 1.4 < found[0].macs_exponent < 2.1
    assert len(found[0].to_dict()["sizes"]) == 3
    medians = [row.timing.processor.percentiles["p50"] for row in found[1].rows]
    assert found[1].cpu_exponent == fit_exponent([32, 64, 96], medians)[0]


def test_a_size_in_the_name_a_single_size_and_one_that_cannot_be_taken_are_refused() -> None:
    with pytest.raises(RuntimeChoiceError, match="without a size. Got 'edgevit_xxs@64'. Write 'edgevit_xxs'"):
        measure_growth(["edgevit_xxs@64"], [64, 96], QUICK)
    with pytest.raises(RuntimeChoiceError, match=r"at least two sizes of images. Got \[64, 64\]"):
        measure_growth(["edgevit_xxs"], [64, 64], QUICK)
    with pytest.raises(ImageSizeError, match="Take 96 or 128"):
        measure_growth(["edgevit_xxs"], [64, 100], QUICK)
