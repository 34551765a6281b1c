"""Commands that count models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpscale.cli.output import console, print_json
from gpscale.errors import GpscaleError, UnknownNameError
from gpscale.units import format_macs

if TYPE_CHECKING:
    from gpscale.families.listing import Listed
    from gpscale.families.named import NamedModel

ALL_COUNTERS = "all"


def count(model: str, num_classes: int, counter: str | None, *, check: bool, as_json: bool) -> None:
    """Print MACs and parameters of a model."""
    from gpscale.families.named import find_model

    counters = _counters(counter)
    found = find_model(model)
    macs, params = found.count(num_classes)
    height, width = found.image_size
    values: dict[str, Any] = {
        "model": found.name,
        "height": height,
        "width": width,
        "classes": num_classes,
        "macs": macs,
        "params": params,
    }
    if check or counters:
        _count_again(found, num_classes, values, counters)
    if as_json:
        print_json(values)
        return
    print(f"{found.name}, {num_classes} classes, {height} x {width} px")
    print(f"MACs        {macs:>16,}   {format_macs(macs)}")
    print(f"parameters  {params:>16,}")
    if values.get("checked"):
        print("torch's flop counter on the meta device agrees to the unit")
    if counters:
        _print_others(values["counters"], macs)


def _print_others(others: dict[str, int | None], macs: int) -> None:
    from gpscale.counting.others import COUNTERS

    for name, other in others.items():
        if other is None:
            print(f'{name:<12}{"-":>16}   not installed: pip install "gpscale[counters]"')
        else:
            print(f"{name:<12}{other:>16,}   {format_macs(other)} ({other / macs - 1:+.1%}), {COUNTERS[name].notion}")


def _counters(counter: str | None) -> list[str]:
    """Return which other counters are asked for."""
    from gpscale.counting.others import COUNTERS

    if counter is None:
        return []
    if counter == ALL_COUNTERS:
        return list(COUNTERS)
    if counter not in COUNTERS:
        raise UnknownNameError.of("counter", counter, [*COUNTERS, ALL_COUNTERS])
    return [counter]


def _count_again(found: NamedModel, num_classes: int, values: dict[str, Any], counters: list[str]) -> None:
    """Compare with torch's counter, and add what others count; one that was named must be installed."""
    from gpscale.counting import count_module
    from gpscale.counting.others import count_with, installed

    model = found.inference_form(found.build(num_classes))
    counted = count_module(model, found.image_size)
    if counted != (values["macs"], values["params"]):
        raise GpscaleError(
            "The closed form must equal torch's flop counter. "
            f"Got {values['macs'], values['params']} and {counted}. Please report it."
        )
    values["checked"] = True
    if counters:
        optional = len(counters) > 1
        values["counters"] = {
            name: None if optional and not installed(name) else count_with(name, model, found.image_size)
            for name in counters
        }


def families(family: str | None, num_classes: int, *, trained: bool, as_json: bool) -> None:
    """Print every named model with its counts, and what papers print of it."""
    from gpscale.families.listing import list_models

    rows = list_models(num_classes, family, trained=trained)
    if as_json:
        print_json([row.to_dict() for row in rows])
        return
    from rich.table import Table

    from gpscale.families.prints import PAPERS

    table = Table("model", "classes", "parameters", "printed", "", "MACs", "printed", "", "of", box=None)
    for column in (1, 2, 3, 4, 5, 6, 7):
        table.columns[column].justify = "right"
    notes: dict[str, int] = {}
    before = ""
    for row in rows:
        if before and row.family != before:
            table.add_row()
        before = row.family
        table.add_row(*_cells(row, notes))
    console().print(table)
    print(
        f"\n{len({row.model for row in rows})} models. MACs of one image: convolutions, linear layers, products of "
        "attention. In percent: our count over the printed one, left out where it has the printed digits."
    )
    for text, number in notes.items():
        print(f"[{number}] {text}")
    for paper in dict.fromkeys(row.printed.where.partition(",")[0] for row in rows if row.printed is not None):
        print(f"{paper}: {PAPERS[paper]}")


def _cells(row: Listed, notes: dict[str, int]) -> list[str]:
    printed = row.printed
    where = "" if printed is None else printed.where
    for note in () if printed is None else filter(None, (printed.why, printed.note)):
        where += f" [{notes.setdefault(note, len(notes) + 1)}]"
    model = row.model if row.form == "deployed" else f"{row.model} as {row.form}"
    return [
        model,
        str(row.num_classes),
        f"{row.params:,}",
        *_printed(row, "params"),
        f"{row.macs:,}",
        *_printed(row, "macs"),
        where,
    ]


def _printed(row: Listed, what: str) -> tuple[str, str]:
    """Return a print, and how far it is from the count where it has other digits."""
    from gpscale.families.prints import agrees

    text = getattr(row.printed, what, "")
    if not text or agrees(getattr(row, what), text):
        return text, ""
    return text, f"{row.gap(what):+.1%}"
