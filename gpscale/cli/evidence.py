"""The commands that ask a finished study how far it can be trusted; they train nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from gpscale.cli.options import Json, Run

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
