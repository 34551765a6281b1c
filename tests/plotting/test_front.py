"""The front: what its table says, and what is drawn of it."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from gpscale.errors import FitError
from gpscale.plotting import front_data, plot_front
from tests.plotting.conftest import SyntheticStudy


def test_the_table_has_every_finished_trial_ordered_by_macs(study: SyntheticStudy) -> None:
    table = front_data(study)
    assert sorted(table["id"]) == sorted(study.finished["id"])
    assert table["macs"].is_monotonic_increasing
    assert table["top1"].between(0, 1).all()


def test_rank_one_of_the_table_is_what_no_trial_dominates(study: SyntheticStudy) -> None:
    table = front_data(study)
    for row in table.itertuples():
        cheaper_and_better = (table["macs"] <= row.macs) & (table["top1"] >= row.top1) & (table["id"] != row.id)
        assert (row.rank == 1) == (not cheaper_and_better.any())


def test_survivors_and_the_base_are_marked_in_the_table(study: SyntheticStudy) -> None:
    table = front_data(study)
    assert set(table.loc[table["survivor"], "id"]) == set(study.facts["pareto"]["survivors"])
    assert table.loc[table["base"], "id"].tolist() == [f"{0:016x}"]


def test_the_step_line_never_falls_and_stays_below_no_trial(study: SyntheticStudy) -> None:
    (ax,) = plot_front(study).axes
    (steps,) = [line for line in ax.lines if line.get_drawstyle() == "steps-post"]
    x, y = np.asarray(steps.get_xdata(), dtype=float), np.asarray(steps.get_ydata(), dtype=float)
    assert (np.diff(y) >= 0).all()
    for macs, top1 in zip(study.finished["macs"] / 1e6, study.finished["top1"] * 100, strict=True):
        assert y[np.searchsorted(x, macs, side="right") - 1] >= top1 - 1e-9


def test_axes_carry_units(study: SyntheticStudy) -> None:
    (ax,) = plot_front(study).axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("MACs (M)", "top-1 (%)")


def test_a_front_can_be_drawn_on_axes_of_another_figure(study: SyntheticStudy) -> None:
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert plot_front(study, ax=right) is figure
    assert len(right.lines) > 0
    assert len(left.lines) == 0


def test_a_study_without_a_pareto_set_is_refused_with_its_reason(line_study: SyntheticStudy) -> None:
    with pytest.raises(FitError, match="needs a study with a Pareto set.*holds MACs fixed"):
        front_data(line_study)
