"""Freed memory is kept while timing, and only then."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gpscale.benchmark import allocator
from gpscale.benchmark.allocator import freed_memory_kept, settings_of


def page_faults(times: int) -> int:
    """Pages that the kernel had to clear while blocks of 8 MiB were made and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        np.ones(2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


glibc_only = pytest.mark.skipif(allocator._glibc() is None, reason="this process has its memory from another allocator")


@glibc_only
def test_blocks_that_are_freed_are_had_again_without_new_pages() -> None:
    # a process of its own: where tests have left large holes in the heap, no block needs new pages
    ran = subprocess.run(
        [sys.executable, "-m", "tests.benchmark.test_allocator"],
        cwd=Path(__file__).parents[2],
        check=True,
        capture_output=True,
        text=True,
    )
    held, given_back = map(int, ran.stdout.split())
    assert held < given_back / 10


def main() -> None:
    """Print the pages that the kernel had to clear while memory was kept, and afterwards."""
    with freed_memory_kept() as kept:
        assert kept is True
        page_faults(3)
        held = page_faults(20)
    page_faults(3)
    print(held, page_faults(20))


def test_the_settings_are_put_back_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, ...]] = []

    class Library:
        mallopt = malloc_trim = staticmethod(lambda *values: calls.append(values))

    monkeypatch.setattr(allocator, "_glibc", lambda: Library)
    monkeypatch.setattr(os, "environ", {"MALLOC_TRIM_THRESHOLD_": "1048576"})
    with pytest.raises(ValueError), freed_memory_kept():  # noqa: PT011, PT012
        assert calls == [(-4, 0), (-1, -1)]
        raise ValueError
    assert calls[2:] == [(-4, 65536), (-1, 1048576), (-3, 131072), (0,)]


@pytest.mark.parametrize(
    ("environment", "settings"),
    [
        ({}, (65536, 131072, 131072)),
        ({"MALLOC_MMAP_MAX_": "3", "MALLOC_MMAP_THRESHOLD_": "4096", "MALLOC_TOP_PAD_": "9"}, (3, 131072, 4096)),
        ({"GLIBC_TUNABLES": "glibc.malloc.mmap_max=0x7:glibc.malloc.trim_threshold=-1"}, (7, -1, 131072)),
        ({"GLIBC_TUNABLES": "glibc.malloc.mmap_max=7", "MALLOC_MMAP_MAX_": "5"}, (7, 131072, 131072)),
        ({"GLIBC_TUNABLES": "glibc.rtld.nns=2:nonsense", "MALLOC_MMAP_MAX_": "many"}, (65536, 131072, 131072)),
        ({"MALLOC_TRIM_THRESHOLD_": str(16 * 2**30)}, (65536, 2**31 - 1, 131072)),
    ],
)
def test_the_settings_are_those_of_the_environment(environment: dict[str, str], settings: tuple[int, ...]) -> None:
    assert tuple(settings_of(environment).values()) == settings


def run_here(code: str, **environment: str) -> str:
    """Run code in a fresh interpreter, because the C library reads its environment at the start."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    ran = subprocess.run(
        [sys.executable, "-c", code], env={**plain, **environment}, capture_output=True, text=True, check=True
    )
    return ran.stdout


@glibc_only
@pytest.mark.parametrize(
    ("environment", "kept"),
    [
        ({}, "False"),
        ({"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "2000000000"}, "True"),
        ({"GLIBC_TUNABLES": "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=2000000000"}, "True"),
    ],
)
def test_whoever_keeps_freed_memory_by_the_environment_keeps_it_afterwards(
    environment: dict[str, str], kept: str
) -> None:
    code = """
from gpscale.benchmark.allocator import freed_memory_kept
from tests.benchmark.test_allocator import page_faults
with freed_memory_kept():
    pass
page_faults(3)
print(page_faults(20) < 20)
"""
    assert run_here(code, **environment).strip() == kept


def test_another_allocator_is_left_alone() -> None:
    found = importlib.util.find_spec("ray")
    jemalloc = Path(str(found.origin)).with_name("core") / "libjemalloc.so" if found else Path("absent")
    if not jemalloc.exists():
        pytest.skip("no other allocator is installed")
    code = """
from gpscale.benchmark.allocator import freed_memory_kept
with freed_memory_kept() as kept:
    print(kept)
"""
    assert run_here(code, LD_PRELOAD=str(jemalloc)).strip() == "False"


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert allocator._glibc() is None
    with freed_memory_kept() as kept:
        assert kept is False


if __name__ == "__main__":
    main()
