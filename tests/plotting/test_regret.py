"""Regret against the number of trials."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gpscale.errors import FitError
from gpscale.plotting import plot_regret, regret_data
from tests.plotting.conftest import SyntheticStudy


def test_the_table_is_what_was_stored_with_no_number_where_there_was_no_pick(study: SyntheticStudy) -> None:
    table = regret_data(study)
    assert study.regret is not None
    assert len(table) == len(study.regret["rows"])
    assert table.loc[(table["arm"] == "rule") & (table["trials"] == 8), "regret"].isna().all()
    assert table.loc[table["kind"] == "plan", "low"].isna().all()
    assert set(table["chance"]) == {0.03}


def test_lines_are_the_regrets_in_points_and_the_band_is_of_random_orders(study: SyntheticStudy) -> None:
    table = regret_data(study)
    for ax, arm in zip(plot_regret(study).axes, ("rule", "surface"), strict=True):
        own = table[(table["arm"] == arm) & table["regret"].notna()]
        drawn = [line.get_xydata() for line in ax.lines if line.get_marker() == "o"]
        for kind, points in zip(("random", "plan"), drawn, strict=True):
            rows = own[own["kind"] == kind]
            np.testing.assert_allclose(points, np.column_stack([rows["trials"], 100 * rows["regret"]]))
        assert {text.get_text() for text in ax.texts} == {"by lot", "noise", "random order", "plan's order"}
        assert ax.get_title("left") == f"the {arm} picks"


def test_a_study_that_was_not_replayed_has_no_figure(study: SyntheticStudy) -> None:
    with pytest.raises(FitError, match="Run `gpscale regret`"):
        plot_regret(dataclasses.replace(study, regret=None))
