"""The staircases: what a step of each factor costs."""

from __future__ import annotations

import numpy as np
import pytest

from gpscale import families
from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES, PAPER_BOUNDS, Bounds
from gpscale.plotting import plot_staircases, staircases_data
from gpscale.search_space import SearchSpace
from tests.plotting.conftest import BASE, SyntheticStudy


def test_every_level_of_a_factor_is_a_step_with_its_exact_macs(study: SyntheticStudy) -> None:
    table = staircases_data(study)
    family = families.get("mobilevitv2")
    for name, steps in table.groupby("factor"):
        levels = np.unique(study.space.factors[:, FACTOR_NAMES.index(str(name))])
        np.testing.assert_allclose(steps["value"], levels)
    for row in table.query("factor == 'resolution'").itertuples():
        own = families.parse_base(f"mobilevitv2_050@{row.pixels}")
        assert row.macs == family.count(family.row(own.architecture)[None], 10)[0][0]
        assert row.c == pytest.approx(row.macs / study.base.macs)


def test_a_step_is_what_its_level_costs_over_the_one_before(study: SyntheticStudy) -> None:
    steps = staircases_data(study).query("factor == 'width'")
    assert np.isnan(steps["step"].iloc[0])
    np.testing.assert_allclose(steps["step"].iloc[1:], steps["macs"].to_numpy()[1:] / steps["macs"].to_numpy()[:-1])


def test_a_panel_a_factor_with_the_base_at_one(study: SyntheticStudy) -> None:
    panels = plot_staircases(study).axes
    assert len(panels) == 4
    for ax in panels:
        (base,) = [line for line in ax.lines if line.get_marker() == "^"]
        assert (base.get_xdata(), base.get_ydata()) == ([1.0], [1.0])
    assert len([ax for ax in panels if any(line.get_linestyle() == ":" for line in ax.lines)]) == 2


def test_a_factor_whose_others_exclude_the_base_says_so(study: SyntheticStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SyntheticStudy, "space", SearchSpace.enumerate(BASE, PAPER_BOUNDS, num_classes=10))
    assert set(staircases_data(study)["factor"]) == {"ir_depth"}
    said = [text.get_text() for ax in plot_staircases(study).axes for text in ax.texts]
    assert said == ["the space excludes\nthe base here"] * 3


def test_a_space_far_from_the_base_is_refused(study: SyntheticStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = Bounds.from_dict({**Bounds().to_dict(), "resolution": (1.25, 2.0), "width": (0.4, 0.9)})
    monkeypatch.setattr(SyntheticStudy, "space", SearchSpace.enumerate(BASE, bounds, num_classes=10))
    with pytest.raises(FitError, match="excludes it in several factors"):
        staircases_data(study)
