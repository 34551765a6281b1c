"""MobileViTV2: timm's models at the stock widths, and an exact count everywhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import timm
import torch

from gpscale import families
from gpscale.counting import count_module
from gpscale.errors import PretrainedError
from gpscale.factors import Factors
from gpscale.families.mobilevitv2 import STOCK_MULTIPLIERS, MobileViTV2, MobileViTV2Architecture

FAMILY = MobileViTV2()
STOCK_NAMES = [f"mobilevitv2_{round(100 * multiplier):03d}" for multiplier in STOCK_MULTIPLIERS]
BATCHES, PER_BATCH = 6, 40


def random_architecture(generator: np.random.Generator) -> MobileViTV2Architecture:
    """Every integer on its own: stages that no factor could give, channels that shrink, maps of one pixel."""
    deep = generator.random() < 0.1
    most = 6 if deep else 2
    row = [
        generator.integers(1, 400),
        *(8 * generator.integers(1, 130 if generator.random() < 0.2 else 30, size=6)),
        *generator.integers(1, most + 1, size=5),
        *generator.integers(1, most + 1, size=3),
    ]
    return FAMILY.architecture(np.array(row, dtype=np.int64))


@pytest.fixture
def norms_pass_through(monkeypatch: pytest.MonkeyPatch) -> None:
    # on the meta device most of the time goes into the shapes of normalisations, which keep theirs and have no MACs;
    # tests/contracts/test_families.py counts with them
    for norm in ("batch_norm", "group_norm"):
        monkeypatch.setattr(torch.nn.functional, norm, lambda x, *_, **__: x)


@pytest.mark.usefixtures("norms_pass_through")
@pytest.mark.parametrize("batch", range(BATCHES))
def test_closed_form_equals_the_flop_counter_on_arbitrary_integers(batch: int) -> None:
    generator = np.random.default_rng(batch)
    for _ in range(PER_BATCH):
        architecture = random_architecture(generator)
        classes = int(generator.choice([1, 2, 10, 100, 1000, 21_843]))
        size = (architecture.pixels, architecture.pixels)
        if generator.random() < 0.5:
            size = (int(generator.integers(1, 400)), int(generator.integers(1, 400)))
        with torch.device("meta"):
            model = FAMILY.build(architecture, classes)
        macs, params = FAMILY.count(FAMILY.row(architecture)[None], classes, size)
        assert (int(macs[0]), int(params[0])) == count_module(model, size), (architecture, classes, size)


@pytest.mark.parametrize(
    ("pixels", "size"),
    [(1, None), (2, None), (31, None), (33, None), (97, None), (64, (64, 64)), (64, (97, 33)), (128, (224, 448))],
)
@pytest.mark.parametrize("channels", [8, 24, 1024])
def test_closed_form_holds_at_the_extremes(pixels: int, size: tuple[int, int] | None, channels: int) -> None:
    architecture = MobileViTV2Architecture(pixels, channels, (channels,) * 5, (1, 1, 1, 1, 1), (1, 1, 1))
    with torch.device("meta"):
        model = FAMILY.build(architecture, 3)
    macs, params = FAMILY.count(FAMILY.row(architecture)[None], 3, size)
    assert (int(macs[0]), int(params[0])) == count_module(model, size or (pixels, pixels))


@pytest.mark.parametrize("name", STOCK_NAMES)
def test_a_stock_width_is_the_timm_model(name: str) -> None:
    torch.manual_seed(0)
    theirs = timm.create_model(name, pretrained=False, num_classes=10).eval()
    ours = FAMILY.build(families.parse_base(f"{name}@64").architecture, 10).eval()
    weights = theirs.state_dict()
    assert [(key, value.shape) for key, value in ours.state_dict().items()] == [
        (key, value.shape) for key, value in weights.items()
    ]
    ours.load_state_dict(weights)
    for height, width in ((64, 64), (75, 75), (64, 97)):
        images = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(height + width))
        with torch.inference_mode():
            expected, got = theirs(images), ours(images)
        assert expected.std() > 0
        assert torch.equal(got, expected)


def test_training_mode_gives_the_gradients_of_the_timm_model() -> None:
    torch.manual_seed(0)
    theirs = timm.create_model("mobilevitv2_050", pretrained=False, num_classes=10).train()
    ours = FAMILY.build(families.parse_base("mobilevitv2_050@64").architecture, 10).train()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    for model in (theirs, ours):
        model(images).square().sum().backward()
    expected = {key: value.grad for key, value in theirs.named_parameters()}
    assert all(torch.equal(value.grad, expected[key]) for key, value in ours.named_parameters())


def test_a_narrow_base_has_the_width_that_its_name_says() -> None:
    architecture = families.parse_base("mobilevitv2_037@48").architecture
    # 0.37 x (32, 64, 128, 256, 384, 512) = 11.84, 23.68, 47.36, 94.72, 142.08, 189.44
    assert architecture == MobileViTV2Architecture(48, 16, (24, 48, 96, 144, 192), (1, 2, 1, 1, 1), (2, 4, 3))


def test_realised_width_leaves_the_stem_out() -> None:
    base = families.parse_base("mobilevitv2_100@64")
    row = FAMILY.row(base.architecture).copy()
    row[1] = 8
    assert FAMILY.realised(base, row[None])[0].tolist() == [1.0, 1.0, 1.0, 1.0]
    row[2] += 64
    assert FAMILY.realised(base, row[None])[0, 3] == (64 + 64 + 128 + 256 + 384 + 512) / (64 + 128 + 256 + 384 + 512)


def test_only_the_first_block_of_a_stage_has_the_stride() -> None:
    base = families.parse_base("mobilevitv2_050@64")
    row = families.requested_row(base, Factors(ir_depth=2.0), 16)
    model = FAMILY.build(FAMILY.architecture(row), 10)
    strides = [module.stride for module in model.modules() if isinstance(module, torch.nn.Conv2d) and module.groups > 1]
    assert strides.count((2, 2)) == 4
    # and the blocks that are added come before the attention of their stage
    kinds = [type(block).__name__ for block in model.stages[2]]
    assert kinds == ["BottleneckBlock", "BottleneckBlock", "MobileVitV2Block"]


def test_pretrained_takes_the_weights_that_timm_has_for_the_stock_name(monkeypatch: pytest.MonkeyPatch) -> None:
    create_model, asked = timm.create_model, []

    def offline(name: str, *, pretrained: bool, num_classes: int) -> Any:
        asked.append((name, pretrained, num_classes))
        torch.manual_seed(7)
        return create_model(name, pretrained=False, num_classes=num_classes)

    monkeypatch.setattr(timm, "create_model", offline)
    ours = FAMILY.build(families.parse_base("mobilevitv2_075@96").architecture, 5, pretrained=True)
    assert asked == [("mobilevitv2_075", True, 5)]
    torch.manual_seed(7)
    theirs = create_model("mobilevitv2_075", pretrained=False, num_classes=5).state_dict()
    assert all(torch.equal(value, theirs[key]) for key, value in ours.state_dict().items())


@pytest.mark.parametrize(
    "changed",
    [
        {"stem": 24},
        {"channels": (32, 64, 128, 192, 264)},
        {"ir_blocks": (1, 2, 1, 1, 2)},
        {"vit_layers": (2, 4, 2)},
    ],
)
def test_pretrained_weights_of_an_architecture_that_is_not_stock_are_refused(changed: dict[str, Any]) -> None:
    stock = families.parse_base("mobilevitv2_050@64").architecture.to_dict()
    with pytest.raises(PretrainedError, match="stock widths and depths only"):
        FAMILY.build(FAMILY.architecture_from_dict({**stock, **changed}), 1000, pretrained=True)


@pytest.mark.parametrize("error", [FileNotFoundError("not in the cache"), RuntimeError("No pretrained weights")])
def test_pretrained_weights_that_cannot_be_had_give_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(PretrainedError, match=r"mobilevitv2_050.*pretrained=False"):
        FAMILY.build(families.parse_base("mobilevitv2_050@64").architecture, 1000, pretrained=True)
