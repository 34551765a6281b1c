"""How fast models are: latency, throughput and energy on this machine, side by side."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpscale import runtimes
from gpscale.benchmark.allocator import freed_memory_kept
from gpscale.benchmark.energy import EnergyMeter, find_meter
from gpscale.benchmark.memory import within_memory
from gpscale.benchmark.protocol import PROTOCOLS, Protocol
from gpscale.benchmark.timing import Timing, time_in_turns
from gpscale.execution.machine import cpu_model, describe_machine
from gpscale.families.named import NamedModel, find_model
from gpscale.runtimes import Session
from gpscale.threads import torch_threads

if TYPE_CHECKING:
    from torch import nn

SEED = 0

Tell = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Timed:
    """One model and its times.

    Attributes:
        model: Name with its size.
        macs: Multiply-accumulates of one image.
        params: Number of parameters.
        timing: Its times.
        folded: Batch normalisations that were folded, and those that were left; None where the protocol folds none.
    """

    model: str
    macs: int
    params: int
    timing: Timing
    folded: tuple[int, int] | None = None


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """Models timed together.

    Attributes:
        protocol: How they were timed.
        conditions: On what, with which versions; JSON values.
        rows: The models, in the order that was asked for.
        energy: What counted the energy, or why nothing did.

    Example:
        >>> from gpscale.benchmark.protocol import Protocol
        >>> found: Benchmark = bench(["mobilenetv3_small_050@32"], Protocol("quick", "median", runs=2, rounds=1))
        >>> found.conditions["dtype"]
        'float32'
    """

    protocol: Protocol
    conditions: dict[str, Any]
    rows: tuple[Timed, ...]
    energy: EnergyMeter

    @property
    def shared(self) -> bool:
        """Whether others have used the cores meanwhile, as far as one thread on the CPU can tell."""
        alone = self.conditions["device"] == "cpu" and self.protocol.threads == 1
        return alone and any(row.timing.shared for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the benchmark as JSON values."""
        first = self.rows[0].timing
        rows = []
        for row in self.rows:
            ratio = _ratio(row.timing, first)
            cpu_ratio = _ratio(row.timing.processor, first.processor)
            folded = None if row.folded is None else dict(zip(("folded", "left"), row.folded, strict=True))
            counts = {"model": row.model, "macs": row.macs, "params": row.params}
            ratios = {"over_first": ratio, "cpu_over_first": cpu_ratio}
            rows.append({**counts, **row.timing.to_dict(), **ratios, "batch_norms": folded})
        return {
            "protocol": dataclasses.asdict(self.protocol),
            "conditions": self.conditions,
            "cores_shared": self.shared,
            "energy": {"counter": self.energy.name or None, "reason": self.energy.reason or None},
            "models": rows,
        }


def _ratio(timing: Timing, first: Timing) -> dict[str, float]:
    return dict(zip(("median", "low", "high"), timing.ratio_to(first), strict=True))


