"""ONNX, run by ONNX Runtime; all that the file says of itself is in the model's `metadata_props`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch import Tensor, nn

from gpscale import runtimes
from gpscale.export.base import INPUT, OUTPUT, Answer
from gpscale.runtimes.onnx_runtime import check_installed, inference_session, to_onnx


class Writer:
    """Writes ONNX; see `export.Format`."""

    title = "ONNX"
    suffixes = (".onnx",)
    is_folder = False
    why_not_run = ""

    def check_installed(self) -> None:
        """Check that ONNX, its exporter and its runtime are installed."""
        check_installed()

    def write(self, model: nn.Module, images: Tensor, facts: Mapping[str, str], file: Path) -> dict[str, Any]:
        """Write a model."""
        import onnx

        written = onnx.load_from_string(to_onnx(model, images))
        # torch notes for every node from which line of which file it comes: a seventh of a small model, and paths of
        # the machine that wrote it
        for node in (*written.graph.node, *(node for function in written.functions for node in function.node)):
            del node.metadata_props[:]
        onnx.helper.set_model_props(written, dict(facts))
        file.write_bytes(written.SerializeToString())
        opset = next(known.version for known in written.opset_import if not known.domain)
        return {"opset": opset, "summary": f"opset {opset}, input {INPUT!r}, output {OUTPUT!r}"}

    def open(self, file: Path) -> Answer:
        """Load a file with all of ONNX Runtime's graph optimisations."""
        session = inference_session(file.read_bytes(), "cpu", threads=1)

        def answer(images: NDArray[Any]) -> NDArray[Any]:
            found: NDArray[Any] = session.run([OUTPUT], {INPUT: images})[0]
            return found

        return answer

    def versions(self) -> dict[str, str]:
        """Return the versions of ONNX, its exporter and its runtime."""
        return runtimes.get("onnxruntime").versions()
