"""Freed memory is kept while timing, and only then."""

from __future__ import annotations

import ctypes
import resource
import sys

import numpy as np
import pytest

from gpscale.benchmark import allocator
from gpscale.benchmark.allocator import freed_memory_kept


def page_faults(times: int) -> int:
    """Pages that the kernel had to clear while blocks of 8 MiB were made and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        np.ones(2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux'")
def test_blocks_that_are_freed_are_had_again_without_new_pages() -> None:
    with freed_memory_kept() as kept:
        assert kept is True
        page_faults(3)
        held = page_faults(20)
    page_faults(3)
    given_back = page_faults(20)
    assert held < given_back / 10


def test_the_settings_are_put_back_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, ...]] = []

    class Library:
        gnu_get_libc_version = mallopt = malloc_trim = staticmethod(lambda *values: calls.append(values))

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library)
    with pytest.raises(ValueError), freed_memory_kept():  # noqa: PT011, PT012
        assert calls == [(-4, 0), (-1, -1)]
        raise ValueError
    assert calls[2:] == [(-4, 65536), (-1, 131072), (-3, 131072), (0,)]


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert allocator._glibc() is None
    with freed_memory_kept() as kept:
        assert kept is False
