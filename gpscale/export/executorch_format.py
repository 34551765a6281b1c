"""ExecuTorch with the XNNPACK backend; what the file says of itself is JSON that its method `gpscale` returns."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gpscale.export.base import Answer, check_packages

EXTRA = "executorch"
FACTS_METHOD = "gpscale"

_CHOOSES_ONE = "getitem"
"""Takes one output of an operator that has several; it computes nothing."""
_NAMED = 4


class Writer:
    """Writes ExecuTorch; see `export.Format`."""

    title = "ExecuTorch"
    suffixes = (".pte",)
    is_folder = False
    why_not_run = ""

    def check_installed(self) -> None:
        """Check that ExecuTorch is installed."""
        check_packages(self.title, ["executorch"], EXTRA)

    def write(self, model: nn.Module, images: Tensor, facts: Mapping[str, str], file: Path) -> dict[str, Any]:
        """Write a model; operators that XNNPACK does not take run by ExecuTorch's portable kernels."""
        from executorch.backends.xnnpack.partition.config import ALL_PARTITIONER_CONFIGS as taken
        from executorch.backends.xnnpack.partition.config.generic_node_configs import SoftmaxConfig
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.devtools.backend_debug import get_delegation_info
        from executorch.exir import to_edge_transform_and_lower

        # XNNPACK keeps what a convolution makes with channels last, and ExecuTorch 1.5 has it take the softmax of that
        # over the channels, whatever the model says: EfficientFormerV2's logits were off by 0.3
        lowered = to_edge_transform_and_lower(
            torch.export.export(model, (images,)),
            partitioner=[XnnpackPartitioner(configs=[config for config in taken if config is not SoftmaxConfig])],
            constant_methods={FACTS_METHOD: json.dumps(dict(facts))},
        )
        said = _delegation(get_delegation_info(lowered.exported_program().graph_module))
        file.write_bytes(lowered.to_executorch().buffer)
        return said

    def open(self, file: Path) -> Answer:
        """Load a file."""
        with _native_messages_dropped():
            from executorch.extension.pybindings import portable_lib
            from executorch.runtime import Runtime

            # its pool of threads is one for the whole process, with as many threads as cores
            portable_lib._unsafe_reset_threadpool(1)
            method = Runtime.get().load_program(file).load_method("forward")

        def answer(images: NDArray[Any]) -> NDArray[Any]:
            return np.asarray(method.execute([torch.from_numpy(images)])[0])

        return answer

    def versions(self) -> dict[str, str]:
        """Return the version of ExecuTorch."""
        return {"executorch": importlib.metadata.version("executorch")}


def _delegation(info: Any) -> dict[str, Any]:
    """Say which operators XNNPACK runs."""
    rows = {
        name.removeprefix("aten_").removeprefix("_").removesuffix("_default"): row
        for name, row in info.delegation_by_operator.items()
        if name != _CHOOSES_ONE
    }
    delegated = sum(row.delegated for row in rows.values())
    others = {name: row.non_delegated for name, row in rows.items() if row.non_delegated}
    total, parts = delegated + sum(others.values()), info.num_delegated_subgraphs
    named = sorted(others, key=lambda name: (-others[name], name))
    more = [f"{sum(others[name] for name in named[_NAMED:])} more"] if len(named) > _NAMED else []
    rest = f"; not {', '.join([f'{others[name]} {name}' for name in named[:_NAMED]] + more)}" if others else ""
    return {
        "delegated": {"operators": delegated, "of": total, "parts": parts, "others": others},
        "summary": f"XNNPACK runs {delegated} of {total} operators ({delegated / total:.0%}) in {parts} parts{rest}",
    }


@contextlib.contextmanager
def _native_messages_dropped() -> Iterator[None]:
    """Drop what C++ writes to standard error: what it found out about the processor, at every start."""
    kept = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)
