"""Memory that is freed stays with the process while models are timed.

glibc gives large blocks back to the kernel at every free, and the kernel clears their pages anew when the next layer
asks for as much: in MobileNetV2 at 224 px, whose maps are large, that took more than half of the time and put models in
another order. Runtimes that deploy models keep their memory, and so does a model that is timed here.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
"""Names of the settings in glibc's malloc.h."""
_NEVER = -1
_DEFAULTS = ((_MMAP_MAX, 65536), (_TRIM_THRESHOLD, 128 * 1024), (_MMAP_THRESHOLD, 128 * 1024))


@contextlib.contextmanager
def freed_memory_kept() -> Iterator[bool]:
    """Keep freed memory for the next layer where the C library is glibc, and give it back at the end.

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
    library.mallopt(_MMAP_MAX, 0)
    library.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield True
    finally:
        for setting, value in _DEFAULTS:
            library.mallopt(setting, value)
        library.malloc_trim(0)


def _glibc() -> Any:
    """Return the C library of this process if it is glibc."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        return library if library.gnu_get_libc_version else None
    return None
