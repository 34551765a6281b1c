"""TorchScript, traced; what the file says of itself is JSON in its extra file `gpscale.json`.

torch has deprecated TorchScript for `torch.export`, but still writes and loads it, and LibTorch on phones reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gpscale.export.base import Answer
from gpscale.export.parity import answer_of

FACTS_FILE = "gpscale.json"


class Writer:
    """Writes TorchScript; see `export.Format`."""

    title = "TorchScript"
    suffixes = (".pt", ".ts", ".pth", ".ptl", ".torchscript")
    is_folder = False
    why_not_run = ""

    def check_installed(self) -> None:
        """Do nothing: torch is there."""

    def write(self, model: nn.Module, images: Tensor, facts: Mapping[str, str], file: Path) -> dict[str, Any]:
        """Write a model."""
        with torch.no_grad():
            # parity is checked on many images, so once on the traced ones is too little
            traced = torch.jit.trace(model, images, check_trace=False)
        torch.jit.save(traced, str(file), _extra_files={FACTS_FILE: json.dumps(dict(facts))})
        return {"summary": "traced; torch has deprecated TorchScript, and still writes and loads it"}

    def open(self, file: Path) -> Answer:
        """Load a file."""
        return answer_of(torch.jit.load(str(file), map_location="cpu"))

    def versions(self) -> dict[str, str]:
        """Return nothing: torch's version is always said."""
        return {}
