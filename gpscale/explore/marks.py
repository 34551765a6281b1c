"""What panels write and draw of a slice: where the other factors are held, how near it a trial is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array
from matplotlib.text import Text
from matplotlib.transforms import ScaledTranslation

from gpscale.factors import FACTOR_SYMBOLS
from gpscale.plotting.labels import FloatArray, percent
from gpscale.plotting.look import root
from gpscale.surrogate.surface import Surface
from gpscale.units import Z95

_NEAR = 0.25
"""Distance from a slice, as a share of a factor's observed span, at which a mark has lost 40 % of its strength."""

_FAINTEST = 0.15

_CORNERS = 7


def held_text(fixed: Mapping[str, float]) -> str:
    """Return where factors are held, as a figure writes it, for example `"$d_i$ = 1.00, $d_m$ = 1.50"`."""
    return ", ".join(f"${FACTOR_SYMBOLS[name]}$ = {value:.2f}" for name, value in fixed.items())


def keep_title(ax: Axes, lines: int = 1) -> None:
    """Hold the place of a title of so many lines that is drawn later."""
    ax.set_title("\n".join(" " * lines))


def title(ax: Axes, text: str) -> Text:
    """Return a title that can move: it stands where the axes' own would."""
    return ax.text(0, 1, text, transform=ax.transAxes + ScaledTranslation(0, 6 / 72, root(ax).dpi_scale_trans))


def fading(surface: Surface, fixed: Mapping[str, float]) -> FloatArray:
    """Return how strongly to draw the trials of a surface on one of its slices.

    Args:
        surface: The surface.
        fixed: Value of each factor that the slice holds.

    Returns:
        Opacity of each trial, (n,) float64, in [0.15, 1]; 1 for a trial on the slice.
    """
    varies = [name for name in fixed if name not in surface.constant_names]
    columns = [surface.names.index(name) for name in varies]
    logs = np.log(surface.observations[:, columns])
    distance = (logs - np.log([fixed[name] for name in varies])) / np.ptp(logs, axis=0)
    near: FloatArray = np.exp(-0.5 * np.square(distance / _NEAR).sum(axis=1))
    return np.maximum(near, _FAINTEST)


def trial_crosses(ax: Axes, places: FloatArray, strength: FloatArray, color: str, width: float = 1.0) -> Artist:
    """Return crosses where trials are, whole also on the edge of the panel.

    Args:
        ax: Where.
        places: (n, 2) float64, data coordinates.
        strength: Opacity of each, (n,) float64, in [0, 1].
        color: Of all.
        width: Of their strokes, in points.
    """
    colors = to_rgba_array(np.repeat(color, len(places)), strength)
    return ax.scatter(places[:, 0], places[:, 1], s=14, marker="x", c=colors, linewidths=width, clip_on=False)


def box(surface: Surface) -> FloatArray:
    """Return points all over the observed bounds of a surface, (m, d) float64, columns as its names."""
    axes = [np.linspace(*surface.bounds[name], _CORNERS) for name in surface.names]
    return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, len(axes))


def accuracy_limits(surface: Surface) -> tuple[float, float]:
    """Return limits in percent that hold all trials and the surface with its 95 % band wherever it is looked at."""
    found = surface.predict(box(surface))
    seen = percent(np.concatenate([surface.values, found.mean - Z95 * found.std, found.mean + Z95 * found.std]))
    return float(seen.min()), float(seen.max())
