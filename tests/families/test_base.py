"""Names of models and bases."""

from __future__ import annotations

import pytest

from gpscale import families
from gpscale.errors import GpscaleError, UnknownNameError
from gpscale.factors import Factors


def test_a_model_name_gives_its_height_and_width() -> None:
    base, size = families.parse_model("mobilevitv2_100@224x448")
    assert (base.name, size) == ("mobilevitv2_100@224", (224, 448))
    assert families.parse_model("mobilevitv2_100@224")[1] == (224, 224)


@pytest.mark.parametrize(
    "name",
    [
        "mobilevitv2_100",
        "mobilevitv2_100@",
        "mobilevitv2_100@0",
        "mobilevitv2_100@-64",
        "mobilevitv2_100@64.5",
        "mobilevitv2_100@64x",
        "mobilevitv2_100@64x64x64",
        "mobilevitv2_000@64",
        "mobilevitv2_1@64",
        "mobilevitv3_100@64",
        "@64",
        "",
        "mobilevitv2_100@\N{ARABIC-INDIC DIGIT SIX}4",
    ],
)
def test_a_name_that_is_no_model_is_refused(name: str) -> None:
    with pytest.raises(UnknownNameError, match="NAME@PIXELS"):
        families.parse_base(name)


def test_a_misspelt_model_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match=r"Did you mean 'mobilevitv2_050@64'\?"):
        families.parse_base("mobilevit2_050@64")


def test_a_base_must_be_square_and_the_error_shows_one_that_is() -> None:
    with pytest.raises(UnknownNameError, match="'mobilevitv2_200@224'"):
        families.parse_base("mobilevitv2_200@224x448")
    assert families.parse_base("mobilevitv2_200@224x224").architecture.pixels == 224


def test_an_unknown_family_names_the_known_ones() -> None:
    with pytest.raises(GpscaleError, match="mobilevitv2"):
        families.get("mobilevit2")


def test_requested_factors_become_integers_by_the_rounding_of_the_family() -> None:
    base = families.parse_base("mobilevitv2_100@128")
    row = families.requested_row(base, Factors(resolution=1.1, ir_depth=1.3, vit_depth=0.9, width=0.7), 32)
    # 140.8 px -> 128; 7.8 blocks -> 8; 8.1 layers -> 8; 22.4, 44.8, 89.6, 179.2, 268.8, 358.4 channels
    assert row.tolist() == [128, 24, 48, 88, 176, 272, 360, 1, 3, 1, 1, 2, 2, 3, 3]
