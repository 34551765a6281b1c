"""The command line: parses, calls, prints; no logic.

Commands import what they need when they run, so that `gpscale --help` answers at once.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from gpscale.errors import GpscaleError

app = typer.Typer(
    name="gpscale",
    help="Which resolution, depth and width should a MobileViTV2 have for a budget of multiply-accumulates (MACs)?",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Run = Annotated[str, typer.Argument(metavar="RUN", help="Run directory, or a shipped study's name.")]
SweepFile = Annotated[Path, typer.Argument(metavar="SWEEP.yaml", help="Sweep file (YAML).")]
Set = Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; may be repeated.")]
Runs = Annotated[Path, typer.Option("--runs", help="Directory of the run directories.")]


@app.command()
def count(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="For example mobilevitv2_200@128 or mobilevitv2_100@224x448.")
    ],
    classes: Annotated[int, typer.Option(min=1, help="Outputs of the classifier.")] = 1000,
    json: Json = False,
    check: Annotated[bool, typer.Option("--check", help="Count again with torch's flop counter and compare.")] = False,
) -> None:
    """Count MACs and parameters of a model, exactly."""
    from gpscale.cli import show

    show.count(model, classes, check=check, as_json=json)


@app.command()
def space(sweep_file: SweepFile, set: Set = [], json: Json = False) -> None:  # noqa: B006
    """Show a sweep's search space: how many architectures, the staircases, what the bounds exclude."""
    from gpscale.cli import show

    show.space(sweep_file, set, as_json=json)


@app.command()
def sweep(
    sweep_file: SweepFile,
    name: Annotated[str | None, typer.Option(help="Name of the run; default: the sweep file's.")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials in all; raise it to continue a sweep.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Trials at a time; default: one per core.")] = None,
    set: Set = [],  # noqa: B006
    retry: Annotated[
        list[str], typer.Option(metavar="REASON", help="Run trials again that failed for this reason; may be repeated.")
    ] = [],  # noqa: B006
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan and an estimated time; write nothing.")
    ] = False,
    runs: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Plan, train, fit, select and draw; the same command again continues."""
    from gpscale.cli import sweeping

    overrides = [*set, *([f"trials={trials}"] if trials is not None else [])]
    run = runs / sweeping.run_name(name or sweep_file.stem)
    if dry_run:
        sweeping.dry_run(sweep_file, overrides, run, workers, as_json=json)
    else:
        sweeping.sweep(sweep_file, overrides, run, workers, retry, as_json=json)


@app.command()
def status(run: Run, json: Json = False) -> None:
    """Show how far a sweep is, also while it runs."""
    from gpscale.cli import show

    show.status(run, as_json=json)


@app.command()
def fit(run: Run, json: Json = False) -> None:
    """Fit surfaces, Pareto set and rule again on the finished trials."""
    from gpscale.cli import sweeping

    sweeping.fit(run, as_json=json)


@app.command()
def recommend(
    macs: Annotated[str, typer.Option(help='Budget in multiply-accumulates, for example "500M".')],
    study: Annotated[str | None, typer.Option(help="Run directory or shipped study; default: the shipped one.")] = None,
    base: Annotated[str | None, typer.Option(help="Base model, for example mobilevitv2_100@128.")] = None,
    classes: Annotated[int | None, typer.Option(min=1, help="Outputs of the classifier.")] = None,
    method: Annotated[str, typer.Option(help="rule or surface.")] = "rule",
    json: Json = False,
) -> None:
    """Recommend an architecture that fits a budget."""
    from gpscale.cli import show

    show.recommendation(macs, study, base, classes, method, as_json=json)


def main() -> None:
    """Run the command line; an error is printed in full, without a traceback, and ends with exit code 2."""
    # timm and GPyTorch still call a torch function that is going away; users of this command can do nothing about it
    warnings.filterwarnings("ignore", message=".*torch.jit.script.* is deprecated", category=FutureWarning)
    try:
        app()
    # an OSError is a full disk, a directory that may not be written ...: the user's to mend
    except (GpscaleError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(2)
