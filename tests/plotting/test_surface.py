"""Contours over two factors: which factors, within which bounds, and what is marked."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.contour import ContourSet

from gpscale.errors import FitError, UnknownNameError
from gpscale.plotting import plot_surface, surface_data
from gpscale.plotting.base import Columns
from gpscale.plotting.mac_contours import Costs
from gpscale.surrogate.surface import Surface
from tests.plotting.conftest import SyntheticStudy

SIZE = 40


def test_the_table_is_the_slice_through_the_base(study: SyntheticStudy) -> None:
    table = surface_data(study, size=SIZE)
    assert table.columns.tolist() == ["resolution", "width", "c", "mean", "std", "variance"]
    assert len(table) == SIZE**2
    rows = table.iloc[[3, 700, -1]]
    found = study.joint_surface().predict([[row.resolution, 1.0, 1.0, row.width] for row in rows.itertuples()])
    np.testing.assert_allclose(rows["mean"], found.mean)
    np.testing.assert_allclose(rows["std"], found.std)
    np.testing.assert_allclose(rows["variance"], found.std**2)


def test_the_other_factors_are_held_where_they_are_told_to_be(study: SyntheticStudy) -> None:
    row = surface_data(study, size=SIZE, fixed={"ir_depth": 1.5}).iloc[700]
    found = study.joint_surface().predict([[row["resolution"], 1.5, 1.0, row["width"]]])
    assert row["mean"] == pytest.approx(found.mean[0])
    caption = plot_surface(study, size=SIZE, fixed={"ir_depth": 1.5}).get_suptitle().replace("\n", " ")
    assert "at d_i=1.5, d_m=1" in caption


def test_nothing_is_drawn_beyond_the_observed_bounds(study: SyntheticStudy) -> None:
    table = surface_data(study, ("vit_depth", "ir_depth"), size=SIZE)
    for name in ("vit_depth", "ir_depth"):
        assert table[name].min() == pytest.approx(study.finished[name].min())
        assert table[name].max() == pytest.approx(study.finished[name].max())


def test_a_grid_sweep_shows_the_factors_that_it_varied_and_its_macs(grid_study: SyntheticStudy) -> None:
    figure = plot_surface(grid_study, size=SIZE)
    assert figure.axes[0].get_xlabel().startswith("width")
    assert figure.axes[0].get_ylabel().startswith("resolution")
    assert re.search(r"at fixed MACs \(28\.\dM to 29\.\dM\)", figure.get_suptitle().replace("\n", " "))


def test_the_caption_of_a_slice_says_that_macs_vary(study: SyntheticStudy) -> None:
    caption = plot_surface(study, size=SIZE).get_suptitle().replace("\n", " ")
    assert "slice of the joint top-1 surface over resolution and width at d_i=1, d_m=1; MACs vary" in caption


def test_trials_are_crosses_and_the_star_is_the_highest_mean_at_macs_that_trials_have(study: SyntheticStudy) -> None:
    figure = plot_surface(study, size=SIZE)
    mean = figure.axes[0]
    under, over = [part for part in mean.collections if isinstance(part, PathCollection)]
    for crosses in (under, over):
        np.testing.assert_array_equal(crosses.get_offsets(), study.finished[["resolution", "width"]])
    (star,) = [line for line in mean.lines if line.get_marker() == "*"]
    table = surface_data(study, size=SIZE)
    low, high = study.facts["c_range"]
    measured = table[table["c"].between(low, high)]
    assert len(measured) < len(table)
    best = measured.loc[measured["mean"].idxmax()]
    np.testing.assert_allclose(star.get_xydata(), [[best["resolution"], best["width"]]])
    assert f"maximum {best['mean']:.1%}"[:-1] in " ".join(text.get_text() for text in mean.texts)
    assert f"star: maximum within the trials' $c$, {low:.2f} to {high:.2f}" in figure.get_suptitle().replace("\n", " ")


def test_lines_of_equal_macs_are_labelled_on_both_panels_and_only_where_macs_vary(
    study: SyntheticStudy, grid_study: SyntheticStudy
) -> None:
    for ax in plot_surface(study, size=SIZE).axes[:2]:
        assert {"$c$ = 0.25", "$c$ = 0.5", "$c$ = 1"} <= {text.get_text() for text in ax.texts}
        low, high = study.joint_surface().bounds["width"]
        assert ax.get_ylim() == pytest.approx((low, high))
    assert surface_data(grid_study, size=SIZE)["c"].isna().all()
    assert not any("$c$" in text.get_text() for text in plot_surface(grid_study, size=SIZE).axes[0].texts)


def test_c_between_architectures_is_that_of_the_architectures_where_there_are_some(study: SyntheticStudy) -> None:
    costs = Costs(study.space)
    held = {"ir_depth": 1.0, "vit_depth": 1.0}
    axes = {"width": costs.levels["width"], "resolution": costs.levels["resolution"]}
    np.testing.assert_allclose(costs.at(held, **axes), costs.over(("width", "resolution"), held))
    inside = costs.at({**held, "resolution": 1.0}, width=costs.levels["width"][:2].mean(keepdims=True))
    np.testing.assert_allclose(inside, costs.over(("width",), {**held, "resolution": 1.0})[:2].mean())


def test_colour_bars_carry_units(study: SyntheticStudy) -> None:
    bars = [ax.get_ylabel() for ax in plot_surface(study, outcome="top5", size=SIZE).axes[2:]]
    assert bars == ["mean top-5 (%)", "standard deviation of top-5 (points)"]


def test_a_grid_sweep_shows_the_variance_as_the_paper_does(grid_study: SyntheticStudy) -> None:
    assert plot_surface(grid_study, size=SIZE).axes[3].get_ylabel() == "variance of top-1 (points$^2$)"


def test_either_spread_can_be_had_of_any_study(study: SyntheticStudy, grid_study: SyntheticStudy) -> None:
    variance, std = plot_surface(study, size=SIZE, spread="variance"), plot_surface(grid_study, size=SIZE, spread="std")
    assert variance.axes[3].get_ylabel().startswith("variance")
    assert std.axes[3].get_ylabel().startswith("standard deviation")
    values = surface_data(study, size=SIZE)["variance"] * 100**2
    (drawn,) = [part for part in variance.axes[1].collections if isinstance(part, ContourSet) and part.filled]
    assert (drawn.zmin, drawn.zmax) == pytest.approx((values.min(), values.max()))


def test_a_factor_that_no_trial_varies_gives_way_to_one_that_varies(study: SyntheticStudy) -> None:
    finished = study.finished.assign(width=1.25)
    surface = Surface.fit(
        finished[list(study.joint_surface().names)], study.joint_surface().names, finished["top1"], restarts=1
    )
    table = surface_data(dataclasses.replace(study, surfaces={"top1": surface}), size=SIZE)
    assert table.columns.tolist()[:2] == ["resolution", "vit_depth"]


def test_two_factors_must_vary(line_study: SyntheticStudy) -> None:
    with pytest.raises(FitError, match="2 factors.*Got resolution"):
        surface_data(line_study)


def test_an_unknown_factor_is_refused_with_the_nearest(study: SyntheticStudy) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'width'"):
        plot_surface(study, ("resolution", "widht"))


def test_three_factors_are_refused(study: SyntheticStudy) -> None:
    with pytest.raises(FitError, match="needs 2 factors. Got 3: resolution, width, ir_depth. Name 2."):
        surface_data(study, ("resolution", "width", "ir_depth"))  # type: ignore[arg-type]


def test_no_factor_is_not_a_choice(study: SyntheticStudy) -> None:
    with pytest.raises(FitError, match="needs 2 factors. Got none. Name 2."):
        surface_data(study, ())  # type: ignore[arg-type]


def test_an_unknown_spread_is_refused_with_the_known(study: SyntheticStudy) -> None:
    with pytest.raises(UnknownNameError, match="Unknown spread 'sdt'. Known: std, variance. Did you mean 'std'"):
        plot_surface(study, size=SIZE, spread="sdt")  # type: ignore[arg-type]


def test_a_grid_of_one_point_is_refused(study: SyntheticStudy) -> None:
    with pytest.raises(FitError, match="at least 2 points a side. Got 1"):
        plot_surface(study, size=1)


@pytest.mark.parametrize("columns", [1, 2])
def test_panels_do_not_overlap(columns: Columns, large_study: SyntheticStudy) -> None:
    figure = plot_surface(large_study, columns=columns, size=SIZE)
    figure.draw_without_rendering()
    boxes = [ax.get_tightbbox() for ax in figure.axes]
    mean, std, mean_bar, std_bar = boxes
    assert not any(a.overlaps(b) for a, b in ((mean, std), (mean, std_bar), (mean_bar, std), (mean_bar, std_bar)))
