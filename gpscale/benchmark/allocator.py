"""Memory that is freed stays with the process while models are timed.

glibc gives large blocks back to the kernel at every free, and the kernel clears their pages anew when the next layer
asks for as much: in MobileNetV2 at 224 px, whose maps are large, that took more than half of the time and put models in
another order. Runtimes that deploy models keep their memory, and so does a model that is timed here.

glibc does not tell its settings. What is put back is what the environment sets (`MALLOC_...` or `GLIBC_TUNABLES`), else
what glibc begins with: a threshold that it had moved by itself, as it does while none is set, begins anew and stays.
Another allocator (tcmalloc, jemalloc ...) has settings of its own and is left alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator, Mapping
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
"""Names of the settings in glibc's malloc.h."""
_NEVER = -1
_SETTINGS = {
    _MMAP_MAX: ("mmap_max", 65536),
    _TRIM_THRESHOLD: ("trim_threshold", 128 * 1024),
    _MMAP_THRESHOLD: ("mmap_threshold", 128 * 1024),
}
"""What each is called in the environment, and what glibc begins with."""
_LARGEST = 2**31 - 1
"""That glibc's function takes."""


@contextlib.contextmanager
def freed_memory_kept() -> Iterator[bool]:
    """Keep freed memory for the next layer where memory is glibc's, and give it back at the end.

    Yields:
        Whether it is kept.

    Example:
        >>> with freed_memory_kept() as kept:
        ...     kept in (True, False)
        True
    """
    library = _glibc()
    if library is None:
        yield False
        return
    before = settings_of(os.environ)
    library.mallopt(_MMAP_MAX, 0)
    library.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield True
    finally:
        for setting, value in before.items():
            library.mallopt(setting, value)
        library.malloc_trim(0)


def settings_of(environment: Mapping[str, str]) -> dict[int, int]:
    """Return what glibc's allocator begins with in an environment, by the settings' numbers in malloc.h.

    Args:
        environment: `GLIBC_TUNABLES` goes before the older names.

    Example:
        >>> settings_of({"MALLOC_MMAP_MAX_": "0", "GLIBC_TUNABLES": "glibc.malloc.trim_threshold=0x100000"})
        {-4: 0, -1: 1048576, -3: 131072}
    """
    tunables = dict(
        part.split("=", 1) for part in environment.get("GLIBC_TUNABLES", "").split(":") if part.count("=") == 1
    )
    found = {}
    for setting, (name, default) in _SETTINGS.items():
        texts = tunables.get(f"glibc.malloc.{name}"), environment.get(f"MALLOC_{name.upper()}_")
        values = [value for text in texts if (value := _number(text)) is not None]
        found[setting] = min(values[0], _LARGEST) if values else default
    return found


def _number(text: str | None) -> int | None:
    """Read a number as glibc does, decimal or hexadecimal; None where it is none, which glibc passes over."""
    with contextlib.suppress(ValueError):
        return int(text or "", 0)
    return None


def _glibc() -> Any:
    """Return glibc if this process has its memory from it."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        process, glibc = ctypes.CDLL(None), ctypes.CDLL("libc.so.6")
        # torch and numpy ask through these; whatever replaces the allocator comes before glibc
        if glibc.mallopt and all(
            ctypes.cast(getattr(process, name), ctypes.c_void_p).value
            == ctypes.cast(getattr(glibc, name), ctypes.c_void_p).value
            for name in ("posix_memalign", "calloc")
        ):
            return glibc
    return None
