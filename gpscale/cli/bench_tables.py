"""The tables of `gpscale bench`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from gpscale.benchmark.imported import ImportedTiming, by_place
from gpscale.benchmark.latency import Benchmark, Timed
from gpscale.benchmark.operator_classes import CLASSES
from gpscale.benchmark.operators import Breakdown
from gpscale.benchmark.resolutions import Growth
from gpscale.benchmark.timing import Timing
from gpscale.cli.output import console
from gpscale.units import format_macs

_SHORT = {"convolution": "conv.", "normalisation": "norm.", "activation": "act."}

_OVER = "over the first"
_SHOWN = 10
"""Operators that are printed of each model."""


def print_timings(found: Benchmark | None, imported: Sequence[ImportedTiming]) -> None:
    """Print models that were timed here, beside them what other places have of them, and below all of the others."""
    if found is not None:
        print_conditions(found)
        _print_timed(found)
        _print_others(found, imported)
    if imported:
        print("\ntimed elsewhere:" if found is not None else "timed elsewhere:")
        _print_imported(imported)


def _print_timed(found: Benchmark) -> None:
    several = len(found.rows) > 1
    energy = bool(found.rows[0].timing.joules)
    table = _table("model", "parameters", "MACs", "mean", "sd", "p10", "p50", "p90", "p99", "images/s")
    for head in [*(["J/image"] if energy else []), *([_OVER] if several else [])]:
        table.add_column(head, justify="right")
    for row in found.rows:
        table.add_row(*_cells(row, found, several=several))
    console().print(table)
    compared = f"; {_OVER}: median of the rounds' ratios (lowest to highest)" if several else ""
    print(f"times of a run in ms; the protocol is about the {found.protocol.statistic}{compared}")
    if found.energy.name:
        print(f"energy: {found.energy.name}, power of the idle machine taken off")
    else:
        print(f"energy: {found.energy.reason}")


def _cells(row: Timed, found: Benchmark, *, several: bool) -> list[str]:
    timing = row.timing
    numbers = [timing.mean, timing.sd, *timing.percentiles.values()]
    cells = [row.model, format_macs(row.params), format_macs(row.macs), *map(_milliseconds, numbers)]
    cells.append(f"{timing.images_per_second:,.1f}")
    if timing.joules_per_image is not None:
        cells.append(f"{timing.joules_per_image:.3g}")
    if several:
        cells.append(_ratio(timing, found.rows[0].timing))
    return cells


def _ratio(timing: Timing, first: Timing) -> str:
    middle, low, high = timing.ratio_to(first)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def _print_others(found: Benchmark, imported: Sequence[ImportedTiming]) -> None:
    """Print processor times where the cores were shared, and times of other places where there are any."""
    elsewhere = by_place(imported, [row.model for row in found.rows])
    if not (found.shared or elsewhere):
        return
    print()
    first = found.rows[0]
    columns = 2 if len(found.rows) > 1 else 1  # a single model is compared with none
    heads = [(name, _OVER)[:columns] for name in (*(["processor time"] if found.shared else []), *elsewhere)]
    table = _table("model", *itertools.chain(*heads))
    for row in found.rows:
        own = row.timing.processor
        cells = [(_milliseconds(own.percentiles["p50"]), _ratio(own, first.timing.processor))] if found.shared else []
        cells += [_of_other_place(timings, row.model, first.model) for timings in elsewhere.values()]
        table.add_row(row.model, *(text for pair in cells for text in pair[:columns]))
    console().print(table)
    if elsewhere:
        print("other places: means, in ms")
    _print_shared(found, "processor time (medians, in ms)")


def _of_other_place(timings: Mapping[str, ImportedTiming], model: str, first: str) -> tuple[str, str]:
    """Return the time that another place has of a model, and how it compares with the first model there."""
    own, other = timings.get(model), timings.get(first)
    return (
        "-" if own is None else f"{own.mean_ms:,.2f}",
        "-" if own is None or other is None else f"{own.mean_ms / other.mean_ms:.2f}",
    )


def _print_shared(found: Benchmark, instead: str) -> None:
    """Say that others have used the cores, if they have, and what they have not changed."""
    if found.shared:
        shares = [f"{share:.0%}" for share in sorted(row.timing.own_share for row in found.rows)]
        had = shares[0] if shares[0] == shares[-1] else f"{shares[0]} to {shares[-1]}"
        print(
            f"the cores were shared: a run had one for {had} of its time, and long runs wait more often than short "
            f"ones; compare models by {instead}"
        )


def _print_imported(rows: Sequence[ImportedTiming]) -> None:
    table = _table("model", "parameters", "MACs", "mean", "sd", "batch", "images/s")
    for head in ("device", "runtime", "threads", "dtype", "runs", "of"):
        table.add_column(head)
    sources: dict[str, int] = {}
    for row in rows:
        source = f"[{sources.setdefault(row.source, len(sources) + 1)}]" if row.source else "-"
        table.add_row(
            row.model,
            format_macs(row.params),
            format_macs(row.macs),
            f"{row.mean_ms:,.2f}",
            "-" if row.sd_ms is None else f"{row.sd_ms:,.2f}",
            str(row.batch),
            f"{row.images_per_second:,.1f}",
            *(text or "-" for text in (row.device, row.runtime, row.threads, row.dtype, row.runs)),
            source,
        )
    console().print(table)
    for source, number in sources.items():
        print(f"[{number}] {source}")


def print_breakdowns(timed: Benchmark, breakdowns: Sequence[Breakdown]) -> None:
    """Print where the time of models goes: by class, then by module and operator."""
    print_conditions(timed)
    heads = (_SHORT.get(work, work) for work in CLASSES)
    table = _table("model", *heads, "unassigned", "all", "memory bound", "without profiler")
    for found, row in zip(breakdowns, timed.rows, strict=True):
        table.add_row(
            found.model,
            *(_share(seconds, found.seconds) for seconds in found.by_class.values()),
            _share(found.unassigned, found.seconds),
            _milliseconds(found.seconds),
            f"{found.memory_bound:.0%}",
            _milliseconds(row.timing.quiet),
        )
    console().print(table)
    print(
        "in percent of a run under the profiler (all: its ms; without: ms without it; means of the faster half of the "
        "runs); unassigned: in no operator, but in Python between them and in the profiler itself; memory bound: share "
        "of operators without convolution or product of matrices in the time of all operators"
    )
    _print_shared(timed, "a repetition on an idle machine")
    for found in breakdowns:
        print(f"\n{found.model}: the {_SHOWN} that take longest, of {len(found.rows)} operators in modules")
        rows = _table("ms", "share", "calls")
        for head in ("operator", "class", "module"):
            rows.add_column(head)
        for one in found.rows[:_SHOWN]:
            share, module = _share(one.seconds, found.seconds), f"{one.module or 'the model'} ({one.kind})"
            rows.add_row(_milliseconds(one.seconds), share, str(one.calls), one.operator, one.work, module)
        console().print(rows)


def print_growth(timed: Benchmark, growths: Sequence[Growth]) -> None:
    """Print medians at each size, and how they grow."""
    print_conditions(timed)
    heads = ["exponent", "95 % interval", "of the MACs", *(["of processor time"] if timed.shared else [])]
    table = _table("model", *(f"{side} px" for side in growths[0].pixels), *heads)
    for found in growths:
        interval = "-" if found.interval is None else f"{found.interval[0]:.2f} to {found.interval[1]:.2f}"
        medians = map(_milliseconds, found.medians)
        others = [found.macs_exponent, *([found.cpu_exponent] if timed.shared else [])]
        table.add_row(found.model, *medians, f"{found.exponent:.2f}", interval, *(f"{one:.2f}" for one in others))
    console().print(table)
    print(
        "median of a run in ms, and the power of the image's side that it grows with: 2 is in proportion to the pixels"
    )
    _print_shared(timed, "the exponent of processor time")


def print_conditions(found: Benchmark) -> None:
    """Print how and on what was measured."""
    conditions = found.conditions
    load: dict[str, Any] = conditions["load_average"]
    print(found.protocol.describe())
    if found.protocol.source:
        print(f"as in {found.protocol.source}; the rest is gpscale's own")
    print(
        f"{conditions['device']}: {conditions['processor']}, {conditions['cores']['usable']} cores usable; load "
        f"average {load['before']} before, {load['after']} after"
    )
    versions = ", ".join(f"{name} {version}" for name, version in conditions["versions"].items())
    print(f"runtime {conditions['runtime']}; freed memory {conditions['freed_memory']}; {versions}")
    for row in found.rows:
        if row.folded is not None and row.folded[1]:
            print(f"{row.model}: {row.folded[0]} batch normalisations folded, {row.folded[1]} cannot be")
    print()


def _table(*heads: str) -> Any:
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for head in heads:
        table.add_column(head, justify="left" if head == "model" else "right", no_wrap=head == "model")
    return table


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:,.2f}"


def _share(seconds: float, whole: float) -> str:
    return f"{seconds / whole:.1%}"
