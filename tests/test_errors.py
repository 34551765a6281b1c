"""Every error is gpscale's own and a builtin one."""

from __future__ import annotations

import errno
import os
import pickle

import pytest

from gpscale import errors
from gpscale.errors import GpscaleError, StorageError, UnknownNameError

CHILDREN = GpscaleError.__subclasses__()


@pytest.mark.parametrize("child", CHILDREN)
def test_every_error_is_also_a_builtin_error(child: type[GpscaleError]) -> None:
    assert getattr(errors, child.__name__) is child
    assert issubclass(child, ValueError | LookupError | RuntimeError | ImportError | OSError | MemoryError)


def test_an_unknown_name_lists_the_known_ones_and_the_nearest() -> None:
    error = UnknownNameError.of("sampler", "sobel", ["random", "sobol", "line"])
    assert str(error) == "Unknown sampler 'sobel'. Known: line, random, sobol. Did you mean 'sobol'?"


def test_a_name_that_resembles_nothing_gets_no_hint() -> None:
    assert str(UnknownNameError.of("sampler", "xyz", ["line"])) == "Unknown sampler 'xyz'. Known: line."
    assert str(UnknownNameError.of("study", 3, [])) == "Unknown study 3. Known: none."


@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.ENOSPC, "Make room on its disk"), (errno.EROFS, "Mend its place or its permissions")]
)
def test_a_file_that_cannot_be_written_is_named_with_the_reason_and_the_remedy(number: int, remedy: str) -> None:
    error = StorageError.of("runs/x/rule.json", OSError(number, os.strerror(number)))
    start = f"runs/x/rule.json must be writable. Got: {os.strerror(number)}. {remedy}"
    assert str(error).startswith(start)
    assert error.errno == number
    # as it comes from another process
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
