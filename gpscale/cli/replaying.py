"""The command that replays learning curves under a stopping rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gpscale.cli.output import console, print_json
from gpscale.comparison.early_stopping import replay_stopping
from gpscale.errors import UnknownNameError
from gpscale.run_dir import find_study
from gpscale.stopping import Dominated
from gpscale.units import format_macs


def replay(run: str, stop: str, workers: int, bootstrap: int, *, as_json: bool) -> None:
    """Print what a stopping rule would have saved, and what of the front it would have lost."""
    if stop != Dominated.name:
        raise UnknownNameError.of("stopping rule", stop, [Dominated.name])
    values = replay_stopping(find_study(run), Dominated(), workers=workers, bootstrap=bootstrap)
    if as_json:
        print_json(values)
    else:
        _print(values)


def _print(values: Mapping[str, Any]) -> None:
    from rich.table import Table

    stopped, saved, lost = values["stopped"], values["saved"], values["lost"]
    table = Table("trial", "MACs", "epoch", "top-1 then", "at best", "front", "in fact", box=None, header_style="bold")
    for row in stopped:
        table.add_row(
            row["id"],
            format_macs(row["macs"]),
            f"{row['epoch']}/{row['epochs']}",
            *(f"{row[key]:.1%}" for key in ("top1", "optimistic", "front")),
            f"{row['final']:.1%}{' (beats it)' if row['beats'] else ''}",
        )
    if stopped:
        console().print(table)
    print(
        f"{values['study']}, --stop {values['rule']}, {values['workers']} at a time: {len(stopped)} of "
        f"{values['trials']} trials stop"
    )
    print(f"MACs of training saved: {_percent(saved)}")
    print(f"hypervolume of the front lost: {_percent(lost['hypervolume_share'])}")
    print(f"top-1 lost along the front: {_percent(lost['top1'], ' points')}")
    print(
        f"(95 % intervals: {values['bootstrap']} resamples of the trials, {lost['resamples']:.1%} of which lose some "
        "of the front)"
    )


def _percent(figure: Mapping[str, float], unit: str = " %") -> str:
    value, low, high = (100 * figure[key] for key in ("value", "low", "high"))
    return f"{value:.2f}{unit} ({low:.2f} to {high:.2f})"
