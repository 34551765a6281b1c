"""Files that a run keeps: text and JSON that a person can read, written atomically and checked when read."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from gpscale.atomic import atomic_file
from gpscale.errors import GpscaleError, RunDirError, StorageError

_T = TypeVar("_T")


def write_atomically(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Write a file so that a reader, or a crash at any moment, sees the old content or the new, never a part.

    Args:
        path: File to write; its directory is made if absent.
        content: Text (written as UTF-8) or bytes.
        durable: As in `atomic_file`.

    Raises:
        StorageError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError.of(path, error) from error
    with atomic_file(path, durable=durable) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def write_json(path: Path, values: Any, *, durable: bool = True) -> None:
    """Write JSON that a person can read, atomically; NaN and infinity are refused."""
    write_atomically(path, json.dumps(values, indent=2, allow_nan=False) + "\n", durable=durable)


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        RunDirError: The file is absent or no JSON.
    """
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise RunDirError(f"{path} must exist. It does not. Run `gpscale fit` on the run directory first.") from None
    except ValueError as error:
        raise RunDirError(f"{path} must hold JSON. Got: {error}. Run `gpscale doctor` on its run directory.") from None


def read_stored(path: Path, what: str, parse: Callable[[Any], _T]) -> _T:
    """Read JSON and make of it what it stands for.

    Args:
        path: The file.
        what: What it must hold, for the error.
        parse: Makes it of JSON values; may fail on values of another shape as it likes.

    Raises:
        RunDirError: The file is absent, no JSON, or JSON of something else.
    """
    values = read_json(path)
    try:
        return parse(values)
    except GpscaleError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise RunDirError(
            f"{path} must hold {what}. Got {type(error).__name__}: {error}. "
            "Run `gpscale doctor` on the run directory: it moves the damaged file away."
        ) from None


def opening_comment(text: str) -> str:
    """Return the comment that opens a YAML file, line by line without its marks; instructions to editors left out.

    Example:
        >>> opening_comment("# How small?")
        'How small?'
    """
    lines = itertools.takewhile(lambda line: line.startswith("#"), text.splitlines())
    said = (line.removeprefix("#").strip() for line in lines)
    return "\n".join(line for line in said if not line.startswith("yaml-language-server:")).strip()
