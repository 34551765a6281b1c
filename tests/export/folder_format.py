"""A format that makes a folder, and whose files are not run: what Core ML is, without its package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from gpscale.export import Format
from gpscale.export.base import Answer


class Writer(Format):
    title = "Folder"
    suffixes = (".folder",)
    is_folder = True
    why_not_run = "nothing runs folders"

    def check_installed(self) -> None: ...

    def write(self, model: nn.Module, images: Tensor, facts: Mapping[str, str], file: Path) -> dict[str, Any]:
        file.mkdir()
        (file / "inner").mkdir()
        (file / "inner" / "weights").write_bytes(bytes(1000))
        (file / "facts").write_text(facts["model"])
        return {"summary": "a folder"}

    def open(self, file: Path) -> Answer:
        raise AssertionError

    def versions(self) -> dict[str, str]:
        return {"folder": "1"}
