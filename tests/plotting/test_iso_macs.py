"""Iso-MAC profiles: what is held, what is best, what is left out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from gpscale.errors import FitError, UnknownNameError
from gpscale.factors import FACTOR_NAMES
from gpscale.plotting import iso_macs_data, plot_iso_macs
from gpscale.plotting.base import Columns
from tests.plotting.conftest import SyntheticStudy


def test_each_point_is_the_best_architecture_of_its_level_at_those_macs(study: SyntheticStudy) -> None:
    table = iso_macs_data(study, "top5", [0.5])
    part = study.space.feasible(0.485 * study.base.macs, 0.515 * study.base.macs)
    found = study.joint_surface("top5").predict(part.factors)
    for row in table.itertuples():
        here = np.isclose(part.factors[:, FACTOR_NAMES.index(row.factor)], row.level)
        best = found.mean[here].argmax()
        assert row.value == pytest.approx(found.mean[here][best])
        assert row.high - row.low == pytest.approx(2 * 1.959963984540054 * found.std[here][best])


def test_every_factor_has_every_c_that_was_measured(study: SyntheticStudy) -> None:
    table = iso_macs_data(study, shares=(0.01, 0.25, 1.0, 2.0))
    assert set(zip(table["factor"], table["c"], strict=True)) == {(name, c) for name in FACTOR_NAMES for c in (0.25, 1)}
    np.testing.assert_allclose(table["macs"], table["c"] * study.base.macs)


def test_a_c_that_nothing_measured_is_refused_with_the_range(study: SyntheticStudy) -> None:
    with pytest.raises(FitError, match=r"Got 0\.01, but study 'synthetic' holds \[0\.\d\d, 1\.\d\d\]"):
        iso_macs_data(study, shares=[0.01])


def test_no_c_at_all_is_refused(study: SyntheticStudy) -> None:
    with pytest.raises(FitError, match="Got none, but study 'synthetic' holds"):
        iso_macs_data(study, shares=())


def test_factors_can_be_chosen_in_any_order_and_once(study: SyntheticStudy) -> None:
    chosen = iso_macs_data(study, shares=[0.5], factors=["width", "ir_depth", "width"])
    everything = iso_macs_data(study, shares=[0.5])
    expected = everything[everything["factor"].isin(["ir_depth", "width"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(chosen, expected)
    assert len(plot_iso_macs(study, shares=[0.5], factors=["width"]).axes) == 1
    with pytest.raises(UnknownNameError, match="Did you mean 'width'"):
        plot_iso_macs(study, factors=["widht"])


def test_a_design_at_fixed_macs_is_refused(line_study: SyntheticStudy) -> None:
    with pytest.raises(FitError, match="all four factors"):
        iso_macs_data(line_study)


@pytest.mark.parametrize("columns", [1, 2])
def test_a_panel_a_factor_with_labelled_lines_and_the_measured_base(study: SyntheticStudy, columns: Columns) -> None:
    figure = plot_iso_macs(study, columns=columns)
    panels = figure.axes
    assert len(panels) == 4
    figure.draw_without_rendering()
    heights = {text.get_text(): Text.get_window_extent(text).y0 for text in panels[0].texts}
    assert sorted(heights, key=lambda name: -heights[name]) == ["$c$ = 1", "$c$ = 0.5", "$c$ = 0.25"]
    for ax in panels:
        (base,) = [line for line in ax.lines if line.get_marker() == "^"]
        assert base.get_ydata() == pytest.approx(100 * study.finished.query("c == 1")["top1"].max())
    caption = figure.get_suptitle().replace("\n", " ")
    assert "bars: 95 %, surface" in caption
    assert "triangle: base, measured" in caption


def test_without_a_trial_of_the_base_there_is_no_triangle(study: SyntheticStudy) -> None:
    others = study.finished[study.finished["id"] != f"{0:016x}"]
    assert "triangle" not in plot_iso_macs(dataclasses.replace(study, finished=others)).get_suptitle()


def test_of_many_levels_only_the_highest_of_each_part_is_drawn(study: SyntheticStudy) -> None:
    table = iso_macs_data(study, shares=[0.5], factors=["width"])
    assert len(table) > 13
    shown = table[table["envelope"]]
    assert len(shown) <= 8
    assert table["value"].idxmax() in shown.index
    (ax,) = plot_iso_macs(study, shares=[0.5], factors=["width"]).axes
    (line,) = [line for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(line.get_ydata(), 100 * shown["value"])
    assert iso_macs_data(study, shares=[0.5], factors=["resolution"])["envelope"].all()


def test_intervals_that_would_hide_the_lines_are_told_and_not_drawn(study: SyntheticStudy) -> None:
    wide = {**study.surfaces, "top1": study.surfaces["top1"].recalibrated(20.0)}
    figure = plot_iso_macs(dataclasses.replace(study, surfaces=wide))
    assert not any(ax.collections for ax in figure.axes)
    caption = figure.get_suptitle().replace("\n", " ")
    assert "points wide (median), are not drawn" in caption
    assert "intervals unusable: recalibrated x 20.0" in caption
    assert all(ax.collections for ax in plot_iso_macs(study).axes)
