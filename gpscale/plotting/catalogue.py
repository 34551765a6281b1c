"""Every figure there is, by name. Importing this loads no matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from gpscale import plotting
from gpscale.errors import FitError, UnknownNameError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from gpscale.plotting.base import Columns, StudyLike

Made = TypeVar("Made")

FIGURES: Mapping[str, bool] = {
    "front": False,
    "rule": False,
    "surface": True,
    "line": True,
    "iso_macs": True,
    "staircases": False,
    "curves": True,
    "diagnostics": True,
}
"""Names, and whether each takes an `outcome`; `<name>_data` and `plot_<name>` compute and draw it."""


def choose_figures(names: Iterable[str] = (), outcome: str | None = None) -> list[str]:
    """Return the figures that were asked for.

    Args:
        names: Their names; none for all that take `outcome`.
        outcome: `"top1"` or `"top5"`; None for what each figure shows by itself.

    Raises:
        UnknownNameError: There is no such figure, or it takes no outcome.
    """
    fitting = [name for name, takes_outcome in FIGURES.items() if takes_outcome or outcome is None]
    chosen = list(dict.fromkeys(names))
    for name in chosen:
        if name not in FIGURES:
            raise UnknownNameError.of("figure", name, FIGURES)
        if name not in fitting:
            raise UnknownNameError.of(f"figure of one outcome ({outcome}):", name, fitting)
    return chosen or fitting


def table(study: StudyLike, name: str, outcome: str | None = None) -> pd.DataFrame:
    """Compute the table behind a figure.

    Args:
        study: A fitted study.
        name: The figure's name.
        outcome: As in `choose_figures`.

    Raises:
        FitError: The study cannot have that figure.
    """
    found: pd.DataFrame = getattr(plotting, f"{name}_data")(study, **_given(outcome=outcome))
    return found


def figure(study: StudyLike, name: str, columns: Columns | None = None, outcome: str | None = None) -> Figure:
    """Draw a figure.

    Args:
        study: A fitted study.
        name: The figure's name.
        columns: Its width; None for its own.
        outcome: As in `choose_figures`.

    Raises:
        FitError: The study cannot have that figure.
    """
    drawn: Figure = getattr(plotting, f"plot_{name}")(study, **_given(columns=columns, outcome=outcome))
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


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
