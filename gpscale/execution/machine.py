"""What trials run on here: versions, device, cores, threads, and the settings that decide how fast they are."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

PACKAGES = ("gpscale", "torch", "torchvision", "timm", "gpytorch", "botorch", "pymoo", "numpy")
"""Packages that a result depends on."""

_SETTINGS = (
    "OMP_",
    "MKL_",
    "OPENBLAS_",
    "MALLOC_",
    "GLIBC_TUNABLES",
    "LD_PRELOAD",
    "KMP_",
    "CUDA_",
    "PYTORCH_",
    "TORCH",
)
"""Beginnings of the environment variables that change speed, memory or rounding."""
_HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


ENVIRONMENT = {
    # two threads in each worker collapse now and then, and threads that are started before a fork are lost after it
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # glibc gives large blocks back at every free, and the kernel clears their pages anew at every step; kept, and in
    # huge pages where the kernel grants them, they made trainings at 96 and 128 px up to half as fast again
    "MALLOC_MMAP_THRESHOLD_": str(4 * 2**30),
    "MALLOC_TRIM_THRESHOLD_": str(16 * 2**30),
    "MALLOC_TOP_PAD_": str(64 * 2**20),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    # a worker that is killed has then written its log up to that moment
    "PYTHONUNBUFFERED": "1",
}
"""What the workers' environment has beyond the driver's."""


def describe_machine() -> dict[str, Any]:
    """Describe this machine and what is installed, as JSON values; imports torch.

    Returns:
        Versions; `device`, on which trials train; `cores` that this process may use and that there are; `threads` of
        torch in this process (a worker has one); `memory`, bytes; of the C library its name and version; what the
        environment sets for it and for torch, here and in workers.

    Example:
        >>> describe_machine()["device"] in ("cpu", "cuda")
        True
    """
    # before any library adds to it
    settings = {name: value for name, value in sorted(os.environ.items()) if name.startswith(_SETTINGS)}
    import torch

    return {
        "packages": versions(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": cpu_model(),
        "cores": {"usable": usable_cores(), "all": os.cpu_count()},
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "device": training_device(),
        "cards": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "threads": torch.get_num_threads(),
        "c_library": " ".join(platform.libc_ver()).strip(),
        "huge_pages": _HUGE_PAGES.read_text().strip() if _HUGE_PAGES.exists() else None,
        "environment": settings,
        "worker_environment": dict(ENVIRONMENT),
    }


def usable_cores() -> int:
    """Return how many cores this process may use: affinity and container limits count.

    Example:
        >>> usable_cores() >= 1
        True
    """
    import joblib

    return int(joblib.cpu_count())


def training_device() -> str:
    """Return torch's name of the device that trials train on: `"cuda"` where there is a graphics card, else `"cpu"`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def versions() -> dict[str, str]:
    """Return the version of each of `PACKAGES`, `"not installed"` where it is absent.

    Example:
        >>> versions().keys() == set(PACKAGES)
        True
    """
    found = dict.fromkeys(PACKAGES, "not installed")
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def oom_kills(process: Path = Path("/proc/self"), root: Path = Path("/sys/fs/cgroup")) -> int:
    """Return how many processes of this one's control group the kernel has killed for want of memory; 0 if untold.

    Args:
        process: Where the kernel describes the process.
        root: Where the control groups are mounted.
    """
    with contextlib.suppress(OSError, ValueError, KeyError):
        for line in (process / "cgroup").read_text().splitlines():
            number, controllers, group = line.split(":", 2)
            # of version 2 all controllers are in one tree, of version 1 each has its own
            if number == "0":
                tree, name = root, "memory.events"
            elif "memory" in controllers.split(","):
                tree, name = root / "memory", "memory.oom_control"
            else:
                continue
            # in a container the group that is named may be the root of what is mounted
            for file in (tree / group.lstrip("/") / name, tree / name):
                if file.exists():
                    return int(dict(said.split() for said in file.read_text().splitlines())["oom_kill"])
    return 0


def cpu_model() -> str:
    """Return the processor's model name, or its kind where the system does not say."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return platform.processor() or platform.machine()
