"""The command that exports a model."""

from __future__ import annotations

import sys
from pathlib import Path

from gpscale.benchmark.timing import Timing
from gpscale.cli.output import print_json
from gpscale.export import base
from gpscale.export.exporting import PROTOCOL, Exported, Latency, export_model
from gpscale.export.parity import Parity
from gpscale.units import format_macs


def export(
    model: str,
    format: str,
    output: Path,
    weights: Path | None,
    data: str,
    images: int,
    num_classes: int | None,
    *,
    as_json: bool,
) -> None:
    """Export a model and print what was made of it."""
    found = export_model(
        model, format, output, weights=weights, data=data, images=images, num_classes=num_classes, tell=_tell
    )
    if as_json:
        print_json(found.to_dict())
    else:
        _print(found)


def _print(found: Exported) -> None:
    macs, params = found.model.chosen.count(found.model.num_classes)
    print(f"{found.file}: {base.get(found.format).title}, {found.size / 1e6:.2f} MB; {found.said['summary']}")
    print(
        f"model: {found.model.chosen.name}, {found.model.num_classes} classes, {format_macs(macs)} MACs, {params:,} "
        f"parameters; weights: {found.model.weights_in_words}"
    )
    if found.parity is None or found.latency is None:
        print(f"parity and latency: not measured; {found.why_not_run}")
    else:
        print(f"parity: {_parity(found.parity, found.data)}")
        print(f"latency: {_latency(found.latency)}")
    print(f"versions: {', '.join(f'{name} {version}' for name, version in found.versions.items())}")


def _parity(parity: Parity, data: str) -> str:
    return (
        f"logits differ from torch's by at most {parity.difference:.1e} (they reach {parity.largest:.2g}), same class "
        f"for {parity.same_class} of {parity.images} images of {data}"
    )


def _latency(latency: Latency) -> str:
    exported_cpu, torch_cpu = latency.cpu
    busy = "; others used the processor meanwhile, so take the processor times" if latency.shared else ""
    return (
        f"{_median(latency.exported)} ms, torch {_median(latency.torch)} ms; of the processor "
        f"{1e3 * exported_cpu:.2f} ms, torch {1e3 * torch_cpu:.2f} ms; medians of {PROTOCOL.runs} runs "
        f"in turns, batch {PROTOCOL.batch}, {PROTOCOL.threads} thread, {latency.processor}{busy}"
    )


def _median(timing: Timing) -> str:
    return f"{1e3 * timing.percentiles['p50']:.2f}"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
