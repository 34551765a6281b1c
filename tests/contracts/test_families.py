"""What every family must do; a new family is tested by being registered."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpscale import families
from gpscale.counting import count_module
from gpscale.errors import BudgetError, ImageSizeError, PretrainedError, UnknownNameError
from gpscale.factors import FACTOR_NAMES, Factors
from gpscale.families import Architecture, Base, Integers
from gpscale.families.scaling import PATHS
from gpscale.search_space import SearchSpace

FAMILIES = pytest.mark.parametrize("name", families.names())
EACH_FACTOR = pytest.mark.parametrize("factor", FACTOR_NAMES)


@functools.cache
def small_base(name: str) -> Base:
    """The stock base with the fewest MACs."""
    family = families.get(name)
    bases = [families.parse_base(stock) for stock in family.stock_bases]
    return min(bases, key=lambda base: int(family.count(family.row(base.architecture)[None], 10)[0][0]))


def legal_pixels(name: str, generator: np.random.Generator) -> int:
    """A side of an image that the family takes, odd ones too where it does."""
    return int(generator.choice([side for side in range(16, 300) if families.get(name).takes(side)]))


def random_rows(name: str, count: int, seed: int) -> list[Integers]:
    """Architectures from far beyond any default bounds, on odd pixel sizes too."""
    generator = np.random.default_rng(seed)
    family = families.get(name)
    rows = []
    for _ in range(count):
        stock = family.stock_bases[generator.integers(len(family.stock_bases))]
        base = families.parse_base(f"{stock.split('@')[0]}@{legal_pixels(name, generator)}")
        row = family.row(base.architecture).copy()
        for factor, (low, high) in zip(FACTOR_NAMES, ((0.3, 1.5), (0.2, 1.4), (0.2, 1.4), (0.1, 1.5)), strict=True):
            row[family.columns[factor]] = family.realise(base, factor, generator.uniform(low, high, 1), 1)[0]
        rows.append(row)
    return rows


@FAMILIES
@pytest.mark.parametrize("batch", range(2))
def test_closed_form_equals_the_flop_counter_to_the_unit(name: str, batch: int) -> None:
    family = families.get(name)
    generator = np.random.default_rng(100 + batch)
    for row in random_rows(name, 2, seed=batch):
        classes = int(generator.integers(1, 1500))
        architecture = family.architecture(row)
        pixels = architecture.pixels
        size = [None, (pixels, legal_pixels(name, generator))][int(generator.integers(2))]
        with torch.device("meta"):
            model = family.inference_form(family.build(architecture, classes, image_size=size))
        macs, params = family.count(row[None], classes, size)
        assert (int(macs[0]), int(params[0])) == count_module(model, size or (pixels, pixels)), (row, classes, size)


@FAMILIES
def test_a_built_model_has_the_counted_parameters_and_answers_with_the_classes(name: str) -> None:
    family, base = families.get(name), small_base(name)
    model = family.inference_form(family.build(base.architecture, 7)).eval()
    assert sum(p.numel() for p in model.parameters()) == family.count(family.row(base.architecture)[None], 7)[1][0]
    with torch.inference_mode():
        assert model(torch.zeros(2, 3, base.architecture.pixels, base.architecture.pixels)).shape == (2, 7)


@FAMILIES
def test_counting_many_architectures_gives_what_counting_each_gives(name: str) -> None:
    family = families.get(name)
    rows = np.stack(random_rows(name, 40, seed=1))
    singles = [[int(column[0]) for column in family.count(row[None], 10)] for row in rows]
    # more rows than any sensible block, and no multiple of one
    times = 20_011 // len(rows) + 1
    macs, params = family.count(np.tile(rows, (times, 1)), 10)
    assert macs.dtype == params.dtype == np.int64
    assert np.stack([macs, params], axis=1).tolist() == singles * times


@FAMILIES
def test_counting_no_architecture_gives_empty_arrays(name: str) -> None:
    width = len(random_rows(name, 1, seed=0)[0])
    macs, params = families.get(name).count(np.empty((0, width), dtype=np.int64), 10)
    assert macs.shape == params.shape == (0,)


@FAMILIES
def test_every_stock_base_parses_to_its_own_name(name: str) -> None:
    stock = families.get(name).stock_bases
    assert stock
    for text in stock:
        base = families.parse_base(text)
        assert (base.name, base.family) == (text, name)
        assert base.architecture.pixels == int(text.split("@")[1])


@FAMILIES
def test_a_name_of_another_family_is_not_parsed(name: str) -> None:
    assert families.get(name).parse("resnet50", 128) is None


@FAMILIES
def test_the_base_is_at_factors_one(name: str) -> None:
    family = families.get(name)
    for stock in family.stock_bases:
        base = families.parse_base(stock)
        own = family.row(base.architecture)
        assert family.realised(base, own[None]).tolist() == [[1.0, 1.0, 1.0, 1.0]]
        assert families.requested_row(base, Factors(), family.default_pixel_step(base)).tolist() == own.tolist()


@FAMILIES
def test_default_pixel_step_divides_the_base_pixels(name: str) -> None:
    family = families.get(name)
    model = family.stock_bases[0].split("@")[0]
    for pixels in filter(family.takes, (31, 64, 96, 130, 224, 256)):
        step = family.default_pixel_step(families.parse_base(f"{model}@{pixels}"))
        assert step >= 1
        assert pixels % step == 0


@FAMILIES
def test_columns_of_the_four_factors_do_not_overlap_and_the_others_say_what_kind_of_model_it_is(name: str) -> None:
    family = families.get(name)
    row = family.row(small_base(name).architecture)
    assert set(family.columns) == set(FACTOR_NAMES)
    taken = [index for part in family.columns.values() for index in range(len(row))[part]]
    assert len(set(taken)) == len(taken)
    for other in set(range(len(row))) - set(taken):
        kinds = {int(family.row(families.parse_base(stock).architecture)[other]) for stock in family.stock_bases}
        assert kinds == set(range(len(kinds)))


@FAMILIES
def test_rows_and_architectures_are_two_forms_of_one_thing(name: str) -> None:
    family = families.get(name)
    for row in random_rows(name, 50, seed=2):
        architecture = family.architecture(row)
        assert isinstance(architecture, Architecture)
        assert family.row(architecture).tolist() == row.tolist()
        assert family.row(architecture).dtype == np.int64
        again = family.architecture_from_dict(json.loads(json.dumps(architecture.to_dict())))
        assert again == architecture
        assert hash(again) == hash(architecture)


@FAMILIES
def test_an_architecture_cannot_be_changed(name: str) -> None:
    architecture = small_base(name).architecture
    with pytest.raises(dataclasses.FrozenInstanceError):
        architecture.pixels = 1  # type: ignore[misc]


@FAMILIES
@EACH_FACTOR
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_levels_are_ascending_distinct_and_inside_the_bounds(name: str, factor: str, data: st.DataObject) -> None:
    family, base = families.get(name), small_base(name)
    low = data.draw(st.floats(0.1, 2.0))
    high = data.draw(st.floats(low, 3.0))
    step = family.default_pixel_step(base)
    values = family.level_values(base, factor, low, high, step)
    assert np.all(np.diff(values) > 0)
    assert np.all((values >= low * (1 - 1e-9)) & (values <= high * (1 + 1e-9)))
    integers = family.realise(base, factor, values, step)
    assert integers.dtype == np.int64
    assert len(set(map(tuple, integers.tolist()))) == len(values)
    totals = integers.sum(axis=1)
    assert np.all(np.diff(totals) > 0), "a larger factor gives a larger model"


@FAMILIES
@EACH_FACTOR
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whatever_is_asked_for_inside_the_bounds_realises_to_a_level(
    name: str, factor: str, data: st.DataObject
) -> None:
    family, base = families.get(name), small_base(name)
    low = data.draw(st.floats(0.1, 2.0))
    high = data.draw(st.floats(low, 3.0))
    value = data.draw(st.floats(low, high))
    step = family.default_pixel_step(base)
    levels = family.realise(base, factor, family.level_values(base, factor, low, high, step), step).tolist()
    got = family.realise(base, factor, np.array([value]), step)
    row = family.row(base.architecture).copy()
    row[family.columns[factor]] = got[0]
    realised = family.realised(base, row[None])[0, FACTOR_NAMES.index(factor)]
    # rounding may lead out of the bounds, for example to a pixel size below the lowest
    assert got[0].tolist() in levels or not low * (1 + 1e-9) <= realised <= high * (1 - 1e-9)


@FAMILIES
def test_pretrained_weights_of_an_architecture_that_has_none_are_refused(name: str) -> None:
    family, base = families.get(name), small_base(name)
    row = families.requested_row(base, Factors(ir_depth=2.0, vit_depth=2.0, width=1.3), family.default_pixel_step(base))
    with pytest.raises(PretrainedError, match="pretrained=False"):
        family.build(family.architecture(row), 1000, pretrained=True)


@FAMILIES
def test_the_macs_of_the_two_depths_add_up(name: str) -> None:
    family = families.get(name)
    ir, vit = family.columns["ir_depth"], family.columns["vit_depth"]
    for one, other in itertools.pairwise(random_rows(name, 60, seed=3)):
        deeper_ir, deeper_vit, deeper_both = one.copy(), one.copy(), one.copy()
        deeper_ir[ir] = deeper_both[ir] = other[ir]
        deeper_vit[vit] = deeper_both[vit] = other[vit]
        macs = family.count(np.stack([one, deeper_ir, deeper_vit, deeper_both]), 10)[0]
        assert macs[3] - macs[2] == macs[1] - macs[0]


@FAMILIES
def test_every_member_of_a_search_space_has_its_own_count(name: str) -> None:
    family, base = families.get(name), small_base(name)
    space = SearchSpace.enumerate(base, num_classes=10)
    some = space.take(np.linspace(0, len(space) - 1, 200).astype(np.int64))
    assert family.count(some.integers, 10)[0].tolist() == some.macs.tolist()
    assert len(np.unique(space.integers, axis=0)) == len(space)
    assert (space.integers == family.row(base.architecture)).all(axis=1).sum() == 1


@FAMILIES
@EACH_FACTOR
def test_a_factor_that_a_base_lacks_has_one_level_whatever_the_bounds(name: str, factor: str) -> None:
    family = families.get(name)
    for stock in family.stock_bases:
        base = families.parse_base(stock)
        if family.row(base.architecture)[family.columns[factor]].sum() == 0:
            for low, high in ((0.5, 2.0), (1.3, 2.3), (0.1, 0.2)):
                values = family.level_values(base, factor, low, high, family.default_pixel_step(base))
                assert len(values) == 1
                assert not family.realise(base, factor, values, 1).any()


@FAMILIES
def test_a_training_step_reaches_every_parameter(name: str) -> None:
    family = families.get(name)
    base = families.parse_base(f"{small_base(name).name.split('@')[0]}@64")
    model = family.build(base.architecture, 3).train()
    logits = model(torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 2])).backward()
    assert [key for key, value in model.named_parameters() if value.grad is None] == []
    assert all(bool(value.grad.isfinite().all()) for value in model.parameters() if value.grad is not None)


@FAMILIES
@pytest.mark.parametrize("size", [(128, 128), (64, 192)])
def test_feature_maps_have_the_sizes_of_their_strides(name: str, size: tuple[int, int]) -> None:
    family = families.get(name)
    assert family.feature_strides
    assert set(family.feature_strides) <= {4, 8, 16, 32}
    base = families.parse_base(f"{small_base(name).name.split('@')[0]}@{size[0]}")
    with torch.device("meta"):
        maps = family.feature_maps(family.build(base.architecture, 3, image_size=size).eval(), torch.zeros(1, 3, *size))
    assert tuple(maps) == family.feature_strides
    for stride, one in maps.items():
        assert (one.shape[0], *one.shape[2:]) == (1, size[0] // stride, size[1] // stride)


@FAMILIES
def test_a_size_that_a_family_cannot_take_is_refused_with_one_that_it_can(name: str) -> None:
    family = families.get(name)
    model = small_base(name).name.split("@")[0]
    for side in (1, 30, 33, 100, 225):
        if family.takes(side):
            assert families.parse_base(f"{model}@{side}").architecture.pixels == side
        else:
            for text in (f"{model}@{side}", f"{model}@{side}x64", f"{model}@64x{side}"):
                with pytest.raises(ImageSizeError, match=f"Got {side}. Take [0-9]+") as caught:
                    families.parse_model(text)
                offered = re.findall("[0-9]+", str(caught.value).partition("Take ")[2])
                assert offered
                assert all(family.takes(int(pixels)) for pixels in offered)


@FAMILIES
@pytest.mark.parametrize("by", PATHS)
@pytest.mark.parametrize("share", [0.45, 1.0, 1.7])
def test_scaling_gives_the_largest_member_at_or_under_the_budget(name: str, by: str, share: float) -> None:
    family, base = families.get(name), small_base(name)
    base_macs = int(family.count(family.row(base.architecture)[None], 10)[0][0])
    try:
        scaled = family.scale_to(share * base_macs, by, base=base, num_classes=10)
        best = scaled.macs
        assert best <= share * base_macs
        counts = family.count(family.row(scaled.architecture)[None], 10)
        assert (best, scaled.params) == (int(counts[0][0]), int(counts[1][0]))
    except BudgetError:
        best = 0
    # members that a dense walk along the same path meets
    rows = np.repeat(family.row(base.architecture)[None], 500, axis=0)
    for factor, exponent in PATHS[by].items():
        rows[:, family.columns[factor]] = family.realise(base, factor, np.geomspace(0.1, 4.0, 500) ** exponent, 1)
    met = family.count(rows, 10)[0]
    assert not np.any((met > best) & (met <= share * base_macs))


@FAMILIES
def test_a_budget_below_the_smallest_member_names_that_member(name: str) -> None:
    with pytest.raises(BudgetError, match=r"the smallest has [0-9.,]+[MK] \(\w+@\d+\)"):
        families.get(name).scale_to(1000, by="width")
    base = small_base(name)
    with pytest.raises(BudgetError, match=f"no {base.name} scaled by resolution fits 1.0K MACs"):
        families.get(name).scale_to("1K", by="resolution", base=base)


@FAMILIES
def test_scaling_starts_from_the_stock_base_nearest_the_budget_and_knows_its_ways(name: str) -> None:
    family, base = families.get(name), small_base(name)
    own = int(family.count(family.row(base.architecture)[None], 1000)[0][0])
    scaled = family.scale_to(own, by="width")
    assert (scaled.base, scaled.architecture, list(scaled.factors)) == (base, base.architecture, [1.0] * 4)
    with pytest.raises(UnknownNameError, match="Did you mean 'depth'"):
        family.scale_to(own, by="dept")
    other = next(other for other in families.names() if other != name)
    with pytest.raises(UnknownNameError, match=f"base of {name}"):
        family.scale_to(own, base=families.get(other).stock_bases[0])
