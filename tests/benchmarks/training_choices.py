"""What each choice of the training is worth, on one core: the training as it is against the same with one undone.

Rows without a goal tell what was tried and is not done, and where the time of a step goes.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import dataclasses
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from gpscale.execution.fork_server import ForkServer
from gpscale.execution.machine import ENVIRONMENT
from gpscale.execution.worker import PRELOAD
from gpscale.training.data.config import DataConfig
from gpscale.training.data.store import ImageStore
from gpscale.training.evaluate import EVALUATION_BATCH
from tests.benchmarks.measuring import Goal, Row, Side, interleaved, medians
from tests.benchmarks.training_ours import PARTS, Variant, profile
from tests.benchmarks.training_speed import forked, steps_per_second
from tests.benchmarks.training_workload import STORED_PIXELS, Workload

BASE = "mobilevitv2_050@96"
NO_ALLOCATOR = {name: value for name, value in ENVIRONMENT.items() if "MALLOC" not in name and "GLIBC" not in name}

PAYS = Goal("faster", lambda row: row.ratio > 1)


def measure(smoke: bool) -> list[Row]:
    """Return a row for each choice, then one for the convolutions of a step against all of it."""
    rounds, seconds = (1, 0.0) if smoke else (5, 4.0)
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        ImageStore.prepare(DataConfig(stored_pixels=STORED_PIXELS), Path(directory), STORED_PIXELS)
        workload = Workload(directory, "mobilevitv2_050@32" if smoke else BASE, 4 if smoke else 32)
        larger = dataclasses.replace(workload, batch_size=4 * workload.batch_size)
        settings: dict[str, tuple[Workload, Variant, Mapping[str, str]]] = {
            "ours": (workload, Variant.OURS, ENVIRONMENT),
            "allocator": (workload, Variant.OURS, NO_ALLOCATOR),
            "order": (workload, Variant.CHANNELS_FIRST, ENVIRONMENT),
            "optimizer": (workload, Variant.FOREACH_OPTIMIZER, ENVIRONMENT),
            "average": (workload, Variant.NO_AVERAGE, ENVIRONMENT),
            "silu": (workload, Variant.NEW_TENSOR_SILU, ENVIRONMENT),
            "compiled": (workload, Variant.COMPILED, ENVIRONMENT),
            "batch": (larger, Variant.OURS, ENVIRONMENT),
            "validation": (workload, Variant.VALIDATION, ENVIRONMENT),
            "folded": (workload, Variant.FOLDED_VALIDATION, ENVIRONMENT),
        }
        if smoke:
            # compiling takes longer than all the rest
            del settings["compiled"]
        environments = [ENVIRONMENT, NO_ALLOCATOR]
        tcmalloc = ctypes.util.find_library("tcmalloc_minimal")
        if tcmalloc:
            environments.append({**NO_ALLOCATOR, "LD_PRELOAD": tcmalloc})
            settings["tcmalloc"] = (workload, Variant.OURS, environments[-1])
        sides = {}
        # those with the same environment share a server, because each server imports torch
        for environment in environments:
            names = [name for name, (_, _, own) in settings.items() if own is environment]
            processes = stack.enter_context(forked([settings[name][:2] for name in names], environment))
            sides |= {
                name: steps_per_second([process], seconds) for name, process in zip(names, processes, strict=True)
            }
        found = medians(interleaved(sides, rounds, warm_up=0 if smoke else 1))
        parts = _step_parts(workload, 2 if smoke else 20)
    images = {name: work.batch_size for name, (work, _, _) in settings.items()}
    images |= dict.fromkeys(("validation", "folded"), EVALUATION_BATCH)
    speed = {name: images[name] * value for name, value in found.items()}
    what = f"training {workload.base}, batches of {workload.batch_size}"
    ours = Side("as it is", "1", speed["ours"])
    return [
        *(
            Row(f"{what}: {choice}", "1/s", ours, Side(undone, "1", speed[name]), goal, rounds)
            for name, choice, undone, goal in (
                ("allocator", "freed memory kept, huge pages", "the C library's own settings", PAYS),
                ("order", "channels last", "channels first", PAYS),
                ("optimizer", "fused AdamW", "AdamW by torch's foreach", PAYS),
                ("average", "averaged weights, what they cost", "none", None),
                ("silu", "SiLU in place", "in a new tensor", None),
                ("compiled", "not compiled", "torch.compile, its compiling left out", None),
                ("batch", "batch size", f"batches of {larger.batch_size}", None),
                ("tcmalloc", "allocator again", "tcmalloc", None),
            )
            if name in speed
        ),
        Row(
            what=f"validating {workload.base}: batch norms as they are",
            unit="1/s",
            ours=Side("as it is", "1", speed["validation"]),
            peer=Side("folded into the convolutions", "1", speed["folded"]),
            goal=None,
            rounds=rounds,
        ),
        Row(
            what=f"{what}: a step against its convolutions",
            unit="s",
            ours=Side("all operators, under torch's profiler", "1", sum(parts.values())),
            peer=Side("convolutions, forward and backward", "1", parts["convolution"]),
            goal=None,
            rounds=1,
            details={f"{part}, s a step": parts[part] for part in PARTS},
        ),
    ]


def _step_parts(workload: Workload, count: int) -> dict[str, float]:
    """Profile steps in a process as a sweep's workers are."""
    read_end, write_end = os.pipe()
    server = ForkServer(PRELOAD, ENVIRONMENT, keep=[write_end])
    try:
        server.start("profile", profile, workload, count, write_end)
        _, status = server.next_exit()
        if status:
            raise RuntimeError("The process that profiles ended early; its message is above.")
        # not to its end, which the server holds open
        parts: dict[str, float] = json.loads(os.read(read_end, 1 << 16))
        return parts
    finally:
        server.close()
        os.close(read_end)
        os.close(write_end)
