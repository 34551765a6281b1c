"""Every error is gpscale's own and a builtin one."""

from __future__ import annotations

import pytest

from gpscale import errors
from gpscale.errors import GpscaleError, UnknownNameError

CHILDREN = GpscaleError.__subclasses__()


@pytest.mark.parametrize("child", CHILDREN)
def test_every_error_is_also_a_builtin_error(child: type[GpscaleError]) -> None:
    assert getattr(errors, child.__name__) is child
    assert issubclass(child, ValueError | LookupError | RuntimeError | ImportError)


def test_an_unknown_name_lists_the_known_ones_and_the_nearest() -> None:
    error = UnknownNameError.of("sampler", "sobel", ["random", "sobol", "line"])
    assert str(error) == "Unknown sampler 'sobel'. Known: line, random, sobol. Did you mean 'sobol'?"


def test_a_name_that_resembles_nothing_gets_no_hint() -> None:
    assert str(UnknownNameError.of("sampler", "xyz", ["line"])) == "Unknown sampler 'xyz'. Known: line."
    assert str(UnknownNameError.of("study", 3, [])) == "Unknown study 3. Known: none."