def bench(
    models: Sequence[str | NamedModel],
    protocol: Protocol = PROTOCOLS["gpscale"],
    *,
    runtime: str = "torch",
    device: str = "cpu",
    num_classes: int = 1000,
    tell: Tell = lambda text: None,
) -> Benchmark:
    """Time models against each other.

    Args:
        models: They, or their names as in `families.named.find_model`.
        protocol: How.
        runtime: One of `runtimes.RUNTIMES`.
        device: `"cpu"` or `"cuda"`.
        num_classes: Outputs of the classifier.
        tell: Called with what is being done.

    Raises:
        DeviceError: The device is not there.
        ImageSizeError: A model cannot take images of its size.
        MissingPackageError: The runtime is not installed.
        OutOfMemoryError: A model does not fit into memory.
        RuntimeChoiceError: The runtime cannot run a model.
        UnknownNameError: There is no such model, runtime or device.

    Example:
        >>> from gpscale.benchmark.protocol import protocol_of
        >>> found = bench(["mobilenetv3_small_050@32"], protocol_of("edgevit", runs=2, warm_up=0))
        >>> found.rows[0].model, len(found.rows[0].timing.seconds)
        ('mobilenetv3_small_050@32', 2)
    """
    chosen = runtimes.get(runtime)
    chosen.check(device)
    found = {one.name: one for one in (find_model(model) if isinstance(model, str) else model for model in models)}
    counts = {name: model.count(num_classes) for name, model in found.items()}
    conditions = _conditions(runtime, device, protocol.threads, chosen.versions())
    meter = find_meter(device)
    runs: dict[str, Callable[[], None]] = {}
    folded: dict[str, tuple[int, int] | None] = {}
    with torch_threads(), freed_memory_kept() as kept:
        conditions["freed_memory"] = "kept" if kept else "as the C library does"
        for name, model in found.items():
            tell(f"preparing {name} ...")
            _, session, folded[name] = open_session(model, protocol, runtime, device, num_classes)
            runs[name] = within_memory(session.run, model, protocol, device)
        tell(f"timing {len(found)} model{'s' if len(found) > 1 else ''} ...")
        timings = time_in_turns(
            runs,
            protocol.runs,
            protocol.rounds,
            protocol.warm_up,
            batch=protocol.batch,
            read_energy=meter.read,
            idle_watts=meter.idle_watts(),
            on_round=lambda done, rounds: tell(f"round {done} of {rounds}"),
        )
    conditions["load_average"]["after"] = _load()
    rows = tuple(Timed(name, *counts[name], timings[name], folded[name]) for name in found)
    return Benchmark(protocol, conditions, rows, meter)


def open_session(
    model: NamedModel, protocol: Protocol, runtime: str, device: str, num_classes: int
) -> tuple[nn.Module, Session, tuple[int, int] | None]:
    """Build a model in the form that is deployed, with random weights, and hand it to a runtime with random images.

    Returns:
        It, in evaluation mode; what runs it; and how many batch normalisations were folded and how many were left, None
        where the protocol folds none, or leaves it to the runtime.

    Raises:
        OutOfMemoryError: It does not fit into memory.
        RuntimeChoiceError: The runtime cannot take it.
    """

    def opened() -> tuple[nn.Module, Session, tuple[int, int] | None]:
        images = _random_images(model, protocol)
        built, folded = _build(model, images[:1], protocol, runtime, num_classes)
        session = runtimes.get(runtime).open(built, images, device=device, threads=protocol.threads)
        return built, session, folded

    return within_memory(opened, model, protocol, device)()


def _build(
    model: NamedModel, image: NDArray[np.float32], protocol: Protocol, runtime: str, num_classes: int
) -> tuple[nn.Module, tuple[int, int] | None]:
    import torch

    from gpscale.runtimes.folding import fold_batch_norms

    with torch.random.fork_rng():  # the global generator belongs to the caller
        torch.manual_seed(SEED)
        built = model.inference_form(model.build(num_classes).eval()).eval()
    if not protocol.fold or runtime != "torch":
        return built, None
    folded = fold_batch_norms(built, torch.from_numpy(image))
    return folded.model, (folded.folded, folded.left)


def _random_images(model: NamedModel, protocol: Protocol) -> NDArray[np.float32]:
    """Return what models are timed on, shape (batch, 3, height, width), float32, standard normal."""
    shape = (protocol.batch, 3, *model.image_size)
    return np.random.default_rng(SEED).standard_normal(shape, dtype=np.float32)


def _conditions(runtime: str, device: str, threads: int, versions: dict[str, str]) -> dict[str, Any]:
    """Return on what is measured, as JSON values."""
    machine = describe_machine()
    return {
        "device": device,
        "processor": machine["cards"][0] if device == "cuda" else cpu_model(),
        "cores": machine["cores"],
        "threads": threads,
        "dtype": "float32",
        "memory_format": "contiguous (NCHW)",
        "runtime": runtime,
        "versions": {**{name: machine["packages"][name] for name in ("gpscale", "torch", "timm", "numpy")}, **versions},
        "python": machine["python"],
        "system": machine["system"],
        "environment": machine["environment"],
        "load_average": {"before": _load(), "after": None},
    }


def _load() -> float | None:
    """Return the load average of the last minute: work of others shows here."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
