"""The machine's own counters of energy: the processor's (RAPL, through Linux' powercap) and an NVIDIA card's (NVML).

They count the whole processor package or card, whoever uses it: measure on a machine that does nothing else. The power
of the idle machine, measured just before, is taken off, as in the EdgeViT paper.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

POWERCAP = Path("/sys/class/powercap")

_IDLE_SECONDS = 2.0


@dataclasses.dataclass(frozen=True)
class EnergyMeter:
    """What counts energy, or why nothing does.

    Attributes:
        name: What counts: `"RAPL"`, `"NVML"`; empty where nothing does.
        read: Returns joules used so far; None where nothing counts.
        reason: Why nothing counts; empty where something does.
    """

    name: str
    read: Callable[[], float] | None
    reason: str = ""

    def idle_watts(self, seconds: float = _IDLE_SECONDS) -> float:
        """Measure the power of the machine while this process waits, watts; 0 where nothing counts."""
        if self.read is None:
            return 0.0
        before, begin = self.read(), time.perf_counter()
        time.sleep(seconds)
        return (self.read() - before) / (time.perf_counter() - begin)


def find_meter(device: str, powercap: Path = POWERCAP) -> EnergyMeter:
    """Find what counts the energy of a device.

    Args:
        device: `"cpu"` or `"cuda"`.
        powercap: Directory of Linux' powercap.

    Example:
        >>> find_meter("cpu", Path("absent")).reason
        'not measurable here: this system shows no energy counter of the processor (absent)'
    """
    return _nvml() if device == "cuda" else _rapl(powercap)


def _rapl(powercap: Path) -> EnergyMeter:
    # packages have one colon in their names, their parts two; the parts are counted in the packages
    packages = [path for path in sorted(powercap.glob("*-rapl:*")) if path.name.count(":") == 1]
    if not packages:
        return EnergyMeter(
            "", None, f"not measurable here: this system shows no energy counter of the processor ({powercap})"
        )
    counters = []
    try:
        for package in packages:
            limit = int((package / "max_energy_range_uj").read_text())
            counters.append(_Unwrapped(package / "energy_uj", limit))
    except OSError as error:
        return EnergyMeter(
            "", None, f"not measurable here: {error.filename} must be readable ({error.strerror}); run as its owner"
        )
    return EnergyMeter("RAPL", lambda: sum(counter.read() for counter in counters) / 1e6)


class _Unwrapped:
    """A counter that starts over at its limit."""

    def __init__(self, file: Path, limit: int):
        self._file, self._limit = file, limit
        self._last, self._total = int(file.read_text()), 0

    def read(self) -> int:
        """Return microjoules since it was made; it must be read more often than it starts over."""
        now = int(self._file.read_text())
        self._total += (now - self._last) % (self._limit + 1)
        self._last = now
        return self._total


def _nvml() -> EnergyMeter:
    if importlib.util.find_spec("pynvml") is None:
        return EnergyMeter(
            "", None, 'not measurable here: nvidia-ml-py is not installed (pip install "gpscale[energy]")'
        )
    import pynvml
    import torch

    try:
        pynvml.nvmlInit()
        # torch may number cards otherwise than NVML does
        card: Any = None
        with contextlib.suppress(AttributeError):
            card = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(0).uuid}")
        if card is None:
            card = pynvml.nvmlDeviceGetHandleByIndex(0)
        pynvml.nvmlDeviceGetTotalEnergyConsumption(card)
    except pynvml.NVMLError as error:
        return EnergyMeter("", None, f"not measurable here: the card has no energy counter ({error})")
    return EnergyMeter("NVML", lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(card) / 1e3)
