"""Models by their names: of our families, and any of timm's."""

from __future__ import annotations

import pytest
import torch

from gpscale.counting import count_module
from gpscale.errors import ImageSizeError, UnknownNameError
from gpscale.families.named import find_model


@pytest.mark.parametrize(
    ("text", "name", "size"),
    [
        ("edgevit_xxs", "edgevit_xxs@224", (224, 224)),
        ("mobilevitv2_110", "mobilevitv2_110@256", (256, 256)),
        ("fastvit_t8@64x96", "fastvit_t8@64x96", (64, 96)),
        ("mobilenetv2_100@96x96", "mobilenetv2_100@96", (96, 96)),
        ("timm:resnet18", "timm:resnet18@224", (224, 224)),
        ("timm:test_vit", "timm:test_vit@160", (160, 160)),
        ("timm:resnet18@64X96", "timm:resnet18@64x96", (64, 96)),
    ],
)
def test_a_name_without_a_size_has_the_published_one(text: str, name: str, size: tuple[int, int]) -> None:
    model = find_model(text)
    assert (model.name, model.image_size) == (name, size)


@pytest.mark.parametrize("text", ["fastvit_t8@64", "mobilenetv3_small_050@32x64", "timm:test_resnet@64x32"])
def test_the_count_is_that_of_the_form_that_is_deployed(text: str) -> None:
    model = find_model(text)
    deployed = model.inference_form(model.build(5).eval())
    assert model.count(5) == count_module(deployed, model.image_size)
    with torch.inference_mode():
        assert deployed(torch.zeros(1, 3, *model.image_size)).shape == (1, 5)


def test_a_model_of_timm_counts_as_the_same_model_of_a_family() -> None:
    assert find_model("timm:mobilevitv2_050@64").count(10) == find_model("mobilevitv2_050@64").count(10)
    assert find_model("timm:fastvit_t8@64").count(10) == find_model("fastvit_t8@64").count(10)


def test_a_model_of_timm_with_a_table_of_positions_is_built_for_its_size() -> None:
    small, large = find_model("timm:test_vit@160").count(10), find_model("timm:test_vit@192x160").count(10)
    assert large[0] > small[0]
    assert large[1] > small[1]


def test_an_unknown_model_of_timm_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown model 'resnet5' of timm .*Nearest: resnet50"):
        find_model("timm:resnet5")
    with pytest.raises(UnknownNameError, match="Look for it at"):
        find_model("timm:@224")


@pytest.mark.parametrize("size", ["", "0", "-1", "a", "1x2x3", "64x"])
def test_a_size_that_is_none_is_refused(size: str) -> None:
    with pytest.raises(UnknownNameError, match="timm:resnet18@224"):
        find_model(f"timm:resnet18@{size}")


def test_a_size_that_a_model_of_timm_cannot_take_is_refused_with_its_own() -> None:
    with pytest.raises(ImageSizeError, match=r"images of 100 x 100 px.*its own, 224 px"):
        find_model("timm:efficientformer_l1@100").count(10)


def test_a_model_of_no_family_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown model 'edgevit_xxx'.*Did you mean 'edgevit_xxs@224'"):
        find_model("edgevit_xxx")
