"""Exports of a tiny model, and what keeps a file from getting its name."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from gpscale.benchmark.timing import Timing
from gpscale.errors import ExportError, ParityError, StorageError
from gpscale.export import FORMATS, exporting, torchscript_format
from gpscale.export.base import Answer
from gpscale.export.exporting import Latency, export_model
from gpscale.export.pictures import read_pictures
from tests.export import folder_format
from tests.export.made_weights import CLASS_NAMES, MEAN, MODEL, STD, write_weights

SUFFIX = {"onnx": ".onnx", "torchscript": ".pt"}


@pytest.fixture(autouse=True)
def _short_timings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "PROTOCOL", dataclasses.replace(exporting.PROTOCOL, runs=2, rounds=2, warm_up=1))


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch) -> None:
    """A format that makes folders."""
    monkeypatch.setitem(FORMATS, "folder", folder_format.__name__)


def broken(writer_open: Callable[[Any, Path], Answer]) -> Callable[[Any, Path], Answer]:
    """A runtime whose logits are a hundredth off."""

    def opened(writer: Any, file: Path) -> Answer:
        answer = writer_open(writer, file)
        return lambda images: answer(images) + np.float32(0.01)

    return opened


@pytest.mark.parametrize("format", SUFFIX)
def test_a_model_is_exported_and_answers_as_in_torch(format: str, tmp_path: Path) -> None:
    file = tmp_path / f"model{SUFFIX[format]}"
    threads = torch.get_num_threads()
    found = export_model(MODEL, format, file, images=10, num_classes=10)
    assert torch.get_num_threads() == threads
    assert list(tmp_path.iterdir()) == [file]
    assert found.size == file.stat().st_size > 4_000_000
    assert found.parity is not None
    assert found.parity.difference < 1e-4
    assert (found.parity.images, found.parity.same_class) == (10, 10)
    assert found.latency is not None
    assert len(found.latency.exported.seconds) == len(found.latency.torch.seconds) == 2
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert values["parity"]["largest_allowed"] == 1e-3 * min(1.0, values["parity"]["largest"])
    assert values["latency"]["cpu_ms"]["torch"] > 0
    assert "torch" in values["versions"]


def test_trained_weights_are_given_images_as_in_their_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = write_weights(tmp_path / "model.safetensors")
    given: list[np.ndarray] = []
    compare = exporting.compare

    def noting(expected: Answer, found: Answer, images: np.ndarray) -> Any:
        given.append(images)
        return compare(expected, found, images)

    monkeypatch.setattr(exporting, "compare", noting)
    found = export_model(MODEL, "onnx", tmp_path / "model.onnx", weights=weights, images=4)
    np.testing.assert_array_equal(given[0], read_pictures("digits", 4, 32).normalised(32, MEAN, STD))
    facts = {entry.key: entry.value for entry in onnx.load(found.file).metadata_props}
    assert tuple(json.loads(facts["class_names"])) == CLASS_NAMES
    assert json.loads(facts["mean"]) == list(MEAN)
    assert found.to_dict()["weights"] == str(weights)


def test_a_model_that_answers_otherwise_gets_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchscript_format.Writer, "open", broken(torchscript_format.Writer.open))
    file = tmp_path / "model.pt"
    with pytest.raises(ParityError, match=r"TorchScript in model\.pt must be within 0\.000\d+ .*difference of 0\.01 "):
        export_model(MODEL, "torchscript", file, images=4, num_classes=10)
    assert list(tmp_path.iterdir()) == []
    file.write_text("an older one")
    with pytest.raises(ParityError):
        export_model(MODEL, "torchscript", file, images=4, num_classes=10)
    assert file.read_text() == "an older one"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.usefixtures("folders")
def test_a_format_that_is_not_run_here_has_no_parity_and_says_why(tmp_path: Path) -> None:
    file = tmp_path / "model.folder"
    found = export_model(MODEL, "folder", file, images=2, num_classes=10)
    assert (found.parity, found.latency, found.why_not_run) == (None, None, "nothing runs folders")
    assert found.size == 1000 + len(MODEL)
    assert (file / "facts").read_text() == MODEL
    assert list(tmp_path.iterdir()) == [file]
    assert found.to_dict()["parity"] is None


@pytest.mark.usefixtures("folders")
def test_a_folder_replaces_an_older_one_whole(tmp_path: Path) -> None:
    file = tmp_path / "model.folder"
    file.mkdir()
    (file / "left over").touch()
    export_model(MODEL, "folder", file, images=2, num_classes=10)
    assert sorted(entry.name for entry in file.iterdir()) == ["facts", "inner"]
    assert list(tmp_path.iterdir()) == [file]


_HOLDS = """
import pathlib, sys, time
from gpscale.export.exporting import _staged
with _staged(pathlib.Path(sys.argv[1])) as file:
    file.write_text("half")
    print("begun", flush=True)
    time.sleep(600)
"""


def test_what_a_killed_export_has_left_goes_with_the_next_and_what_a_running_one_has_stays(tmp_path: Path) -> None:
    file, own = tmp_path / "model.pt", tmp_path / ".model.pt.mine.tmp"
    own.mkdir()
    with subprocess.Popen([sys.executable, "-c", _HOLDS, str(file)], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        [begun] = set(tmp_path.iterdir()) - {own}
        export_model(MODEL, "torchscript", file, images=2, num_classes=10)
        assert set(tmp_path.iterdir()) == {own, begun, file}
        running.send_signal(signal.SIGKILL)
    export_model(MODEL, "torchscript", file, images=2, num_classes=10)
    assert set(tmp_path.iterdir()) == {own, file}


@pytest.mark.usefixtures("folders")
def test_a_model_that_a_format_cannot_hold_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(
        writer: folder_format.Writer, model: nn.Module, images: Tensor, facts: Mapping[str, str], file: Path
    ) -> dict[str, Any]:
        file.mkdir()
        raise NotImplementedError("no operator\nof that name")

    monkeypatch.setattr(folder_format.Writer, "write", refuse)
    with pytest.raises(ExportError, match=rf"Folder must .*{MODEL}: NotImplementedError: no operator of that name\. "):
        export_model(MODEL, "folder", tmp_path / "model.folder", images=2, num_classes=10)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("folders")
def test_a_disk_that_is_full_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match=r"model\.folder must be writable.*No space left"):
        export_model(MODEL, "folder", tmp_path / "model.folder", images=2, num_classes=10)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"A file of ONNX must end in \.onnx\. Got .*model\.pt\. Write model\.onnx"):
        export_model(MODEL, "onnx", tmp_path / "model.pt")
    with pytest.raises(ExportError, match="where .*absent is none"):
        export_model(MODEL, "onnx", tmp_path / "absent" / "model.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(ExportError, match="What ONNX replaces must be a file too"):
        export_model(MODEL, "onnx", tmp_path / "folder.onnx")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.onnx"]


@pytest.mark.parametrize(("cpu", "shared"), [(0.0017, False), (0.0015, True)])
def test_a_run_that_waited_for_the_processor_is_told(cpu: float, shared: bool) -> None:
    wall = ((0.002, 0.002),)
    found = Latency(Timing(wall, wall), Timing(wall, ((cpu, cpu),)), "a processor")
    assert found.shared is shared
    assert found.to_dict()["cpu_over_torch"] == pytest.approx(0.002 / cpu)
