"""The command line: parses, calls, prints; no logic.

Commands import what they need when they run, so that `gpscale --help` answers at once.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from gpscale import __version__
from gpscale.cli import completion, evidence, models
from gpscale.cli.options import Address, Json, OwnRun, Progressing, Retry, Run, Runs, Set, SweepFile, Timeout, Workers
from gpscale.errors import GpscaleError

app = typer.Typer(
    name="gpscale",
    help="Which resolution, depth and width should a MobileViTV2 have for a budget of multiply-accumulates (MACs)?",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    # plain text: importing rich would more than double the time that --help takes
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"gpscale {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take the options that come before a command."""


@app.command()
def init(
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Images: <class>/* or Parquet; default: scikit-learn's digits."),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(help="Base model; default: one that suits the images.", autocompletion=completion.bases),
    ] = None,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="File to write; default: FOLDER.yaml.")] = None,
    json: Json = False,
) -> None:
    """Write a commented sweep file to start from."""
    from gpscale.cli import starting

    starting.init(data, base, output, as_json=json)


@app.command()
def space(sweep_file: SweepFile, set: Set = [], json: Json = False) -> None:  # noqa: B006
    """Show a sweep's search space.

    How many architectures there are, what a step of each factor costs, what the bounds exclude.
    """
    from gpscale.cli import show

    show.space(sweep_file, set, as_json=json)


@app.command()
def sweep(
    sweep_file: SweepFile,
    name: Annotated[str | None, typer.Option(help="Name of the run; default: the sweep file's.")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials in all; raise it to continue a sweep.")] = None,
    workers: Workers = None,
    set: Set = [],  # noqa: B006
    retry: Retry = [],  # noqa: B006
    timeout: Timeout = None,
    max_failures: Annotated[
        int | None, typer.Option(min=1, help="Stop when so many trials have failed in this run.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan and an estimated time; write nothing.")
    ] = False,
    executor: Annotated[
        str,
        typer.Option(
            help="Where trials run: local (this machine), ray (a cluster, or a Ray started here), or replay (nowhere: "
            "a study answers them)."
        ),
    ] = "local",
    address: Address = None,
    cpus: Annotated[float | None, typer.Option(help="Ray: cores that a trial reserves; default: 1.")] = None,
    gpus: Annotated[
        float | None, typer.Option(help="Ray: graphics cards that a trial reserves, 0.25 for four trials on a card.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="STUDY",
            help="Replay: run directory or shipped study that answers the trials.",
            autocompletion=completion.studies,
        ),
    ] = None,
    stop: Annotated[
        str | None,
        typer.Option(metavar="dominated", help="End trials early that cannot reach the front any more; default: none."),
    ] = None,
    runs: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Plan, train, fit, select and draw. The same command again continues."""
    from gpscale.cli import sweeping
    from gpscale.cli.executors import ExecutorOptions

    where = ExecutorOptions(executor, workers, address, cpus, gpus, source)
    options = {"trials": trials, "stop": stop}
    overrides = [*set, *(f"{key}={value}" for key, value in options.items() if value is not None)]
    run = runs / sweeping.run_name(name or sweep_file.stem)
    if dry_run:
        sweeping.dry_run(sweep_file, overrides, run, where, as_json=json)
    else:
        sweeping.sweep(sweep_file, overrides, run, where, retry, timeout, max_failures, as_json=json)


@app.command()
def status(run: Progressing, json: Json = False) -> None:
    """Show how far a sweep or a comparison is, also while it runs."""
    from gpscale.cli import show

    show.status(run, as_json=json)


@app.command()
def fit(run: OwnRun, json: Json = False) -> None:
    """Fit surfaces, Pareto set and rule again on the finished trials."""
    from gpscale.cli import sweeping

    sweeping.fit(run, as_json=json)


@app.command()
def plot(
    run: Run,
    figure: Annotated[
        list[str],
        typer.Option(
            metavar="NAME",
            help="Figure to draw; may be repeated; default: all that the study can have.",
            autocompletion=completion.figures,
        ),
    ] = [],  # noqa: B006
    data: Annotated[
        bool, typer.Option("--data", help="The table instead, as CSV: printed for one figure, else written.")
    ] = False,
    format: Annotated[
        list[str], typer.Option(metavar="png|svg|pdf", help="Format; may be repeated; default: png and svg.")
    ] = [],  # noqa: B006
    columns: Annotated[int | None, typer.Option(min=1, max=2, help="Width in columns of a paper: 1 or 2.")] = None,
    outcome: Annotated[str | None, typer.Option(help="top1 or top5.")] = None,
    factor: Annotated[
        list[str],
        typer.Option(
            metavar="NAME",
            help="Factor to draw along: one for line, two for surface, any for iso_macs; may be repeated.",
            autocompletion=completion.factors,
        ),
    ] = [],  # noqa: B006
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where to write; default: RUN/figures, figures/NAME for a shipped study."),
    ] = None,
) -> None:
    """Draw the figures of a study."""
    from gpscale.cli import drawing

    drawing.plot(run, figure, format, columns, outcome, factor, output, data=data)  # type: ignore[arg-type]


@app.command()
def fidelity(
    run: OwnRun,
    trials: Annotated[int, typer.Option(min=2, help="Trials to train for longer, in all.")] = 8,
    epochs_factor: Annotated[int, typer.Option(min=2, help="Epochs over those of the study.")] = 4,
    workers: Workers = None,
    set: Set = [],  # noqa: B006
    retry: Retry = [],  # noqa: B006
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the choice and an estimated time; write nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Train some trials for longer and compare rankings. The same command again continues."""
    from gpscale.cli import comparing

    if dry_run:
        comparing.dry_run(run, trials, epochs_factor, workers, as_json=json)
    else:
        comparing.fidelity(run, trials, epochs_factor, workers, set, retry, as_json=json)


@app.command()
def doctor(
    run: OwnRun,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Name what is damaged and move nothing.")] = False,
    json: Json = False,
) -> None:
    """Find what is damaged in a run directory and set it aside.

    It is moved to the run's quarantine. Exit code 1 if anything is damaged.
    """
    from gpscale.cli import mending

    mending.doctor(run, dry_run=dry_run, as_json=json)


@app.command()
def recommend(
    macs: Annotated[str, typer.Option(help='Budget in multiply-accumulates, for example "500M".')],
    study: Annotated[
        str | None,
        typer.Option(
            help="Run directory or shipped study; default: the shipped one.", autocompletion=completion.studies
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(help="Base model, for example mobilevitv2_100@128.", autocompletion=completion.bases),
    ] = None,
    num_classes: Annotated[int | None, typer.Option(min=1, help="Outputs of the classifier.")] = None,
    method: Annotated[
        str, typer.Option(help="rule, surface or surface_low.", autocompletion=completion.methods)
    ] = "rule",
    json: Json = False,
) -> None:
    """Recommend an architecture that fits a budget."""
    from gpscale.cli import show

    show.recommendation(macs, study, base, num_classes, method, as_json=json)


@app.command()
def studies(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A study or a comparison, to see its card.",
            autocompletion=completion.studies_and_comparisons,
        ),
    ] = None,
    runs: Annotated[
        Path | None, typer.Option("--runs", help="Directory of the run directories; default: runs.")
    ] = None,
    json: Json = False,
) -> None:
    """List studies and comparisons, or show the card of one."""
    from gpscale.cli import starting

    starting.studies(name, runs, as_json=json)


@app.command()
def info(json: Json = False) -> None:
    """Show versions, device, cores and threads."""
    from gpscale.cli import starting

    starting.info(as_json=json)


@app.command()
def schema() -> None:
    """Print the JSON schema of the sweep file, for editors."""
    from gpscale.cli import starting

    starting.schema()


app.add_typer(evidence.app)
app.add_typer(models.app)


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
