"""The families that are made of timm's parts give timm's models where it has them."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch

from gpscale import families
from gpscale.counting import count_module
from gpscale.errors import ImageSizeError, PretrainedError, UnknownNameError
from gpscale.factors import Factors
from gpscale.families.efficientvit_msra import window_size

OF_TIMM = {
    name: family.weights for name in families.names() if (family := families.get(name)) and hasattr(family, "weights")
}
NAMES = [model for models in OF_TIMM.values() for model in models]
FIRST = [models[0] for models in OF_TIMM.values() if models]


def base_of(model: str) -> families.Base:
    return families.parse_base(f"{model}@{256 if 'fastvit' in model or 'mobilevit' in model else 224}")


@pytest.mark.parametrize("name", NAMES)
def test_a_published_model_has_the_parameters_of_timm(name: str) -> None:
    base = base_of(name)
    with torch.device("meta"):
        theirs = timm.create_model(name, pretrained=False, num_classes=10)
        ours = families.get(base.family).build(base.architecture, 10)
    assert {key: value.shape for key, value in ours.state_dict().items()} == {
        key: value.shape for key, value in theirs.state_dict().items()
    }


@pytest.mark.parametrize("name", FIRST)
def test_a_published_model_gives_the_outputs_of_timm(name: str) -> None:
    base = base_of(name)
    torch.manual_seed(0)
    theirs = timm.create_model(name, pretrained=False, num_classes=10).eval()
    ours = families.get(base.family).build(base.architecture, 10).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(1, 3, base.architecture.pixels, base.architecture.pixels)
    with torch.inference_mode():
        expected = theirs(images)
        assert expected.std() > 0
        assert torch.equal(ours(images), expected)


@pytest.mark.parametrize("name", FIRST)
def test_pretrained_takes_the_weights_that_timm_has(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    create_model, asked = timm.create_model, []

    def offline(model: str, *, pretrained: bool, num_classes: int) -> Any:
        asked.append((model, pretrained, num_classes))
        return create_model(model, pretrained=False, num_classes=num_classes)

    monkeypatch.setattr(timm, "create_model", offline)
    base = base_of(name)
    families.get(base.family).build(base.architecture, 5, pretrained=True)
    assert asked == [(name, True, 5)]


@pytest.mark.parametrize("name", ["efficientformer_l1", "efficientformerv2_s0", "efficientvit_m0"])
def test_weights_with_tables_of_positions_fit_their_own_pixels_alone(name: str) -> None:
    base = families.parse_base(f"{name}@256")
    with pytest.raises(PretrainedError, match=r"at 224 px.*pretrained=False"):
        families.get(base.family).build(base.architecture, 1000, pretrained=True)


def test_the_deployed_fastvit_gives_the_outputs_of_the_trained_one_with_fewer_parameters() -> None:
    family = families.get("fastvit")
    for name in ("fastvit_t8@64", "fastvit_sa12@64"):
        torch.manual_seed(0)
        trained = family.build(families.parse_base(name).architecture, 5)
        trained.train()(torch.randn(8, 3, 64, 64))  # so that its normalisations have something to fold
        deployed = family.inference_form(trained.eval()).eval()
        images = torch.randn(2, 3, 64, 64)
        with torch.inference_mode():
            assert torch.allclose(trained(images), deployed(images), atol=1e-4)
        assert count_module(deployed, (64, 64)) < count_module(trained, (64, 64))


@pytest.mark.parametrize("size", [(64, 64), (96, 32), (250, 33)])
def test_efficientformer_attends_at_any_size(size: tuple[int, int]) -> None:
    family = families.get("efficientformer")
    base = families.parse_base(f"efficientformer_ls_033@{size[0]}")
    model = family.build(base.architecture, 5, image_size=size).eval()
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, *size)).shape == (1, 5)


def test_windows_of_efficientvit_divide_the_map_where_they_can() -> None:
    assert [window_size(side) for side in range(1, 8)] == list(range(1, 8))
    for side in range(8, 60):
        window = window_size(side)
        assert 4 <= window <= 11
        if any(side % divisor == 0 for divisor in range(4, 12)):
            assert side % window == 0
        assert -side % window <= min(-side % other for other in range(4, 12))


def test_efficientvit_grows_with_its_pixels_where_fixed_windows_would_not() -> None:
    family = families.get("efficientvit_msra")
    sizes = [128, 160, 192, 224, 256, 288, 320]
    rows = [family.row(families.parse_base(f"efficientvit_m0@{pixels}").architecture) for pixels in sizes]
    counts = [int(family.count(row[None], 1000)[0][0]) for row in rows]
    assert counts == sorted(counts)


def test_the_head_of_mobilenetv2_is_not_narrowed() -> None:
    family, base = families.get("mobilenetv2"), families.parse_base("mobilenetv2_140@224")
    row = families.requested_row(base, Factors(width=0.3), 32)
    assert family.architecture(row).to_dict()["channels"][-1] == 1280


def test_a_deeper_mobilenetv3_repeats_its_last_block() -> None:
    family, base = families.get("mobilenetv3_large"), families.parse_base("mobilenetv3_large_100@224")
    architecture = family.architecture(families.requested_row(base, Factors(ir_depth=1.5), 32))
    stage = family.build(architecture, 5).blocks[3]  # type: ignore[index, union-attr]
    # 80 channels times 2.3, in multiples of 8; the published blocks have 6 (of 40), 2.5, 2.3 and 2.3
    assert [block.conv_pw.out_channels for block in stage][:3] == [240, 200, 184]  # type: ignore[union-attr]
    assert {block.conv_pw.out_channels for block in list(stage)[3:]} == {184}  # type: ignore[arg-type, union-attr]
    assert len(stage) > 4  # type: ignore[arg-type]


@pytest.mark.parametrize("model", ["efficientformerv2_s0", "fastvit_sa12", "efficientvit_mit_100"])
def test_the_two_depths_move_their_own_blocks(model: str) -> None:
    base = families.parse_base(f"{model}@256")
    family = families.get(base.family)
    own = family.architecture(family.row(base.architecture)).to_dict()
    deep = family.architecture(families.requested_row(base, Factors(vit_depth=2.0), 32)).to_dict()
    assert sum(deep["vit_blocks"]) == 2 * sum(own["vit_blocks"])
    assert deep["ir_blocks"] == own["ir_blocks"]


@pytest.mark.parametrize(
    "name",
    ["efficientvit_m6@224", "mobilenetv2@224", "mobilenetv2_000@224", "efficientformer_ls_000@224", "edgevit_m@224"],
)
def test_a_name_that_no_family_has_is_refused_with_the_nearest(name: str) -> None:
    with pytest.raises(LookupError, match="Did you mean"):
        families.parse_base(name)


def test_a_size_that_a_family_cannot_take_is_neither_counted_nor_built() -> None:
    family, base = families.get("edgevit"), families.parse_base("edgevit_xxs@64")
    with pytest.raises(ImageSizeError, match="Got 65. Take 64 or 96"):
        family.count(family.row(base.architecture)[None], 10, (64, 65))
    with pytest.raises(ImageSizeError, match="Got 65"):
        family.build(base.architecture, 10, image_size=(65, 64))


def test_an_architecture_of_no_published_model_is_refused() -> None:
    family = families.get("edgevit")
    values = families.parse_base("edgevit_xxs@64").architecture.to_dict()
    with pytest.raises(UnknownNameError, match="model of edgevit 'edgevit_xx'.*Did you mean 'edgevit_xxs'"):
        family.row(family.architecture_from_dict({**values, "model": "edgevit_xx"}))
