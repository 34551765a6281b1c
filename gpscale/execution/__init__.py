"""Executors: run trials somewhere and say how they go. Nothing here imports torch before a trial starts.

>>> from gpscale.execution import Event, Started
>>> isinstance(Started("0123456789abcdef"), Event)
True
"""

from gpscale.execution import local as local
from gpscale.execution import ray as ray
from gpscale.execution import replay as replay
from gpscale.execution.base import Ended, Event, Executor, Job, Progressed, Started, get, names
from gpscale.execution.local import LocalExecutor
from gpscale.execution.machine import usable_cores
from gpscale.execution.ray import RayExecutor
from gpscale.execution.replay import ReplayExecutor
from gpscale.execution.stored import StoredTrials

__all__ = [
    "Ended",
    "Event",
    "Executor",
    "Job",
    "LocalExecutor",
    "Progressed",
    "RayExecutor",
    "ReplayExecutor",
    "Started",
    "StoredTrials",
    "get",
    "names",
    "usable_cores",
]
