"""What a format is, and how to add one.

1. Write `export/<name>_format.py` with a class `Writer` that has every member of `Format`. What it imports beside numpy
   and torch is imported inside its methods, and belongs to an extra in pyproject.toml if gpscale does not need it.
2. Name it in `FORMATS`.

What a writer need not do: build the model, choose images, compare answers, take time, give the file its name. That is
`exporting.py`, the same for all.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from gpscale.errors import MissingPackageError, UnknownNameError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

FORMATS = {
    "onnx": "gpscale.export.onnx_format",
    "executorch": "gpscale.export.executorch_format",
    "coreml": "gpscale.export.coreml_format",
    "torchscript": "gpscale.export.torchscript_format",
}
"""Modules by the names of their formats; each has a class `Writer`."""

INPUT, OUTPUT = "images", "logits"
"""Names of the written model's input and output, where the format has names."""

Answer = Callable[["NDArray[Any]"], "NDArray[Any]"]
"""A model: from images, float32 (1, 3, height, width), normalised, to logits, float32 (1, classes)."""


class Format(Protocol):
    """A format that models are written in, float32, for one image at a time.

    Attributes:
        title: What people call it.
        suffixes: Endings of a file of this format, the usual one first.
        is_folder: Whether what it makes is a folder.
        why_not_run: Why gpscale does not run such files; empty where it does.

    Example:
        >>> chosen: Format = get("torchscript")
        >>> chosen.title, chosen.suffixes[0]
        ('TorchScript', '.pt')
    """

    title: str
    suffixes: tuple[str, ...]
    is_folder: bool
    why_not_run: str

    def check_installed(self) -> None:
        """Check that models can be written.

        Raises:
            MissingPackageError: A package of the format's extra is not installed.
        """
        ...

    def write(self, model: nn.Module, images: Tensor, facts: Mapping[str, str], file: Path) -> dict[str, Any]:
        """Write a model.

        Args:
            model: In evaluation mode, in the form that is deployed, on the CPU.
            images: What it takes, float32 (1, 3, height, width).
            facts: What the file should say of itself, where the format can.
            file: Where to; ends in one of `suffixes`, and is not there yet.

        Returns:
            What there is to say of the file beside its size, as JSON values; under `summary` a line for people.

        Raises:
            Exception: The format cannot hold the model; each library has errors of its own.
        """
        ...

    def open(self, file: Path) -> Answer:
        """Load a file that `write` has written, to be run on the CPU by one thread; never called if `why_not_run`."""
        ...

    def versions(self) -> dict[str, str]:
        """Return the versions of what writes and runs files of this format."""
        ...


def get(name: str) -> Format:
    """Return the format of that name.

    Raises:
        UnknownNameError: There is none.

    Example:
        >>> get("onxx")
        Traceback (most recent call last):
        gpscale.errors.UnknownNameError: Unknown format 'onxx'. Known: coreml, executorch, onnx, torchscript. \
Did you mean 'onnx'?
    """
    if name not in FORMATS:
        raise UnknownNameError.of("format", name, FORMATS)
    return cast(Format, importlib.import_module(FORMATS[name]).Writer())


def check_packages(title: str, packages: Sequence[str], extra: str) -> None:
    """Check that a format's packages are installed.

    Raises:
        MissingPackageError: One is not.
    """
    if missing := [name for name in packages if importlib.util.find_spec(name) is None]:
        raise MissingPackageError.of(title, " and ".join(missing), extra)
