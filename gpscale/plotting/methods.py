"""The figures as methods, for a study in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpscale import plotting
from gpscale.errors import FitError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gpscale.plotting.base import StudyLike


class PlotMethods:
    """`plot_<figure>` for each figure there is; a class that is a `StudyLike` inherits them.

    Options are those of the function of the same name in `gpscale.plotting`.
    """

    def plot_front(self: StudyLike, **options: Any) -> Figure:
        """Draw top-1 against MACs: all trials, their front, the base, what the rule builds, and width alone."""
        return plotting.plot_front(self, **options)

    def plot_rule(self: StudyLike, **options: Any) -> Figure:
        """Draw the rule's factors against MACs, and the points that it was fitted to."""
        return plotting.plot_rule(self, **options)

    def plot_surface(self: StudyLike, x: str | None = None, y: str | None = None, **options: Any) -> Figure:
        """Draw contours of a surface over two factors, mean and spread.

        Args:
            x: Factor of the first axis; None for those that the sweep was made for, else resolution and width.
            y: Factor of the second axis.
            **options: Further ones of `gpscale.plotting.plot_surface`.
        """
        if (x is None) != (y is None):
            raise FitError(f"A surface needs two factors. Got {x or y!r} alone. Name both, or use `plot_line` for one.")
        return plotting.plot_surface(self, (x, y) if x and y else None, **options)

    def plot_line(self: StudyLike, factor: str | None = None, **options: Any) -> Figure:
        """Draw a surface along one factor with its 95 % bands, top-1 and top-5."""
        return plotting.plot_line(self, factor, **options)

    def plot_iso_macs(self: StudyLike, **options: Any) -> Figure:
        """Draw the best accuracy that the surface promises at each level of each factor, MACs held."""
        return plotting.plot_iso_macs(self, **options)

    def plot_staircases(self: StudyLike, **options: Any) -> Figure:
        """Draw what each step of one factor costs."""
        return plotting.plot_staircases(self, **options)

    def plot_curves(self: StudyLike, **options: Any) -> Figure:
        """Draw learning curves of a few trials, with and without EMA."""
        return plotting.plot_curves(self, **options)

    def plot_diagnostics(self: StudyLike, **options: Any) -> Figure:
        """Draw leave-one-out predictions against what was measured, with intervals."""
        return plotting.plot_diagnostics(self, **options)

    def plot_regret(self: StudyLike, **options: Any) -> Figure:
        """Draw how far a pick after so many trials falls behind the best measured."""
        return plotting.plot_regret(self, **options)
