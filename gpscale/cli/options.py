"""Options that many commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gpscale.cli import completion
from gpscale.errors import ExecutorError, UnitError, UnknownNameError
from gpscale.trial import FailureReason

_TRAINERS = ("local", "ray")


def _that_trains(executor: str) -> str:
    """Refuse an executor that trains nothing, for commands that no study can answer.

    Raises:
        ExecutorError: It is `replay`.
        UnknownNameError: There is none of that name.
    """
    if executor == "replay":
        raise ExecutorError(
            f"--executor must be one that trains: {' or '.join(_TRAINERS)}. Got 'replay', and no study holds "
            "accuracies of test images to answer from. Leave it out."
        )
    if executor not in _TRAINERS:
        raise UnknownNameError.of("executor", executor, _TRAINERS)
    return executor


def _known_reasons(names: list[str]) -> list[str]:
    """Refuse what is no reason of a failure, also where nothing would be run again.

    Raises:
        UnknownNameError: A name is none.
    """
    known = [str(reason) for reason in FailureReason]
    for name in names:
        if name not in known:
            raise UnknownNameError.of("reason of a failure", name, known)
    return names


def _some_time(minutes: float | None) -> float | None:
    """Refuse a limit that leaves no time, also where nothing is trained.

    Raises:
        UnitError: It is no positive number.
    """
    if minutes is not None and not minutes > 0:
        raise UnitError(f"--timeout must be a positive number of minutes. Got {minutes:g}. Leave it out for no limit.")
    return minutes


Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

Run = Annotated[
    str,
    typer.Argument(metavar="RUN", help="Run directory, or a shipped study's name.", autocompletion=completion.studies),
]
Progressing = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="Run directory, or the name of what ships.",
        autocompletion=completion.studies_and_comparisons,
    ),
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
        callback=_known_reasons,
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(metavar="MINUTES", help="End a trial that takes longer than so many minutes.", callback=_some_time),
]
Transfer = Annotated[
    str | None,
    typer.Option(
        metavar="STUDY", help="Another study, whose rule is tried on this base, too.", autocompletion=completion.studies
    ),
]
Runs = Annotated[Path, typer.Option("--runs", help="Directory of the run directories.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Trainings at a time; default: one per core.")]
Trainer = Annotated[str, typer.Option("--executor", help="Where trainings run: local or ray.", callback=_that_trains)]
Address = Annotated[
    str | None, typer.Option(metavar="auto|HOST:PORT", help="Ray cluster that this machine belongs to.")
]
