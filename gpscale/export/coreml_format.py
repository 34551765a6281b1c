"""Core ML, an ML program in float32; what the package says of itself is in its user-defined metadata.

A conversion only. Core ML runs on Apple's systems, where nobody has tried what is written here.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gpscale.export.base import INPUT, OUTPUT, Answer, check_packages

EXTRA = "coreml"


class Writer:
    """Writes Core ML; see `export.Format`."""

    title = "Core ML"
    suffixes = (".mlpackage",)
    is_folder = True
    why_not_run = "Core ML runs on Apple's systems alone; compare there before you rely on it"

    def check_installed(self) -> None:
        """Check that coremltools is installed."""
        check_packages(self.title, ["coremltools"], EXTRA)

    def write(self, model: nn.Module, images: Tensor, facts: Mapping[str, str], file: Path) -> dict[str, Any]:
        """Write a model."""
        import coremltools

        # an alias is its input by another name: torch makes one of a slice that takes all, and coreml has none
        program = torch.export.export(model, (images,)).run_decompositions({torch.ops.aten.alias.default: lambda x: x})
        written = coremltools.convert(
            program,
            inputs=[coremltools.TensorType(name=INPUT, shape=tuple(images.shape))],
            outputs=[coremltools.TensorType(name=OUTPUT)],
            convert_to="mlprogram",
            compute_precision=coremltools.precision.FLOAT32,
            skip_model_load=True,
        )
        written.user_defined_metadata.update(facts)
        written.save(str(file))
        return {"summary": f"ML program in float32, input {INPUT!r}, output {OUTPUT!r}; converted only"}

    def open(self, file: Path) -> Answer:
        """Never called; see `why_not_run`."""
        raise AssertionError(self.why_not_run)

    def versions(self) -> dict[str, str]:
        """Return the version of coremltools."""
        return {"coremltools": importlib.metadata.version("coremltools")}
