"""The trial table: what a notebook shows, and that it stays a DataFrame."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from gpscale.study import Study
from gpscale.trial_table import MOST_ROWS, TrialTable


def cells(page: str) -> list[str]:
    return re.findall(r"<td>(.*?)</td>", page)


def header(page: str) -> list[str]:
    return re.findall(r"<th>([a-z_0-9]+)</th>", page.split("</thead>")[0])


def test_accuracies_are_percent_and_macs_are_millions(fitted: Study) -> None:
    row = fitted.finished.iloc[:1]
    shown = dict(zip(header(row._repr_html_()), cells(row._repr_html_()), strict=True))
    trial = row.iloc[0]
    assert shown["top1"] == f"{trial.top1:.1%}"
    assert shown["macs"] == f"{trial.macs / 1e6:.1f}M"
    assert shown["c"] == f"{trial.c:.3f}"
    assert shown["id"] == trial.id[:8]


def test_the_reason_of_a_failure_is_shown_where_there_is_one(fitted: Study) -> None:
    assert "reason" in header(fitted.trials._repr_html_())
    assert "reason" not in header(fitted.finished._repr_html_())


def test_a_failed_trial_has_empty_cells(fitted: Study) -> None:
    failed = fitted.trials[fitted.trials["state"] == "failed"].iloc[:1]
    shown = dict(zip(header(failed._repr_html_()), cells(failed._repr_html_()), strict=True))
    assert shown["top1"] == shown["epochs"] == ""
    assert shown["reason"] == "diverged"


def test_text_cannot_become_markup() -> None:
    table = TrialTable({"id": ["0123456789"], "detail": ["<script>"]})
    assert cells(table._repr_html_()) == ["01234567", "&lt;script&gt;"]


def test_a_long_table_shows_its_beginning_and_end_and_says_how_long_it_is(fitted: Study) -> None:
    page = fitted.trials._repr_html_()
    assert f"{len(fitted.trials)} rows" in page
    assert page.count("<tr>") <= MOST_ROWS + 1
    assert fitted.trials["id"].iloc[0][:8] in page
    assert fitted.trials["id"].iloc[-1][:8] in page


def test_an_empty_table_shows_its_columns(fitted: Study) -> None:
    assert header(fitted.trials.iloc[:0]._repr_html_()) == list(fitted.trials.columns)


@pytest.mark.parametrize("part", ["trials", "finished", "pareto"])
def test_all_trial_tables_of_a_study_are_shown_so(part: str, fitted: Study) -> None:
    assert isinstance(getattr(fitted, part), TrialTable)
    assert isinstance(getattr(fitted, part).nlargest(3, "top1"), TrialTable)


def test_the_values_are_those_of_a_dataframe(fitted: Study) -> None:
    pd.testing.assert_frame_equal(fitted.trials, pd.DataFrame(fitted.trials), check_frame_type=False)
    assert 0 < fitted.finished["top1"].max() < 1


def test_a_summary_of_trials_is_shown_as_pandas_shows_it(fitted: Study) -> None:
    counts = fitted.trials.groupby("state").count()
    assert cells(counts._repr_html_()) == cells(pd.DataFrame(counts)._repr_html_())
    correlations = fitted.finished[["c", "top1"]].corr()
    assert correlations._repr_html_() == pd.DataFrame(correlations)._repr_html_()
