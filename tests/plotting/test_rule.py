"""The rule's figure: the table behind it, and where it says that it extrapolates."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES
from gpscale.plotting import plot_rule, rule_data
from gpscale.plotting.look import BLUE
from tests.plotting.conftest import SyntheticStudy


def test_the_table_is_what_the_rule_predicts(study: SyntheticStudy) -> None:
    table = rule_data(study)
    for column, name in enumerate(FACTOR_NAMES):
        rows = table[(table["kind"] == "rule") & (table["factor"] == name)]
        found = study.rule.predict(rows["c"])
        for key, expected in (("value", found.factors), ("low", found.low), ("high", found.high)):
            np.testing.assert_allclose(rows[key], expected[:, column])
        np.testing.assert_allclose(rows["macs"], rows["c"] * study.base.macs)


def test_the_table_holds_the_realised_factors_of_the_pareto_set(study: SyntheticStudy) -> None:
    table = rule_data(study)
    members = table[(table["kind"] == "point") & (table["factor"] == "width")]
    np.testing.assert_array_equal(members["value"], study.rule.points_factors[:, 3])
    assert len(members) == len(study.facts["pareto"]["survivors"])


def test_what_lies_beyond_the_pareto_set_is_extrapolated_and_nothing_else(study: SyntheticStudy) -> None:
    rule = rule_data(study).query("kind == 'rule'")
    low, high = study.rule.fitted_range
    tolerance = 1e-6
    outside = (rule["c"] < low * (1 - tolerance)) | (rule["c"] > high * (1 + tolerance))
    assert outside.any()
    np.testing.assert_array_equal(rule["extrapolated"], outside)


def test_the_rule_is_solid_over_the_pareto_set_and_dashed_beyond(study: SyntheticStudy) -> None:
    low, high = (c * study.base.macs / 1e6 for c in study.rule.fitted_range)
    for ax in plot_rule(study).axes:
        rule = [line for line in ax.lines if line.get_color() == BLUE]
        (solid,) = [line.get_xdata() for line in rule if line.get_linestyle() == "-"]
        assert (solid[0], solid[-1]) == pytest.approx((low, high), rel=1e-6)
        dashed = [line.get_xdata() for line in rule if line.get_linestyle() == "--"]
        assert dashed
        assert all(x[0] == pytest.approx(high, rel=1e-6) or x[-1] == pytest.approx(low, rel=1e-6) for x in dashed)


def test_the_caption_says_what_the_band_is(study: SyntheticStudy) -> None:
    said = plot_rule(study).get_suptitle().replace("\n", " ")
    assert "95 % band, within the search space: GP and bootstrap over trials" in said
    low, high = study.rule.c_range
    short = dataclasses.replace(study.rule, bootstrap=0, fitted_range=np.array([1.3 * low, high]))
    plain = dataclasses.replace(study, fitted_rule=short)
    said = plot_rule(plain).get_suptitle().replace("\n", " ")
    assert "95 % band, within the search space: GP; " in said
    assert said.endswith("dashed: extrapolated")


def test_extrapolation_too_short_to_be_seen_is_not_in_the_caption(study: SyntheticStudy) -> None:
    low, high = study.rule.c_range
    short = dataclasses.replace(study.rule, fitted_range=np.array([low * 1.01, high]))
    shown = dataclasses.replace(study, fitted_rule=short)
    assert rule_data(shown)["extrapolated"].any()
    assert "extrapolated" not in plot_rule(shown).get_suptitle()


def test_no_band_leaves_the_search_space_and_its_ends_are_drawn(study: SyntheticStudy) -> None:
    wide = dataclasses.replace(study.rule, log_std=np.full_like(study.rule.log_std, 3.0))
    figure = plot_rule(dataclasses.replace(study, fitted_rule=wide))
    for ax, name in zip(figure.axes, FACTOR_NAMES, strict=True):
        levels = study.space.levels[name].factors
        bands = np.concatenate([np.concatenate(path.vertices) for part in ax.collections for path in part.get_paths()])
        heights = bands.reshape(-1, 2)[:, 1]
        assert (heights.min(), heights.max()) == pytest.approx((levels.min(), levels.max()))
        ends = [line for line in ax.lines if line.get_linestyle() == ":"]
        drawn = [float(np.asarray(line.get_ydata(), dtype=float)[0]) for line in ends]
        assert drawn == pytest.approx([levels.min(), levels.max()])
    assert "dotted: where the space ends" in figure.get_suptitle().replace("\n", " ")


@pytest.mark.parametrize("columns", [1, 2])
def test_every_factor_has_a_panel_with_the_base_inside(study: SyntheticStudy, columns: int) -> None:
    panels = plot_rule(study, columns=columns).axes
    assert len(panels) == 4
    assert all(ax.get_ylim()[0] < 1 < ax.get_ylim()[1] for ax in panels)
    assert all(ax.get_xscale() == ax.get_yscale() == "log" for ax in panels)


def test_a_study_without_a_rule_is_refused(line_study: SyntheticStudy) -> None:
    with pytest.raises(FitError, match="holds MACs fixed"):
        plot_rule(line_study)
