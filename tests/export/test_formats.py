"""The formats: what each must have, what each writes of itself, what is said where its package is missing."""

from __future__ import annotations

import importlib
import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import onnx
import pytest
import torch

from gpscale import export
from gpscale.errors import MissingPackageError, UnknownNameError
from gpscale.export import FORMATS, executorch_format
from gpscale.export.torchscript_format import FACTS_FILE

FACTS = {"model": "tiny", "class_names": json.dumps(["a", "ü"])}
MODEL = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten()).eval()
IMAGES = torch.linspace(-1, 1, 108).reshape(1, 3, 6, 6)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The model in the formats that need no package of their own."""
    files = {}
    for format in ("onnx", "torchscript"):
        chosen = export.get(format)
        files[format] = tmp_path_factory.mktemp(format) / f"model{chosen.suffixes[0]}"
        assert chosen.write(MODEL, IMAGES, FACTS, files[format])["summary"]
    return files


@pytest.mark.parametrize("format", FORMATS)
def test_a_format_is_whole(format: str) -> None:
    chosen = export.get(format)
    assert isinstance(chosen.title, str)
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in chosen.suffixes)
    assert isinstance(chosen.is_folder, bool)
    assert all(callable(getattr(chosen, name)) for name in ("check_installed", "write", "open", "versions"))


@pytest.mark.parametrize("format", ["onnx", "torchscript"])
def test_a_file_answers_as_the_model_that_was_written(format: str, written: dict[str, Path]) -> None:
    chosen = export.get(format)
    chosen.check_installed()
    answer = chosen.open(written[format])
    with torch.inference_mode():
        for images in (IMAGES, IMAGES.flip(2)):
            torch.testing.assert_close(torch.from_numpy(answer(images.numpy())), MODEL(images))


def test_onnx_holds_the_facts_and_no_path_of_this_machine(written: dict[str, Path]) -> None:
    model = onnx.load(written["onnx"])
    onnx.checker.check_model(model)
    assert {entry.key: entry.value for entry in model.metadata_props} == FACTS
    assert [entry.name for entry in (*model.graph.input, *model.graph.output)] == ["images", "logits"]
    assert b".py" not in model.SerializeToString()


def test_torchscript_holds_the_facts(written: dict[str, Path]) -> None:
    extra = {FACTS_FILE: ""}
    torch.jit.load(str(written["torchscript"]), _extra_files=extra)
    assert json.loads(extra[FACTS_FILE]) == FACTS


@pytest.mark.parametrize(
    ("format", "package", "extra"),
    [("onnx", "onnxruntime", "onnx"), ("executorch", "executorch", "executorch"), ("coreml", "coremltools", "coreml")],
)
def test_without_its_package_a_format_names_the_extra(
    format: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else object())
    with pytest.raises(MissingPackageError, match=rf"needs {package}\. .*gpscale\[{extra}\]"):
        export.get(format).check_installed()


def test_an_unknown_format_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Known: coreml, executorch, onnx, torchscript. Did you mean 'coreml'"):
        export.get("core-ml")


def test_the_delegated_share_counts_operators_and_not_the_choice_of_an_output() -> None:
    def row(delegated: int, non_delegated: int) -> SimpleNamespace:
        return SimpleNamespace(delegated=delegated, non_delegated=non_delegated)

    others = {f"aten_other{number}_default": row(0, 1) for number in range(5)}
    operators = {"aten_convolution_default": row(30, 0), "aten__softmax_default": row(3, 2), "getitem": row(7, 9)}
    info = SimpleNamespace(num_delegated_subgraphs=4, delegation_by_operator={**operators, **others})
    said = executorch_format._delegation(info)
    assert said["delegated"]["operators"] == 33
    assert said["delegated"]["of"] == 40
    assert said["delegated"]["others"]["softmax"] == 2
    assert said["summary"] == (
        "XNNPACK runs 33 of 40 operators (82%) in 4 parts; not 2 softmax, 1 other0, 1 other1, 1 other2, 2 more"
    )
