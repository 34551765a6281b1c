"""Runtimes: what runs a built model, and how it is handed over.

>>> from gpscale.runtimes import RUNTIMES
>>> sorted(RUNTIMES)
['onnxruntime', 'torch']
"""

from gpscale.runtimes.base import RUNTIMES, Runtime, Session, get

__all__ = ["RUNTIMES", "Runtime", "Session", "get"]
