"""Look at real processes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


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


def with_descendants(processes: Iterable[int]) -> set[int]:
    """Add to processes all that have come of them and still have a parent among them."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found: set[int] = set()
    new = set(processes)
    while new:
        found |= new
        new = {process for process, parent in parents.items() if parent in new} - found
    return found


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


@contextlib.contextmanager
def python(code: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run code in another interpreter, which is killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
