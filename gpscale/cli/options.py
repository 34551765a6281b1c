"""Options that many commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from gpscale.cli import completion

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

Run = Annotated[
    str,
    typer.Argument(metavar="RUN", help="Run directory, or a shipped study's name.", autocompletion=completion.studies),
]
