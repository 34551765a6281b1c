"""Where the time of a model goes, by module and operator, from torch's profiler."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gpscale.benchmark.allocator import freed_memory_kept
from gpscale.benchmark.latency import Benchmark, Tell, bench, open_session
from gpscale.benchmark.memory import within_memory
from gpscale.benchmark.operator_classes import CLASSES, classify, is_memory_bound
from gpscale.benchmark.protocol import Protocol
from gpscale.benchmark.timing import rotated, split_runs
from gpscale.errors import RuntimeChoiceError
from gpscale.families.named import find_model
from gpscale.threads import torch_threads

if TYPE_CHECKING:
    from torch import nn

RUNS, ROUNDS = 20, 5
"""Profiled runs of each model, and the turns in which they are made."""

_MARK, _RUN = "module:", "run:"
_NAMESPACE = "::"


@dataclasses.dataclass(frozen=True)
class OperatorTime:
    """One operator in one module.

    Attributes:
        module: Name of the module inside the model.
        kind: Name of the module's class.
        operator: Name of the operator.
        work: Its class, one of `CLASSES`.
        seconds: Mean time in a run.
        calls: Calls in a run.
        memory_bound: Whether it has neither a convolution nor a product of matrices.
    """

    module: str
    kind: str
    operator: str
    work: str
    seconds: float
    calls: int
    memory_bound: bool


@dataclasses.dataclass(frozen=True)
class Breakdown:
    """Where the time of one model goes.

    Attributes:
        model: Name with its size.
        seconds: Mean wall time of a run under the profiler, of the faster half of the runs.
        rows: The operators, those that take longest first.
    """

    model: str
    seconds: float
    rows: tuple[OperatorTime, ...]

    @property
    def by_class(self) -> dict[str, float]:
        """Seconds of a run by class, in the order of `CLASSES`."""
        return {work: sum(row.seconds for row in self.rows if row.work == work) for work in CLASSES}

    @property
    def unassigned(self) -> float:
        """Seconds of a run in no operator: Python between operators, and the profiler itself."""
        return self.seconds - sum(row.seconds for row in self.rows)

    @property
    def memory_bound(self) -> float:
        """Share of memory-bound operators in the time of all operators, in [0, 1]."""
        return sum(row.seconds for row in self.rows if row.memory_bound) / sum(row.seconds for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the breakdown as JSON values."""
        return {
            "model": self.model,
            "profiled_ms": 1e3 * self.seconds,
            "by_class_ms": {work: 1e3 * seconds for work, seconds in self.by_class.items()},
            "unassigned_ms": 1e3 * self.unassigned,
            "unassigned_share": self.unassigned / self.seconds,
            "memory_bound_share": self.memory_bound,
            "operators": [dataclasses.asdict(row) for row in self.rows],
        }


def break_down(
    models: Sequence[str],
    protocol: Protocol,
    *,
    device: str = "cpu",
    num_classes: int = 1000,
    runs: int = RUNS,
    tell: Tell = lambda text: None,
) -> tuple[Benchmark, list[Breakdown]]:
    """Time models with torch, then profile them, in turns.

    Args:
        models: Their names, as in `families.named.find_model`.
        protocol: How they are timed; batch, threads and folding hold for the profile too.
        device: `"cpu"` or `"cuda"`.
        num_classes: Outputs of the classifier.
        runs: Profiled runs of each model.
        tell: Called with what is being done.

    Raises:
        GpscaleError: As in `bench`.

    Example:
        >>> from gpscale.benchmark import protocol_of
        >>> quick = protocol_of("gpscale", runs=1, warm_up=0)
        >>> _, (found,) = break_down(["mobilenetv3_small_050@32"], quick, runs=1)
        >>> max(found.by_class, key=found.by_class.get) in CLASSES
        True
    """
    timed = bench(models, protocol, device=device, num_classes=num_classes, tell=tell)
    profilers = []
    with torch_threads(), freed_memory_kept():
        for row in timed.rows:
            tell(f"profiling {row.model} ...")
            model = find_model(row.model)
            built, session, _ = open_session(model, protocol, "torch", device, num_classes)
            run = within_memory(session.run, model, protocol, device)
            profilers.append(Profiler(row.model, built, run, device, warm_up=protocol.warm_up))
        for number, size in enumerate(split_runs(runs, ROUNDS)):
            for profiler in rotated(profilers, number):
                profiler.collect(size)
    return timed, [profiler.breakdown() for profiler in profilers]


