"""What every family must do; a new family is tested by being registered."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpscale import families
from gpscale.counting import count_module
from gpscale.errors import PretrainedError
from gpscale.factors import FACTOR_NAMES, Factors
from gpscale.families import Architecture, Base, Integers

FAMILIES = pytest.mark.parametrize("name", families.names())
EACH_FACTOR = pytest.mark.parametrize("factor", FACTOR_NAMES)


@functools.cache
def small_base(name: str) -> Base:
    """The stock base with the fewest MACs."""
    family = families.get(name)
    bases = [families.parse_base(stock) for stock in family.stock_bases]
    return min(bases, key=lambda base: int(family.count(family.row(base.architecture)[None], 10)[0][0]))


def random_rows(name: str, count: int, seed: int) -> list[Integers]:
    """Architectures from far beyond any default bounds, on odd pixel sizes too."""
    generator = np.random.default_rng(seed)
    family = families.get(name)
    rows = []
    for _ in range(count):
        stock = family.stock_bases[generator.integers(len(family.stock_bases))]
        base = families.parse_base(f"{stock.split('@')[0]}@{generator.integers(16, 300)}")
        row = family.row(base.architecture).copy()
        for factor, (low, high) in zip(FACTOR_NAMES, ((0.3, 1.5), (0.2, 2.0), (0.2, 2.0), (0.1, 1.5)), strict=True):
            row[family.columns[factor]] = family.realise(base, factor, generator.uniform(low, high, 1), 1)[0]
        rows.append(row)
    return rows


@FAMILIES
@pytest.mark.parametrize("batch", range(3))
def test_closed_form_equals_the_flop_counter_to_the_unit(name: str, batch: int) -> None:
    family = families.get(name)
    generator = np.random.default_rng(100 + batch)
    for row in random_rows(name, 20, seed=batch):
        classes = int(generator.integers(1, 1500))
        architecture = family.architecture(row)
        with torch.device("meta"):
            model = family.build(architecture, classes)
        pixels = architecture.pixels
        sizes = [None, (pixels, int(generator.integers(8, 300)))]
        size = sizes[int(generator.integers(2))]
        macs, params = family.count(row[None], classes, size)
        assert (int(macs[0]), int(params[0])) == count_module(model, size or (pixels, pixels)), (row, classes, size)


@FAMILIES
def test_a_built_model_has_the_counted_parameters_and_answers_with_the_classes(name: str) -> None:
    family, base = families.get(name), small_base(name)
    model = family.build(base.architecture, 7).eval()
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
    for pixels in (31, 64, 96, 130, 224, 256):
        step = family.default_pixel_step(families.parse_base(f"{model}@{pixels}"))
        assert step >= 1
        assert pixels % step == 0


@FAMILIES
def test_columns_of_the_four_factors_make_up_a_row_without_overlap(name: str) -> None:
    family = families.get(name)
    row = family.row(small_base(name).architecture)
    assert set(family.columns) == set(FACTOR_NAMES)
    taken = [index for part in family.columns.values() for index in range(len(row))[part]]
    assert sorted(taken) == list(range(len(row)))


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
@settings(max_examples=60, deadline=None)
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
    assert len(np.unique(integers, axis=0)) == len(values)
    totals = integers.sum(axis=1)
    assert np.all(np.diff(totals) > 0), "a larger factor gives a larger model"


@FAMILIES
@EACH_FACTOR
@settings(max_examples=200, deadline=None)
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
