"""Every figure there is, by name. Importing this loads no matplotlib."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from gpscale import plotting
from gpscale.errors import FitError, UnknownNameError, known_and_nearest
from gpscale.trial import OUTCOMES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from gpscale.plotting.base import Columns, StudyLike

Made = TypeVar("Made")


@dataclasses.dataclass(frozen=True)
class Choices:
    """What can be chosen of a figure.

    Attributes:
        outcomes: Accuracies that it can show.
        factors: How many factors can be named.
    """

    outcomes: tuple[str, ...] = ()
    factors: tuple[int, ...] = ()

    def refuse(self, outcome: str | None, factors: Sequence[str]) -> str:
        """Return why a figure cannot show what was chosen; empty where it can.

        Args:
            outcome: `"top1"` or `"top5"`; None where none was chosen.
            factors: Names of factors; none where none was chosen.
        """
        if outcome is not None and outcome not in self.outcomes:
            return f"shows {' and '.join(self.outcomes) or 'no accuracy'}, not {outcome}"
        if factors and len(factors) not in self.factors:
            counts = " or ".join(str(count) for count in self.factors)
            return f"takes {counts or 'no'} factor{'' if counts == '1' else 's'}, not {len(factors)}"
        return ""


FIGURES: Mapping[str, Choices] = {
    "front": Choices(("top1",)),
    "rule": Choices(),
    "surface": Choices(OUTCOMES, (2,)),
    "line": Choices(OUTCOMES, (1,)),
    "iso_macs": Choices(OUTCOMES, (1, 2, 3, 4)),
    "staircases": Choices(),
    "curves": Choices(OUTCOMES),
    "diagnostics": Choices(OUTCOMES),
    "regret": Choices(),
}
"""Names, and what can be chosen of each; `<name>_data` and `plot_<name>` compute and draw it."""


def choose_figures(
    names: Iterable[str] = (), outcome: str | None = None, factors: Sequence[str] = ()
) -> tuple[list[str], dict[str, str]]:
    """Return the figures that were asked for.

    Args:
        names: Their names; none for all that can show `outcome` and `factors`.
        outcome: `"top1"` or `"top5"`; None for what each figure shows by itself.
        factors: Names of factors; none for what each figure shows by itself.

    Returns:
        The names, and for each figure that nobody named and that cannot show them the reason.

    Raises:
        UnknownNameError: There is no such figure, or it cannot show the outcome or the factors.
    """
    refused = {name: reason for name, figure in FIGURES.items() if (reason := figure.refuse(outcome, factors))}
    fitting = [name for name in FIGURES if name not in refused]
    chosen = list(dict.fromkeys(names))
    for name in chosen:
        if name not in FIGURES:
            raise UnknownNameError.of("figure", name, FIGURES)
        if name in refused:
            raise UnknownNameError(f"Figure {name!r} {refused[name]}. {known_and_nearest(name, fitting)}")
    return (chosen, {}) if chosen else (fitting, refused)


def table(study: StudyLike, name: str, outcome: str | None = None, factors: Sequence[str] = ()) -> pd.DataFrame:
    """Compute the table behind a figure.

    Args:
        study: A fitted study.
        name: The figure's name.
        outcome: As in `choose_figures`.
        factors: As in `choose_figures`.

    Raises:
        FitError: The study cannot have that figure.
    """
    found: pd.DataFrame = getattr(plotting, f"{name}_data")(study, **_options(name, outcome, factors))
    return found


def figure(
    study: StudyLike,
    name: str,
    columns: Columns | None = None,
    outcome: str | None = None,
    factors: Sequence[str] = (),
) -> Figure:
    """Draw a figure.

    Args:
        study: A fitted study.
        name: The figure's name.
        columns: Its width; None for its own.
        outcome: As in `choose_figures`.
        factors: As in `choose_figures`.

    Raises:
        FitError: The study cannot have that figure.
    """
    options = _options(name, outcome, factors)
    if columns is not None:
        options["columns"] = columns
    drawn: Figure = getattr(plotting, f"plot_{name}")(study, **options)
    return drawn


def every(make: Callable[[str], Made], names: Iterable[str]) -> tuple[dict[str, Made], dict[str, str]]:
    """Make what a study can have.

    Args:
        make: Draws the figure of a name, or computes its table; raises `FitError` where the study cannot have it.
        names: Which.

    Returns:
        What was made by name, and for each name without it the reason.
    """
    made, missing = {}, {}
    for name in names:
        try:
            made[name] = make(name)
        except FitError as error:
            missing[name] = str(error)
    return made, missing


def _options(name: str, outcome: str | None, factors: Sequence[str]) -> dict[str, Any]:
    """Return what was chosen as options of a figure's two functions."""
    options: dict[str, Any] = {}
    # a figure of one outcome has no option for it
    if outcome is not None and FIGURES[name].outcomes == OUTCOMES:
        options["outcome"] = outcome
    if factors:
        alone = FIGURES[name].factors == (1,)
        options |= {"factor": factors[0]} if alone else {"factors": tuple(factors)}
    return options
