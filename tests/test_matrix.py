"""What each family can do: all of it, and what is printed where something cannot be."""

from __future__ import annotations

import copy
import importlib.util
import json
from typing import Any

import pytest
import torch

from gpscale import families, matrix
from gpscale.errors import UnknownNameError
from gpscale.export import onnx_format
from gpscale.families.named import FamilyModel
from gpscale.matrix import COLUMNS, Cell, try_families
from tests.cli.command import gpscale_here


@pytest.mark.parametrize("name", families.names())
def test_every_family_can_be_counted_trained_written_timed_and_used_for_its_maps(name: str) -> None:
    ((tried, cells),) = try_families([name])
    assert tried == name
    assert list(cells) == list(COLUMNS)
    assert {column: cell for column, cell in cells.items() if not cell.works} == {}
    assert all(cell.text for cell in cells.values())


def test_the_callers_random_numbers_and_threads_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "COLUMNS", {"count": COLUMNS["count"], "train a step": COLUMNS["train a step"]})
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    assert [name for name, _ in try_families(["mobilenetv1"])] == ["mobilenetv1"]
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_a_stride_that_a_family_lacks_has_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "COLUMNS", {"feature maps": COLUMNS["feature maps"]})
    ((_, cells),) = try_families(["efficientvit_msra"])
    assert cells["feature maps"].text == "16, 32 (not 4, 8: its stem has stride 16)"


def test_a_wrong_count_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "COLUMNS", {"count": COLUMNS["count"]})
    # a base is chosen by its count, so only the last is wrong
    count = FamilyModel.count
    calls: list[str] = []

    def wrong(model: FamilyModel, num_classes: int) -> tuple[int, int]:
        calls.append(model.name)
        macs, params = count(model, num_classes)
        return macs + (len(calls) > 4), params

    monkeypatch.setattr(FamilyModel, "count", wrong)
    ((_, cells),) = try_families(["mobilenetv1"])
    assert cells["count"].works is False
    assert "closed form" in cells["count"].text


def test_a_layer_that_is_lost_in_onnx_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    write = onnx_format.Writer.write

    def lossy(writer: onnx_format.Writer, model: torch.nn.Module, *arguments: Any) -> dict[str, Any]:
        broken = copy.deepcopy(model)
        convolutions = [module for module in broken.modules() if isinstance(module, torch.nn.Conv2d)]
        torch.nn.init.zeros_(convolutions[len(convolutions) // 2].weight)
        return write(writer, broken, *arguments)

    monkeypatch.setattr(matrix, "COLUMNS", {name: COLUMNS[name] for name in ("train a step", "ONNX")})
    monkeypatch.setattr(onnx_format.Writer, "write", lossy)
    # after a step of training, its logits are within 1e-3 of each other
    ((_, cells),) = try_families(["efficientvit_msra"])
    assert cells["train a step"].works
    assert cells["ONNX"].works is False


def test_without_onnxruntime_its_column_says_so_and_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else object())
    monkeypatch.setattr("gpscale.cli.trying.COLUMNS", {"ONNX": COLUMNS["ONNX"]})
    monkeypatch.setattr(matrix, "COLUMNS", {"ONNX": COLUMNS["ONNX"]})
    ran = gpscale_here("matrix", "mobilenetv1", "--json")
    assert ran.code == 0
    cell = json.loads(ran.out)["mobilenetv1"]["ONNX"]
    assert cell["works"] is None
    assert "gpscale[onnx]" in cell["text"]
    assert "not tried: " in gpscale_here("matrix", "mobilenetv1").out


def test_a_failure_is_a_cell_and_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(tried: object) -> Cell:
        raise ValueError("it broke")

    monkeypatch.setattr(matrix, "COLUMNS", {"count": fail})
    ran = gpscale_here("matrix", "mobilenetv1", "mobilenetv2", "--json")
    assert ran.code == 1
    assert json.loads(ran.out)["mobilenetv2"]["count"] == {"works": False, "text": "ValueError: it broke"}


def test_an_unknown_family_is_refused_before_any_is_tried() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'edgevit'"):
        next(try_families(["mobilenetv2", "edgvit"]))
