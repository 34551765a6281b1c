"""Options that many commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gpscale.cli import completion
from gpscale.trial import FailureReason

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

Run = Annotated[
    str,
    typer.Argument(metavar="RUN", help="Run directory, or a shipped study's name.", autocompletion=completion.studies),
]
OwnRun = Annotated[
    str,
    typer.Argument(metavar="RUN", help="Run directory; it is written into.", autocompletion=completion.runs),
]
SweepFile = Annotated[Path, typer.Argument(metavar="SWEEP.yaml", help="Sweep file (YAML).")]
Set = Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; may be repeated.")]
Retry = Annotated[
    list[str],
    typer.Option(
        metavar="REASON",
        help=f"Run again what failed for this reason: {', '.join(FailureReason)}; may be repeated.",
        autocompletion=completion.reasons,
    ),
]
Transfer = Annotated[
    str | None,
    typer.Option(
        metavar="STUDY", help="Another study, whose rule is tried on this base, too.", autocompletion=completion.studies
    ),
]
Runs = Annotated[Path, typer.Option("--runs", help="Directory of the run directories.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Trainings at a time; default: one per core.")]
Trainer = Annotated[str, typer.Option("--executor", help="Where trainings run: local or ray.")]
Address = Annotated[
    str | None, typer.Option(metavar="auto|HOST:PORT", help="Ray cluster that this machine belongs to.")
]
