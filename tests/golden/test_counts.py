"""Counts that were measured once with torch's flop counter on the published models, and must never change."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
import torch

from gpscale import families
from gpscale.counting import count_module

ROWS = list(csv.DictReader((Path(__file__).parent / "families.csv").open()))
TRAINED = [row for row in ROWS if "(train form)" in row["model"]]
DEPLOYED = [row for row in ROWS if row not in TRAINED]


def label(row: dict[str, str]) -> str:
    return f"{row['model']}@{row['input_px']}-{row['num_classes']}"


def model_name(row: dict[str, str]) -> str:
    """The name in timm's style of a row of the table."""
    prefix, _, size = row["model"].partition("-")
    size = size.split(" ")[0]
    multiplied = {
        "MobileNetV1": "mobilenetv1",
        "MobileNetV2": "mobilenetv2",
        "MobileNetV3": "mobilenetv3",
        "MobileViTV2": "mobilevitv2",
    }
    if prefix in multiplied:
        kind, _, multiplier = size.rpartition("-")
        stem = "_".join([multiplied[prefix], *([kind.lower()] if kind else [])])
        name = f"{stem}_{round(100 * float(multiplier)):03d}"
    elif row["family"] == "EfficientViT-MIT-v1":
        name = "efficientvit_mit_100"
    else:
        name = f"{prefix.lower()}_{re.sub('^msra-', '', size.lower())}"
    return f"{name}@{row['input_px']}"


@pytest.mark.parametrize("row", DEPLOYED, ids=label)
def test_closed_form_gives_the_measured_macs_and_parameters(row: dict[str, str]) -> None:
    base = families.parse_base(model_name(row))
    family = families.get(base.family)
    macs, params = family.count(family.row(base.architecture)[None], int(row["num_classes"]))
    assert (macs.tolist(), params.tolist()) == ([int(row["macs"])], [int(row["params"])])


@pytest.mark.parametrize("row", TRAINED, ids=label)
def test_the_form_that_is_trained_has_the_measured_macs_and_parameters(row: dict[str, str]) -> None:
    base = families.parse_base(model_name(row))
    with torch.device("meta"):
        model = families.get(base.family).build(base.architecture, int(row["num_classes"]))
    assert count_module(model, (int(row["input_px"]),) * 2) == (int(row["macs"]), int(row["params"]))


def test_the_golden_table_covers_all_stock_widths_at_two_sizes_and_four_class_numbers() -> None:
    rows = [row for row in ROWS if row["family"] == "MobileViTv2"]
    assert len(rows) == 7 * 2 * 4
    assert {int(row["num_classes"]) for row in rows} == {10, 100, 200, 1000}


def test_every_published_model_is_in_the_golden_table_or_known_not_to_be() -> None:
    held = {model_name(row).split("@")[0] for row in ROWS}
    unlisted = {"mobilevit_xxs", "mobilevit_xs", "mobilevit_s"}
    scaled = r"(efficientformer_ls|mobilenetv\d(_small|_large)?|efficientvit_mit)_\d{3}"
    stock = {name.split("@")[0] for family in families.names() for name in families.get(family).stock_bases}
    assert {name for name in stock - held - unlisted if not re.fullmatch(scaled, name)} == set()


@pytest.mark.parametrize(
    ("name", "millions", "params"),
    [
        # L1 scaled linearly by 1/3, 1/2 and 1.4
        ("efficientformer_ls_033@224", 82, 1.08),
        ("efficientformer_ls_050@224", 247, 2.47),
        ("efficientformer_ls_140@224", 3289, 31.0),
        # printed as 584 M
        ("efficientvit_mit_120@224", 588, 6.62),
    ],
)
def test_scaled_models_have_their_known_sizes(name: str, millions: int, params: float) -> None:
    base = families.parse_base(name)
    family = families.get(base.family)
    counts = family.count(family.row(base.architecture)[None], 1000)
    assert round(int(counts[0][0]) / 1e6) == millions
    assert int(counts[1][0]) / 1e6 == pytest.approx(params, rel=0.005)
