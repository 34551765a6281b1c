"""How fast models are on this machine.

>>> from gpscale.benchmark import PROTOCOLS
>>> sorted(PROTOCOLS)
['edgevit', 'efficientformer', 'gpscale', 'msra']
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpscale.benchmark.latency import Benchmark, bench
    from gpscale.benchmark.protocol import PROTOCOLS, Protocol, protocol_of

__all__ = ["PROTOCOLS", "Benchmark", "Protocol", "bench", "protocol_of"]

_HOMES = {"Benchmark": "latency", "bench": "latency"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'protocol')}"), name)
