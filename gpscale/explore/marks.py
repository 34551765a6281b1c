"""What panels write of a slice, and the limits that hold whatever is drawn of one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.transforms import ScaledTranslation

from gpscale.factors import FACTOR_SYMBOLS
from gpscale.plotting.labels import FloatArray, percent
from gpscale.plotting.look import root
from gpscale.surrogate.surface import Surface
from gpscale.units import Z95

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


def box(surface: Surface) -> FloatArray:
    """Return points all over the observed bounds of a surface, (m, d) float64, columns as its names."""
    axes = [np.linspace(*surface.bounds[name], _CORNERS) for name in surface.names]
    return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, len(axes))


def accuracy_limits(surface: Surface) -> tuple[float, float]:
    """Return limits in percent that hold all trials and the surface with its 95 % band wherever it is looked at."""
    found = surface.predict(box(surface))
    seen = percent(np.concatenate([surface.values, found.mean - Z95 * found.std, found.mean + Z95 * found.std]))
    return float(seen.min()), float(seen.max())
