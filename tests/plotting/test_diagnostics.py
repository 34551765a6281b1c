"""Leave-one-out predictions: whose they are, and what is said of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from matplotlib.colors import same_color

from gpscale.errors import FitError
from gpscale.plotting import diagnostics_data, plot_diagnostics
from gpscale.plotting.look import BLUE, RED
from gpscale.study import Study
from tests.plotting.conftest import SyntheticStudy


@pytest.mark.parametrize("outcome", ["top1", "top5"])
def test_the_table_has_each_trial_once_a_model_with_what_was_measured(study: SyntheticStudy, outcome: str) -> None:
    table = diagnostics_data(study, outcome)
    for _, rows in table.groupby("model"):
        measured = study.finished.set_index("id")[outcome]
        np.testing.assert_array_equal(rows["measured"], measured[rows["id"]])
        assert len(rows) == len(measured)


def test_intervals_are_of_95_percent_and_tell_who_is_inside(study: SyntheticStudy) -> None:
    joint = diagnostics_data(study).query("model == 'joint'")
    np.testing.assert_allclose(joint["high"] - joint["low"], 2 * 1.959963984540054 * 0.004)
    assert joint["inside"].tolist() == [False] + [True] * (len(joint) - 1)


def test_the_surface_stands_beside_log_macs_with_its_scores(study: SyntheticStudy) -> None:
    figure = plot_diagnostics(study)
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles[0] == "joint surface\nRMSE 1.23 points, Spearman 0.87, 96 % inside"
    assert titles[1] == "Gaussian process on log MACs alone\nRMSE 3.45 points, Spearman 0.00, 100 % inside"
    caption = figure.get_suptitle().replace("\n", " ")
    assert "the surface knows more than MACs do" in caption
    assert "95 % interval of one training" in caption


def test_of_a_recalibrated_surface_it_is_said_how_many_were_inside_as_fitted() -> None:
    shipped = Study("cifar10")
    title = plot_diagnostics(shipped).axes[0].get_title(loc="left")
    assert title.endswith(f"{100 * shipped.diagnostics.coverage[-1].before:.0f} % inside as fitted")


def test_a_missed_trial_is_red_and_an_interval_is_cut_off_only_at_zero(study: SyntheticStudy) -> None:
    ax = plot_diagnostics(study).axes[0]
    dots = {line.get_markerfacecolor(): line for line in ax.lines if line.get_marker() == "o"}
    (missed,) = [line for color, line in dots.items() if same_color(color, RED)]
    (hit,) = [line for color, line in dots.items() if same_color(color, BLUE)]
    assert len(missed.get_xdata()) == 1
    assert len(hit.get_xdata()) == len(study.finished) - 1
    table = diagnostics_data(study)
    assert table["low"].min() < 0
    assert ax.get_ylim()[0] == 0
    assert 100 * table["high"].max() < ax.get_ylim()[1]


def test_an_outcome_without_a_surface_is_refused(study: SyntheticStudy) -> None:
    diagnostics = {**study.facts["diagnostics"], "top5": None}
    with pytest.raises(FitError, match="no surface of top5"):
        diagnostics_data(dataclasses.replace(study, facts={**study.facts, "diagnostics": diagnostics}), "top5")
