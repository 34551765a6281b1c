"""The command that times models."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gpscale.benchmark.imported import read_timings
from gpscale.benchmark.latency import bench as time_models
from gpscale.benchmark.operators import break_down
from gpscale.benchmark.protocol import Protocol, protocol_of
from gpscale.benchmark.resolutions import measure_growth
from gpscale.cli import bench_tables
from gpscale.cli.output import print_json
from gpscale.errors import RuntimeChoiceError
from gpscale.execution.machine import usable_cores


@dataclasses.dataclass(frozen=True)
class How:
    """How and where models are timed.

    Attributes:
        protocol: Name of the protocol.
        changed: Its fields that are changed; None for those that are not.
        runtime: Name of the runtime.
        device: Name of the device.
        num_classes: Outputs of the classifier.
    """

    protocol: str
    changed: Mapping[str, int | bool | None]
    runtime: str
    device: str
    num_classes: int

    def resolve(self) -> Protocol:
        """Return the protocol."""
        return protocol_of(self.protocol, **self.changed)


def bench(
    models: Sequence[str],
    how: How,
    resolutions: Sequence[int],
    imported: Sequence[Path],
    figure: Path | None,
    *,
    by_operator: bool,
    as_json: bool,
) -> None:
    """Time models and print what was found; draw it where a figure is asked for."""
    _check_options(models, how, resolutions, imported, figure, by_operator=by_operator)
    if by_operator:
        _bench_by_operator(models, how, figure, as_json=as_json)
    elif resolutions:
        _bench_growth(models, how, resolutions, figure, as_json=as_json)
    else:
        _bench(models, how, imported, as_json=as_json)


def _bench(models: Sequence[str], how: How, imported: Sequence[Path], *, as_json: bool) -> None:
    others = [timing for file in imported for timing in read_timings(file, how.num_classes)]
    timed = time_models(models, how.resolve(), runtime=how.runtime, **_options(how)) if models else None
    if as_json:
        own = timed.to_dict() if timed is not None else {"models": []}
        for row in own["models"]:
            row["elsewhere"] = [other.to_dict() for other in others if other.model == row["model"]]
        print_json({**own, "imported": [other.to_dict() for other in others]})
    else:
        bench_tables.print_timings(timed, others)


def _bench_by_operator(models: Sequence[str], how: How, figure: Path | None, *, as_json: bool) -> None:
    timed, breakdowns = break_down(models, how.resolve(), **_options(how))
    if as_json:
        print_json({**timed.to_dict(), "operators": [found.to_dict() for found in breakdowns]})
    else:
        bench_tables.print_breakdowns(timed, breakdowns)
    if figure is not None:
        from gpscale.benchmark.figures import plot_operators

        _write(plot_operators(timed, breakdowns), figure)


def _bench_growth(
    models: Sequence[str], how: How, resolutions: Sequence[int], figure: Path | None, *, as_json: bool
) -> None:
    timed, growths = measure_growth(models, resolutions, how.resolve(), runtime=how.runtime, **_options(how))
    if as_json:
        print_json({**timed.to_dict(), "growth": [found.to_dict() for found in growths]})
    else:
        bench_tables.print_growth(timed, growths)
    if figure is not None:
        from gpscale.benchmark.figures import plot_growth

        _write(plot_growth(timed, growths), figure)


def _check_options(
    models: Sequence[str],
    how: How,
    resolutions: Sequence[int],
    imported: Sequence[Path],
    figure: Path | None,
    *,
    by_operator: bool,
) -> None:
    """Check that the options go together.

    Raises:
        RuntimeChoiceError: They do not.
    """
    asked = [
        name
        for name, given in (("--by-operator", by_operator), ("--resolutions", resolutions), ("--import", imported))
        if given
    ]
    if len(asked) > 1:
        raise RuntimeChoiceError(f"gpscale bench shows one thing at a time. Got {' and '.join(asked)}. Leave one out.")
    if not models and not imported:
        raise RuntimeChoiceError("gpscale bench must have a model, or timings to --import. Got none. Name one.")
    if by_operator and how.runtime != "torch":
        raise RuntimeChoiceError(f"--by-operator is of --runtime torch. Got {how.runtime}. Leave one of them out.")
    threads, cores = how.changed.get("threads"), usable_cores()
    if threads is not None and threads > cores:
        raise RuntimeChoiceError(f"--threads must be at most the usable cores. Got {threads} of {cores}. Take fewer.")
    if how.runtime == "onnxruntime" and how.changed.get("fold") is False:
        raise RuntimeChoiceError(
            "--no-fold is of --runtime torch: ONNX Runtime always folds batch normalisations. Got both. Leave one out."
        )
    if figure is None:
        return
    if not (by_operator or resolutions):
        raise RuntimeChoiceError("--figure must come with --by-operator or --resolutions. Got neither. Add one.")
    from gpscale.plotting.files import KNOWN_FORMATS

    if figure.suffix.removeprefix(".") not in KNOWN_FORMATS:
        endings = ", ".join(f".{kind}" for kind in KNOWN_FORMATS)
        raise RuntimeChoiceError(f"--figure must end in one of {endings}. Got {str(figure)!r}. Rename it.")


def _options(how: How) -> dict[str, Any]:
    return {"device": how.device, "num_classes": how.num_classes, "tell": _tell}


def _write(drawn: Any, file: Path) -> None:
    from gpscale.plotting.files import write_figure

    (written,) = write_figure(drawn, file.with_suffix(""), [file.suffix.removeprefix(".")])
    _tell(f"wrote {written}")


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
