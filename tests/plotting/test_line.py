"""Accuracy along one factor: bands, trials better and worse than the base."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gpscale.errors import FitError
from gpscale.plotting import line_data, plot_line
from tests.plotting.conftest import SyntheticStudy


def test_the_table_holds_the_surface_and_its_two_bands(line_study: SyntheticStudy) -> None:
    rows = line_data(line_study).query("kind == 'surface'")
    found = line_study.surface.predict(rows[["resolution"]])
    z = 1.959963984540054
    np.testing.assert_allclose(rows["value"], found.mean)
    np.testing.assert_allclose(rows["high"] - rows["low"], 2 * z * found.std)
    np.testing.assert_allclose(rows["training_high"] - rows["training_low"], 2 * z * found.observation_std)


def test_trials_above_the_base_are_better(line_study: SyntheticStudy) -> None:
    trials = line_data(line_study).query("kind == 'trial'")
    base = trials.loc[trials["base"], "value"].item()
    assert trials["better"].tolist() == (trials["value"] > base).tolist()
    assert trials["better"].any()


def test_better_and_worse_trials_differ_in_colour_and_the_base_is_a_triangle(line_study: SyntheticStudy) -> None:
    (ax,) = plot_line(line_study).axes
    better, worse = (line for line in ax.lines if line.get_marker() == "x")
    assert better.get_color() != worse.get_color()
    (base,) = [line for line in ax.lines if line.get_marker() == "^"]
    assert base.get_xdata().tolist() == [1.0]
    assert better.get_ydata().min() > base.get_ydata()[0] >= worse.get_ydata().max()
    assert {text.get_text() for text in ax.texts} == {"base", "better than base", "not better"}


def test_without_a_trial_of_the_base_no_trial_is_better_or_worse(line_study: SyntheticStudy) -> None:
    finished = line_study.finished
    others = dataclasses.replace(line_study, finished=finished[finished["resolution"] != 1.0])
    (ax,) = plot_line(others).axes
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


def test_a_factor_that_the_sweep_did_not_vary_is_refused(line_study: SyntheticStudy) -> None:
    with pytest.raises(FitError, match="this surface has resolution"):
        plot_line(line_study, "width")
