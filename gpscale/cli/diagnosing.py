"""The commands that say how far a study can be trusted, and how many trials would have been enough."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gpscale.cli.output import console, print_json
from gpscale.comparison.diagnosis import diagnose_study, overview
from gpscale.comparison.regret import SHARES, replay_regret
from gpscale.plotting import plot_regret
from gpscale.plotting.files import write_figure
from gpscale.replicates import SeedNoise
from gpscale.report.card import write_card
from gpscale.report.evidence import ON_FRONT
from gpscale.report.trust import (
    HIDDEN_BAND,
    Table,
    coverage_table,
    front_table,
    hidden_table,
    regret_table,
    said_of_regret,
    said_of_sensitivity,
    sensitivity_table,
)
from gpscale.run_dir import find_study, shipped_studies
from gpscale.stored import write_json
from gpscale.study import Study

_PLAIN_SECONDS = 15.0
_SHOWN_FROM = 0.05
"""Probability of being on the front above which an architecture is listed."""


def diagnose(run: str, band: tuple[float, float], *, as_json: bool) -> None:
    """Measure what a fit leaves for later, store it, and print all that is known of how far to trust a study."""
    study = Study(find_study(run))
    found = diagnose_study(study, band)
    written = _store(run, study, study.run.diagnostics_file, found)
    values = overview(study, found)
    if as_json:
        print_json(values)
    else:
        _print(study, values)
        print(written)


def regret(run: str, budgets: Sequence[float], orders: int, window: float, *, as_json: bool) -> None:
    """Replay a study, store what was found, draw it, and print how many trials would have been enough."""
    study = Study(find_study(run))
    with _progress() as tell:
        found = replay_regret(study, shares=budgets or SHARES, orders=orders, window=window, tell=tell)
    written = _store(run, study, study.run.regret_file, found)
    if as_json:
        print_json(found)
        return
    left_out = ", ".join(f"{share:g}" for share in found["left_out"])
    print(
        f"\n{study.name}: {found['trials']} trials; budgets c = {', '.join(f'{share:g}' for share in found['shares'])}"
    )
    if left_out:
        print(f"too few measured architectures at c = {left_out}: left out")
    _show(regret_table(found))
    print(f"{said_of_regret(found)}\n\n{written}\n{found['recommendation']}\n{found['verdict']}")


def _store(named: str, study: Study, file: Path, found: Mapping[str, Any]) -> str:
    """Write what was found into the study, with card and figure, and say where; not into one that is given by its name.

    The package may not be writable, and is not the user's: only who gives the path of a shipped study means its files.
    """
    if named in shipped_studies():
        return f"not stored: {named} ships with gpscale; give the path of a copy, or of {study.run.path}"
    with study.run.locked():
        write_json(file, found)
        fresh = Study(study.run)
        if file == study.run.regret_file:
            write_figure(plot_regret(fresh), study.run.figures / "regret")
        return f"stored: {file}, {write_card(fresh)}"


def _print(study: Study, values: Mapping[str, Any]) -> None:
    for verdict in values["verdicts"]:
        print(verdict)
    print("\nWhat the intervals hold of unseen trials, in brackets the 95 % interval of that share:")
    _show(coverage_table(study))
    print(f"\n{ON_FRONT}")
    _show(front_table(study, _SHOWN_FROM))
    noise, fidelity = values["seed_noise"]["top1"], values["fidelity"]
    print(
        f"\nNoise between seeds, top-1: {SeedNoise(**noise) if noise else 'not measured (`replicates` in the sweep)'}"
    )
    print(fidelity["verdict"] if fidelity else "Fidelity: not measured (`gpscale fidelity`)")
    for key, table, reading in (
        ("hidden_band", hidden_table, lambda _: HIDDEN_BAND),
        ("sensitivity", sensitivity_table, said_of_sensitivity),
    ):
        found = values[key]
        print(f"\n{found['verdict']}")
        if not found["missing"]:
            _show(table(found))
            print(reading(found))


def _show(table: Table) -> None:
    from rich.table import Table as RichTable

    header, rows = table
    shown = RichTable(*header, box=None, header_style="bold")
    for row in rows:
        shown.add_row(*row)
    console().print(shown)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Yield what hears of each fit: a bar where standard error is a terminal, else now and then a line."""
    from rich.console import Console
    from rich.progress import Progress

    errors = Console(stderr=True)
    if errors.is_terminal:
        with Progress(console=errors) as bar:
            task = bar.add_task("fits", total=None)
            yield lambda done, of: bar.update(task, completed=done, total=of)
        return
    spoke = time.monotonic()

    def tell(done: int, of: int) -> None:
        nonlocal spoke
        if done == of or time.monotonic() - spoke > _PLAIN_SECONDS:
            spoke = time.monotonic()
            print(f"[{done}/{of}] fits", file=sys.stderr, flush=True)

    yield tell
