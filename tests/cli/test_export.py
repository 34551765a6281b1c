"""`gpscale export` on a tiny model."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from pathlib import Path

import pytest

from gpscale.export import FORMATS, exporting
from gpscale.export.parity import Parity
from tests.cli.command import gpscale_here
from tests.export import folder_format
from tests.export.made_weights import MODEL, write_weights


@pytest.fixture(autouse=True)
def _short_timings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "PROTOCOL", dataclasses.replace(exporting.PROTOCOL, runs=2, rounds=2, warm_up=1))


def test_export_prints_file_parity_latency_and_versions(tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    ran = gpscale_here("export", MODEL, "--format", "torchscript", "-o", file, "--images", 10, "--num-classes", 10)
    assert ran.code == 0, ran
    assert ran.out.startswith(f"{file}: TorchScript, {file.stat().st_size / 1e6:.2f} MB; ")
    assert "weights: random (seed 0)" in ran.out
    assert "same class for 10 of 10 images of digits" in ran.out
    assert "torch" in ran.out.partition("latency: ")[2]
    assert "timm " in ran.out.partition("versions: ")[2]
    assert "comparing with torch on 10 images" in ran.err


def test_export_takes_weights_and_prints_json_for_machines(tmp_path: Path) -> None:
    weights = write_weights(tmp_path / "model.safetensors")
    file = tmp_path / "model.pt"
    ran = gpscale_here(
        "export", MODEL, "--weights", weights, "--format", "torchscript", "--output", file, "--images", 3, "--json"
    )
    values = json.loads(ran.out)
    assert (values["file"], values["bytes"]) == (str(file), file.stat().st_size)
    assert (values["num_classes"], values["weights"]) == (3, str(weights))
    assert values["parity"]["same_class"] == 3


def test_export_says_what_it_did_not_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, "folder", folder_format.__name__)
    ran = gpscale_here("export", MODEL, "--format", "folder", "-o", tmp_path / "x.folder", "--num-classes", 10)
    assert ran.code == 0, ran
    assert "parity and latency: not measured; nothing runs folders" in ran.out


def test_a_model_that_answers_otherwise_is_an_error_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "compare", lambda *given: Parity(100, 0.0213, 98, 7.5))
    ran = gpscale_here("export", MODEL, "--format", "torchscript", "-o", tmp_path / "model.pt")
    assert (ran.code, ran.out) == (2, "")
    assert "ParityError: The logits of TorchScript" in ran.err
    assert "0.021 (torch's logits reach 7.5), and the same class for 98 of 100 images" in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nope@64"], "Unknown model 'nope@64'"),
        (["edgevit_xxs@100"], "Take 96 or 128"),
        ([MODEL, "--format", "onxx"], "Did you mean 'onnx'"),
        ([MODEL, "--images", "2000"], "Got 2000, and digits has 1442"),
        ([MODEL, "--data", "nowhere/images"], "nowhere/images"),
        ([MODEL, "--weights", "absent.safetensors"], "absent.safetensors"),
        (["absent.json"], "A recommendation must be a readable file"),
        ([MODEL, "-o", "absent/model.onnx"], "The folder of --output must be there"),
        ([MODEL, "-o", "model.pte"], "must end in .onnx"),
    ],
)
def test_export_refuses_what_cannot_be_with_one_error(arguments: list[str], words: str, tmp_path: Path) -> None:
    ran = gpscale_here("export", "-o", tmp_path / "model.onnx", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err
    assert ran.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_export_without_a_formats_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    ran = gpscale_here("export", MODEL, "--format", "executorch", "-o", tmp_path / "model.pte")
    assert (ran.code, ran.out) == (2, "")
    assert 'pip install "gpscale[executorch]"' in ran.err
