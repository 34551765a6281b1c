"""The front: what its table says, and what is drawn of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from matplotlib.figure import Figure

from gpscale import rules
from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES, PAPER_BOUNDS
from gpscale.plotting import front_data, plot_front
from gpscale.search_space import SearchSpace
from tests.plotting.conftest import BASE, SyntheticStudy


def test_the_table_has_every_finished_trial_ordered_by_macs(study: SyntheticStudy) -> None:
    table = front_data(study).query("kind == 'trial'")
    assert sorted(table["id"]) == sorted(study.finished["id"])
    assert table["macs"].is_monotonic_increasing
    assert table["top1"].between(0, 1).all()


def test_rank_one_of_the_table_is_what_no_trial_dominates(study: SyntheticStudy) -> None:
    table = front_data(study).query("kind == 'trial'")
    for row in table.itertuples():
        cheaper_and_better = (table["macs"] <= row.macs) & (table["top1"] >= row.top1) & (table["id"] != row.id)
        assert (row.rank == 1) == (not cheaper_and_better.any())


def test_survivors_and_the_base_are_marked_in_the_table(study: SyntheticStudy) -> None:
    table = front_data(study).query("kind == 'trial'")
    assert set(table.loc[table["survivor"], "id"]) == set(study.facts["pareto"]["survivors"])
    assert table.loc[table["base"], "id"].tolist() == [f"{0:016x}"]


def test_the_step_line_never_falls_and_stays_below_no_trial(study: SyntheticStudy) -> None:
    (ax,) = plot_front(study).axes
    (steps,) = [line for line in ax.lines if line.get_drawstyle() == "steps-post"]
    x, y = np.asarray(steps.get_xdata(), dtype=float), np.asarray(steps.get_ydata(), dtype=float)
    assert (np.diff(y) >= 0).all()
    for macs, top1 in zip(study.finished["macs"] / 1e6, study.finished["top1"] * 100, strict=True):
        assert y[np.searchsorted(x, macs, side="right") - 1] >= top1 - 1e-9


def test_width_alone_is_predicted_by_the_surface_with_its_band(study: SyntheticStudy) -> None:
    rows = front_data(study).query("kind == 'width_only'")
    assert (rows[["resolution", "ir_depth", "vit_depth"]] == 1.0).all(axis=None)
    assert rows["width"].is_monotonic_increasing
    assert rows["macs"].between(study.finished["macs"].min(), study.finished["macs"].max()).all()
    found = study.joint_surface().predict(rows[list(FACTOR_NAMES)])
    np.testing.assert_allclose(rows["top1"], found.mean)
    np.testing.assert_allclose(rows["high"] - rows["low"], 2 * 1.959963984540054 * found.std)


def test_what_is_predicted_is_no_trial_and_no_member_of_the_front(study: SyntheticStudy) -> None:
    rows = front_data(study).query("kind != 'trial'")
    assert set(rows["kind"]) == {"rule", "width_only"}
    assert (rows["id"] == "").all()
    assert (rows["rank"] == 0).all()
    assert not rows["survivor"].any()


def test_the_rule_is_predicted_at_what_it_builds_and_never_repeats_an_architecture(study: SyntheticStudy) -> None:
    rows = front_data(study).query("kind == 'rule'")
    assert rows["macs"].is_monotonic_increasing
    assert not rows.duplicated(list(FACTOR_NAMES)).any()
    found = study.joint_surface().predict(rows[list(FACTOR_NAMES)])
    np.testing.assert_allclose(rows["top1"], found.mean)
    np.testing.assert_allclose(rows["high"] - rows["low"], 2 * 1.959963984540054 * found.std)
    at_most = int(study.rule.c_range[1] * study.base.macs)
    last = rules.pick(rules.get("rule"), rules.Ground(study.space, gp=study.rule), at_most)
    assert (rows[list(FACTOR_NAMES)] == last.built.factors).all(axis=1).any()


def test_a_study_without_a_rule_has_no_line_of_it(study: SyntheticStudy) -> None:
    facts = {**study.facts, "rule_missing": "too few points."}
    bare = dataclasses.replace(study, facts=facts, fitted_rule=None)
    assert set(front_data(bare)["kind"]) == {"trial", "width_only"}
    figure = plot_front(bare)
    assert not any("rule" in text.get_text() for text in figure.axes[0].texts)
    assert "rule" not in figure.get_suptitle()


def test_the_pareto_set_is_marked_only_where_the_rule_follows_it(study: SyntheticStudy) -> None:
    def labels(drawn: SyntheticStudy) -> str:
        return " ".join(text.get_text() for text in plot_front(drawn).axes[0].texts)

    assert study.rule.source == "trials"
    assert f"Pareto set ({len(study.facts['pareto']['survivors'])})" in labels(study)
    follows_surface = dataclasses.replace(study.rule, source="surface")
    assert "Pareto" not in labels(dataclasses.replace(study, fitted_rule=follows_surface))


def test_both_lines_are_labelled_as_predicted_and_the_bands_explained(study: SyntheticStudy) -> None:
    figure = plot_front(study)
    (ax,) = figure.axes
    assert {"rule, predicted", "width only, predicted"} < {text.get_text() for text in ax.texts}
    said = figure.get_suptitle().replace("\n", " ")
    assert (
        "predicted: what the rule builds (solid), width multiplier as it is (dashed); bands: 95 % of the surface"
        in said
    )


def test_the_caption_says_where_a_band_leaves_the_picture(study: SyntheticStudy) -> None:
    figure = plot_front(study)
    low, high = figure.axes[0].get_ylim()
    band = front_data(study).query("kind != 'trial'")[["low", "high"]] * 100
    assert band.min(axis=None) < low
    assert "of the surface, cut at the frame" in figure.get_suptitle().replace("\n", " ")
    roomy = plot_front(study, also=[band.min(axis=None) / 100, band.max(axis=None) / 100])
    low, high = roomy.axes[0].get_ylim()
    assert low <= band.min(axis=None) < band.max(axis=None) <= high
    assert "cut" not in roomy.get_suptitle()


def test_a_measured_trial_of_width_alone_is_a_square(study: SyntheticStudy) -> None:
    narrow = study.space.factors[(study.space.factors[:, :3] == 1).all(axis=1) & (study.space.c < 0.6)][-1]
    finished = study.finished.copy()
    finished.loc[3, list(FACTOR_NAMES)] = narrow
    figure = plot_front(dataclasses.replace(study, finished=finished))
    (squares,) = [line for line in figure.axes[0].lines if line.get_marker() == "s"]
    np.testing.assert_allclose(squares.get_xdata(), finished.loc[[3], "macs"] / 1e6)
    assert "square: width alone, measured" in figure.get_suptitle().replace("\n", " ")


def test_a_space_without_the_base_has_no_line_of_width_alone(
    study: SyntheticStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = SearchSpace.enumerate(BASE, PAPER_BOUNDS, num_classes=10)
    monkeypatch.setattr(SyntheticStudy, "space", elsewhere)
    assert set(front_data(study)["kind"]) == {"trial", "rule"}
    assert "width only" not in " ".join(text.get_text() for text in plot_front(study).axes[0].texts)


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
