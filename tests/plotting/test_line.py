"""Accuracy along one factor: bands, trials better and worse than the base."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection

from gpscale.errors import FitError
from gpscale.plotting import line_data, plot_line
from gpscale.plotting.base import Columns
from gpscale.plotting.labels import FloatArray
from tests.plotting.conftest import SyntheticStudy


@pytest.mark.parametrize("outcome", ["top1", "top5"])
def test_the_table_holds_the_surface_and_its_two_bands(line_study: SyntheticStudy, outcome: str) -> None:
    rows = line_data(line_study).query("kind == 'surface' and outcome == @outcome")
    found = line_study.surfaces[outcome].predict(rows[["resolution"]])
    z = 1.959963984540054
    np.testing.assert_allclose(rows["value"], found.mean)
    np.testing.assert_allclose(rows["high"] - rows["low"], 2 * z * found.std)
    np.testing.assert_allclose(rows["training_high"] - rows["training_low"], 2 * z * found.observation_std)


def test_trials_above_the_base_are_better(line_study: SyntheticStudy) -> None:
    trials = line_data(line_study, outcome="top5").query("kind == 'trial'")
    assert trials["value"].tolist() == line_study.finished["top5"].tolist()
    base = trials.loc[trials["base"], "value"].item()
    assert trials["better"].tolist() == (trials["value"] > base).tolist()
    assert trials["better"].any()


def places(ax: Axes) -> list[tuple[FloatArray, FloatArray]]:
    """Return the places and the colours of each group of crosses."""
    return [
        (np.asarray(part.get_offsets(), dtype=float), np.asarray(part.get_edgecolor(), dtype=float))
        for part in ax.collections
        if isinstance(part, PathCollection) and len(np.asarray(part.get_offsets()))
    ]


def test_better_and_worse_trials_differ_in_colour_and_the_base_is_a_triangle(line_study: SyntheticStudy) -> None:
    for ax in plot_line(line_study).axes:
        (better, red), (worse, ink) = places(ax)
        assert (red[0, :3] != ink[0, :3]).any()
        (base,) = [line for line in ax.lines if line.get_marker() == "^"]
        ((x, y),) = np.asarray(base.get_xydata(), dtype=float)
        assert x == 1.0
        assert better[:, 1].min() > y >= worse[:, 1].max()
        assert {text.get_text() for text in ax.texts} == {"base", "better than base", "not better"}


def test_where_macs_vary_a_costlier_trial_is_not_called_better(study: SyntheticStudy) -> None:
    trials = line_data(study, "width", "top1").query("kind == 'trial'").reset_index(drop=True)
    base = trials.loc[trials["base"], "value"].item()
    expected = (trials["value"] > base) & (trials["c"] <= 1.03)
    assert trials["better"].tolist() == expected.tolist()
    finished = study.finished.assign(top1=study.finished["top1"].where(study.finished["c"] <= 1.03, 0.99))
    costly = line_data(dataclasses.replace(study, finished=finished), "width", "top1").query("kind == 'trial'")
    assert (costly["c"] > 1.03).any()
    assert not costly.loc[costly["c"] > 1.03, "better"].any()


def test_a_trial_is_fainter_the_farther_it_is_from_the_slice(study: SyntheticStudy) -> None:
    trials = line_data(study, "width", "top1").query("kind == 'trial'")
    assert trials.loc[trials["base"], "strength"].item() == 1.0
    assert trials["strength"].min() < 0.5
    (ax,) = plot_line(study, "width", "top1").axes
    drawn = np.concatenate([colors[:, 3] for _, colors in places(ax)])
    np.testing.assert_allclose(np.sort(drawn), np.sort(trials.loc[~trials["base"], "strength"]))
    assert "fainter the farther they are from the slice" in plot_line(study).get_suptitle().replace("\n", " ")


def test_c_that_no_trial_has_is_shaded_and_said(study: SyntheticStudy, line_study: SyntheticStudy) -> None:
    rows = line_data(study, "width", "top1").query("kind == 'surface'")
    assert rows["c"].is_monotonic_increasing
    assert rows["c"].iloc[-1] > 1.2
    assert "grey: $c$ beyond the trials' 0.2" in plot_line(study, "width").get_suptitle().replace("\n", " ")
    assert "grey" not in plot_line(line_study).get_suptitle()
    assert line_data(line_study).query("kind == 'surface'")["c"].isna().all()


def test_intervals_that_were_made_much_wider_are_called_unusable(study: SyntheticStudy) -> None:
    wide = {**study.surfaces, "top5": study.surfaces["top5"].recalibrated(10.07)}
    said = plot_line(dataclasses.replace(study, surfaces=wide)).get_suptitle().replace("\n", " ")
    assert "intervals unusable: top-5 recalibrated x 10.1" in said
    assert "unusable" not in plot_line(study).get_suptitle()


@pytest.mark.parametrize("columns", [1, 2])
def test_top1_and_top5_have_a_panel_each(line_study: SyntheticStudy, columns: Columns) -> None:
    assert [ax.get_ylabel() for ax in plot_line(line_study, columns=columns).axes] == ["top-1 (%)", "top-5 (%)"]
    assert [ax.get_ylabel() for ax in plot_line(line_study, outcome="top5", columns=columns).axes] == ["top-5 (%)"]


def test_where_top5_is_always_the_same_there_is_only_top1(line_study: SyntheticStudy) -> None:
    diagnostics = {**line_study.facts["diagnostics"], "top5": None}
    alone = dataclasses.replace(line_study, facts={**line_study.facts, "diagnostics": diagnostics})
    assert [ax.get_ylabel() for ax in plot_line(alone).axes] == ["top-1 (%)"]


def test_without_a_trial_of_the_base_no_trial_is_better_or_worse(line_study: SyntheticStudy) -> None:
    finished = line_study.finished
    others = dataclasses.replace(line_study, finished=finished[finished["resolution"] != 1.0])
    (ax,) = plot_line(others, outcome="top1").axes
    assert {text.get_text() for text in ax.texts} == {"trials"}
    assert not line_data(others)["better"].any()


def test_the_caption_says_what_the_bands_are_and_that_macs_are_fixed(line_study: SyntheticStudy) -> None:
    caption = plot_line(line_study, outcome="top5").get_suptitle().replace("\n", " ")
    assert "95 % bands: dark, surface; light, one new training" in caption
    assert "top-5 over resolution at fixed MACs" in caption


def test_any_factor_of_a_joint_surface_can_be_chosen(study: SyntheticStudy) -> None:
    figure = plot_line(study, "ir_depth")
    assert figure.axes[0].get_xlabel() == "IR block depth $d_i$ (base = 1)"
    assert "MACs vary" in figure.get_suptitle().replace("\n", " ")


def test_the_other_factors_are_held_where_they_are_told_to_be(study: SyntheticStudy) -> None:
    rows = line_data(study, "width", "top1", fixed={"vit_depth": 1.5}).query("kind == 'surface'")
    points = [[1.0, 1.0, 1.5, width] for width in rows["width"]]
    np.testing.assert_allclose(rows["value"], study.joint_surface().predict(points).mean)


def test_a_line_through_a_surface_at_fixed_macs_is_not_said_to_vary_them(grid_study: SyntheticStudy) -> None:
    caption = plot_line(grid_study, "width").get_suptitle().replace("\n", " ")
    assert "at fixed MACs (" in caption
    assert "MACs vary" not in caption


def test_a_factor_that_the_sweep_did_not_vary_is_refused(line_study: SyntheticStudy) -> None:
    with pytest.raises(FitError, match="this surface has resolution"):
        plot_line(line_study, "width")
