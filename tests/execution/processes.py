"""Look at real processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Wait until the condition is met; False if it is not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return met


def is_alive(process: int) -> bool:
    """Say whether a process runs; one that is dead but not reaped by its parent does not."""
    try:
        os.kill(process, 0)
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # no /proc, or the process has gone between the two lines
        return not Path("/proc/self").exists()


def marked(mark: str) -> set[int]:
    """Find the live processes that have `mark` in their environment; children inherit it, however far down."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if mark.encode() in environment:
                found.add(int(entry.name))
    return found
