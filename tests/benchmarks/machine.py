"""On what and with which versions was measured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

from gpscale.execution import usable_cores

PACKAGES = ("gpscale", "torch", "torchvision", "timm", "numpy", "scikit-learn", "pillow", "typer", "ray", "optuna")


def describe_machine() -> dict[str, Any]:
    """Return hardware, load and versions, as JSON values."""
    return {
        "cpu": _cpu_model(),
        "usable_cores": usable_cores(),
        # numbers of a busy machine are to be read with care: work of others shows here
        "load_average": [round(value, 2) for value in os.getloadavg()],
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }


def _cpu_model() -> str:
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())
