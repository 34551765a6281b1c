"""Executors: run trials somewhere and say how they go. Nothing here imports torch before a trial starts."""

from gpscale.execution import local as local
from gpscale.execution.base import Ended, Event, Executor, Job, Progressed, Started, get, names
from gpscale.execution.local import LocalExecutor, usable_cores

__all__ = [
    "Ended",
    "Event",
    "Executor",
    "Job",
    "LocalExecutor",
    "Progressed",
    "Started",
    "get",
    "names",
    "usable_cores",
]
