"""Memory that a call needs beyond what the process holds already."""

from __future__ import annotations

import re
import resource
import sys
from collections.abc import Callable
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR_PEAK = Path("/proc/self/clear_refs")
_PAGE = 4


def extra_mebibytes(call: Callable[[], object]) -> float:
    """Return by how much the resident memory of this process rises at most while `call` runs, its result included."""
    if not _STATUS.exists():  # where there is no Linux: what rose above everything before
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        call()
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return max(after - before, _PAGE) / (2**20 if sys.platform == "darwin" else 2**10)
    _CLEAR_PEAK.write_text("5")
    before = _kibibytes("VmRSS")
    result = call()
    after = _kibibytes("VmHWM")
    del result
    # never nothing, so that there is a ratio
    return max(after - before, _PAGE) / 2**10


def _kibibytes(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])
