from __future__ import annotations

from typing import Any

import pytest

from gpscale.errors import SweepFileError
from gpscale.sweep import SweepConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pixel_step": 8}, "`pixel_step` is no setting. Known: band, base.*Did you mean `space.pixel_step`?"),
        ({"epochs": 8}, "`epochs`.*Did you mean `recipe.epochs`?"),
        ({"epoch": 8}, "`epoch`.*Did you mean `recipe.epochs`?"),
        ({"factor": "width"}, "`factor`.*Did you mean `sampler.factor`?"),
        ({"data": {"seed": 1}}, "`data.seed`.*Known: download.*Did you mean `seed` or `fit.seed`?"),
        ({"band": {"width": 1}}, "`band.width`.*Known: high, low. Did you mean `space.width`?"),
        ({"magnitude": 3}, "Did you mean `recipe.randaugment.magnitude`?"),
    ],
)
def test_a_key_that_another_section_has_is_named_with_its_section(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SweepFileError, match=message.replace("?", r"\?$")):
        SweepConfig.from_values({"base": "mobilevitv2_050@64", **values})


def test_a_key_that_many_sections_have_is_named_with_the_nearest_three() -> None:
    with pytest.raises(SweepFileError, match=r"mean `band\.low` or `space\.resolution\.low` or `space\.ir_depth\.low`"):
        SweepConfig.from_values({"base": "mobilevitv2_050@64", "low": 0.5})


def test_a_key_that_is_nearly_right_where_it_stands_is_not_looked_for_elsewhere() -> None:
    with pytest.raises(SweepFileError, match="`data.sauce` is no setting.*Did you mean 'source'"):
        SweepConfig.from_values({"base": "mobilevitv2_050@64", "data": {"sauce": "digits"}})


def test_a_key_like_no_other_gets_no_hint() -> None:
    with pytest.raises(SweepFileError) as caught:
        SweepConfig.from_values({"base": "mobilevitv2_050@64", "xyzzy": 1})
    assert "Did you mean" not in str(caught.value)
