"""The commands that ask how far a finished study can be trusted, and whether its rule is better than others."""

from __future__ import annotations

from typing import Annotated

import typer

from gpscale.cli import completion
from gpscale.cli.options import Address, Json, Retry, Run, Set, Trainer, Transfer, Workers

app = typer.Typer(rich_markup_mode=None)


@app.command()
def diagnose(
    run: Run,
    hide: Annotated[
        tuple[float, float], typer.Option(metavar="LOW HIGH", help="Band of c that is hidden from the rule.")
    ] = (0.4, 0.6),
    json: Json = False,
) -> None:
    """Show how far a study can be trusted.

    Coverage of its intervals, probability of being on the front, seed noise, fidelity; the rule without the trials of a
    band; which factors matter. Trains nothing; what takes long is stored for the card, but not in a study that ships
    with gpscale and is given by its name.
    """
    from gpscale.cli import diagnosing

    diagnosing.diagnose(run, hide, as_json=json)


@app.command()
def regret(
    run: Run,
    orders: Annotated[int, typer.Option(min=2, help="Random orders of the trials, beside the plan's.")] = 10,
    budgets: Annotated[
        list[float], typer.Option(metavar="C", help="Share of the base's MACs; may be repeated; default: four.")
    ] = [],  # noqa: B006
    window: Annotated[float, typer.Option(help="Part of a budget that a pick may leave unused.")] = 0.3,
    json: Json = False,
) -> None:
    """Show how many trials would have been enough.

    Replays a study: what surface and rule pick after so many trials, against the best that was measured. Trains
    nothing; takes minutes. Stored as by diagnose; `gpscale plot RUN --figure regret --data` is the table as CSV.
    """
    from gpscale.cli import diagnosing

    diagnosing.regret(run, budgets, orders, window, as_json=json)


@app.command()
def rules(
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="STUDY",
            help="Run directory or shipped study; default: the shipped one.",
            autocompletion=completion.studies,
        ),
    ] = None,
    macs: Annotated[
        list[str], typer.Option(help='Budget, for example "20M"; may be repeated; default: shares of the base.')
    ] = [],  # noqa: B006
    rule: Annotated[
        list[str],
        typer.Option(
            metavar="NAME", help="Only rules to show; may be repeated.", autocompletion=completion.scaling_rules
        ),
    ] = [],  # noqa: B006
    seed: Annotated[int, typer.Option(min=0, help="Decides what the random rule draws.")] = 0,
    transfer: Transfer = None,
    json: Json = False,
) -> None:
    """Show what our rule and others would build for a budget."""
    from gpscale.cli import ruling

    ruling.rules(study, macs, rule, seed, transfer=transfer, as_json=json)


@app.command()
def validate(
    run: Annotated[
        list[str],
        typer.Argument(metavar="RUN", help="Run directory; it is written into.", autocompletion=completion.runs),
    ],
    budgets: Annotated[
        float | None,
        typer.Option(metavar="C C...", help="Shares of the base's MACs; default: 0.25 0.5 0.75 1."),
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Trainings of each pick; default: 5.")] = None,
    rules: Annotated[
        list[str],
        typer.Option(
            metavar="NAME",
            help="Rule to compare; may be repeated; default: rule, surface, width, tinynet, random.",
            autocompletion=completion.scaling_rules,
        ),
    ] = [],  # noqa: B006
    new: Annotated[
        bool,
        typer.Option("--new", help="Begin a new version, once a new fit's rule builds something else; all are kept."),
    ] = False,
    transfer: Transfer = None,
    workers: Workers = None,
    executor: Trainer = "local",
    address: Address = None,
    set: Set = [],  # noqa: B006
    retry: Retry = [],  # noqa: B006
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be trained; write nothing.")] = False,
    json: Json = False,
) -> None:
    """Compare the rule with its rivals on the test images.

    Trains what each would build for each budget. The same command again continues.
    """
    from gpscale.cli import validating
    from gpscale.cli.executors import ExecutorOptions

    study, shares = validating.study_and_shares(run, budgets)
    if dry_run:
        validating.dry_run(study, shares, rules, seeds, new=new, transfer=transfer, as_json=json)
    else:
        where = ExecutorOptions(executor, workers, address)
        validating.validate(study, shares, rules, seeds, where, set, retry, new=new, transfer=transfer, as_json=json)


@app.command()
def replay(
    run: Run,
    stop: Annotated[str, typer.Option(metavar="dominated", help="Rule that ends trials early.")] = "dominated",
    workers: Annotated[int, typer.Option(min=1, help="Trials at a time; with many a trial is stopped later.")] = 1,
    bootstrap: Annotated[int, typer.Option(min=2, max=10_000, help="Resamples of the trials.")] = 1000,
    json: Json = False,
) -> None:
    """Show what ending trials early would have saved and lost.

    Replays the learning curves of a study in the order of its plan; trains nothing and writes nothing.
    """
    from gpscale.cli import replaying

    replaying.replay(run, stop, workers, bootstrap, as_json=json)