class Profiler:
    """Profiles a model, some runs at a time, so that several can be profiled in turns.

    Modules are named by hooks, which take time: so operators are named in a run of their own, and met again in the
    same order in runs without hooks. Of these the faster half counts.
    """

    def __init__(self, name: str, model: nn.Module, run: Callable[[], None], device: str = "cpu", warm_up: int = 1):
        """Name the operators.

        Args:
            name: The model's name.
            model: It.
            run: Runs it once, and waits for the device.
            device: `"cpu"` or `"cuda"`.
            warm_up: Runs before, at least one.
        """
        self._name, self._model, self._run, self._device = name, model, run, device
        for _ in range(max(1, warm_up)):
            run()
        with _named_ranges(model):
            (self._named,) = _profiled([run], device)
        self._walls: list[float] = []
        self._seconds: list[list[float]] = []

    def collect(self, runs: int) -> None:
        """Profile some runs.

        Raises:
            RuntimeChoiceError: The model does not call the same operators in every run.
        """
        names = [event.name for event in self._named]
        self._run()  # not counted: what ran before left the caches full of something else
        for met in _profiled([self._timed] * runs, self._device):
            if [event.name for event in met] != names:
                raise RuntimeChoiceError(
                    "A model must call the same operators in every run. Got others from one run of "
                    f"{self._name} to the next. Time it without --by-operator."
                )
            self._seconds.append([_seconds(event, self._device) for event in met])

    def breakdown(self) -> Breakdown:
        """Return where the time goes, of all runs so far."""
        quiet = np.argsort(self._walls, kind="stable")[: (len(self._walls) + 1) // 2]
        spent = np.array(self._seconds)[quiet].mean(axis=0)
        calls = [(event.cpu_parent.name.removeprefix(_MARK), event.name) for event in self._named]
        seconds = float(np.array(self._walls)[quiet].mean())
        return Breakdown(self._name, seconds, _rows(self._model, calls, spent.tolist()))

    def _timed(self) -> None:
        begin = time.perf_counter()
        self._run()
        self._walls.append(time.perf_counter() - begin)


def _profiled(calls: Sequence[Callable[[], None]], device: str) -> list[list[Any]]:
    """Make calls under the profiler, and return for each the operators that modules call, in order of time.

    What an operator calls belongs to it and is left out.
    """
    import torch
    from torch.profiler import ProfilerActivity, record_function

    # else it writes on standard error that it starts, and that there is no graphics card
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device == "cuda" else [])]
    with torch.profiler.profile(activities=activities) as profiler:
        for number, call in enumerate(calls):
            with record_function(f"{_RUN}{number}"):
                call()
    found: list[list[Any]] = [[] for _ in calls]
    for event in sorted(profiler.events() or (), key=lambda event: event.time_range.start):
        above = event.cpu_parent
        if _NAMESPACE in event.name and above is not None and _NAMESPACE not in above.name:
            while above.cpu_parent is not None:
                above = above.cpu_parent
            if above.name.startswith(_RUN):
                found[int(above.name.removeprefix(_RUN))].append(event)
    return found


def _seconds(event: Any, device: str) -> float:
    microseconds: float = event.device_time_total if device == "cuda" else event.cpu_time_total
    return microseconds / 1e6


@contextlib.contextmanager
def _named_ranges(model: nn.Module) -> Iterator[None]:
    """Have the profiler see which module is running."""
    from torch.profiler import record_function

    open_ranges: list[Any] = []
    handles = []

    def enter(name: str) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            open_ranges.append(record_function(f"{_MARK}{name}"))
            open_ranges[-1].__enter__()

        return hook

    def leave(*_: Any) -> None:
        open_ranges.pop().__exit__(None, None, None)

    for name, module in model.named_modules():
        handles += [module.register_forward_pre_hook(enter(name)), module.register_forward_hook(leave)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _rows(model: nn.Module, calls: Sequence[tuple[str, str]], spent: Sequence[float]) -> tuple[OperatorTime, ...]:
    """Add up the calls by module and operator, those that take longest first."""
    modules = dict(model.named_modules())
    seconds: dict[tuple[str, str], list[float]] = {}
    for call, one in zip(calls, spent, strict=True):
        seconds.setdefault(call, []).append(one)
    rows = []
    for (path, operator), own in seconds.items():
        parts = path.split(".") if path else []
        chain = [modules[".".join(parts[:depth])] for depth in range(len(parts) + 1)]
        rows.append(
            OperatorTime(
                module=path,
                kind=type(chain[-1]).__name__,
                operator=operator.rpartition(_NAMESPACE)[2],
                work=classify(operator, path, chain),
                seconds=sum(own),
                calls=len(own),
                memory_bound=is_memory_bound(operator),
            )
        )
    return tuple(sorted(rows, key=lambda row: -row.seconds))
