"""`gpscale families`, and what `gpscale count` takes beside our own models."""

from __future__ import annotations

import csv
import importlib.util
import json
from pathlib import Path

import pytest

from tests.cli.command import gpscale_here
from tests.golden.test_counts import model_name

GOLDEN = Path(__file__).parents[1] / "golden" / "families.csv"


def test_families_lists_every_model_with_the_counts_of_the_golden_table() -> None:
    wanted = {}
    for row in csv.DictReader(GOLDEN.open()):
        form = "trained" if "(train form)" in row["model"] else "deployed"
        wanted[model_name(row), int(row["num_classes"]), form] = (int(row["params"]), int(row["macs"]))
    got = {}
    for classes in {classes for _, classes, _ in wanted}:
        trained = ["--trained"] if classes == 1000 else []
        for row in json.loads(gpscale_here("families", "--num-classes", classes, "--json", *trained).out):
            got[row["model"], row["num_classes"], row["form"]] = (row["params"], row["macs"])
    assert {key: got.get(key) for key in wanted} == wanted


def test_families_prints_gaps_and_numbers_the_reasons_for_them() -> None:
    ran = gpscale_here("families", "edgevit")
    assert ran.code == 0
    small = next(line for line in ran.out.splitlines() if "edgevit_s@224" in line)
    assert small.split() == [
        "edgevit_s@224", "1000", "13,108,168", "11.1M", "+18.1%", "1,911,021,792", "1.9G", "EdgeViT,", "table", "1",
        "[1]", "[2]",
    ]  # fmt: skip
    assert "\n[1] 11.1M is a misprint" in ran.out
    assert "\n[2] the depths of its table 1 have 1,370 M MACs" in ran.out
    assert "\nEdgeViT: Pan et al." in ran.out
    assert "mobilenet" not in ran.out


def test_families_refuses_an_unknown_family() -> None:
    ran = gpscale_here("families", "edgevt")
    assert (ran.code, ran.out) == (2, "")
    assert "Did you mean 'edgevit'" in ran.err


def test_count_takes_any_model_of_timm_and_published_sizes() -> None:
    found = json.loads(gpscale_here("count", "timm:resnet18", "--json").out)
    assert found == {
        "model": "timm:resnet18@224", "height": 224, "width": 224, "classes": 1000,
        "macs": 1_814_073_344, "params": 11_689_512,
    }  # fmt: skip
    assert json.loads(gpscale_here("count", "edgevit_xxs", "--json").out)["macs"] == 551_262_816


def test_count_with_all_counters_prints_each_with_its_notion() -> None:
    ran = gpscale_here("count", "mobilevitv2_050@64", "--counter", "all")
    assert ran.code == 0
    assert "agrees to the unit" in ran.out
    assert "normalisations" in next(line for line in ran.out.splitlines() if line.startswith("fvcore "))
    assert "bias" in next(line for line in ran.out.splitlines() if line.startswith("ptflops "))


def test_counters_that_are_not_installed_are_left_out_of_all_but_not_of_their_own_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    ran = gpscale_here("count", "mobilevitv2_050@64", "--counter", "all", "--json")
    assert json.loads(ran.out)["counters"] == {"fvcore": None, "ptflops": None}
    named = gpscale_here("count", "mobilevitv2_050@64", "--counter", "fvcore")
    assert (named.code, named.out) == (2, "")
    assert "gpscale[counters]" in named.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["count", "edgevit_xxs@100"], "Take 96 or 128"),
        (["count", "timm:resnet5"], "Nearest: resnet50"),
        (["count", "timm:efficientformer_l1@100"], "its own, 224 px"),
        (["count", "edgevit_xxs", "--counter", "fvcor"], "Did you mean 'fvcore'"),
    ],
)
def test_count_refuses_what_cannot_be_with_one_error(arguments: list[str], words: str) -> None:
    ran = gpscale_here(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err
    assert ran.err.count("Error: ") == 1
