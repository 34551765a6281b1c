"""What can be seen of a surface: predictions at points, slices along one or two factors, iso-MAC profiles.

A slice holds the other factors where they are told to be, so MACs change along it. A profile holds MACs, and the other
factors are the best of what is left. Each view carries a label that says which of the two it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from gpscale.surrogate.posterior import FloatArray


@dataclasses.dataclass(frozen=True, eq=False)
class SurfacePrediction:
    """A surface at m points.

    Attributes:
        mean: (m,) float64, fractions of images; not clipped, so it may leave [0, 1] far from observations.
        std: Standard deviation of the surface, (m,) float64, fractions.
        observation_std: Standard deviation of one new training there, (m,) float64, fractions.
    """

    mean: FloatArray
    std: FloatArray
    observation_std: FloatArray


@dataclasses.dataclass(frozen=True, eq=False)
class SurfaceGrid:
    """A surface over two factors.

    Attributes:
        names: Factors of the two axes, x first.
        x, y: Values on the axes, (size,) float64, evenly spaced.
        mean, std: (size, size) float64, fractions; rows follow y, columns x, as `Axes.contourf(x, y, mean)` takes them.
        noise_std: Standard deviation of one training around the surface, a fraction.
        observations: Where trials are, (n, 2) float64, columns as `names`.
        fixed: Value of each factor that is on no axis.
        outcome: `"top1"` or `"top5"`.
        label: What the view is, in one line.
    """

    names: tuple[str, str]
    x: FloatArray
    y: FloatArray
    mean: FloatArray
    std: FloatArray
    noise_std: float
    observations: FloatArray
    fixed: Mapping[str, float]
    outcome: str
    label: str

    def __repr__(self) -> str:
        return f"SurfaceGrid({self.label}; {len(self.x)} x {len(self.y)} points)"


@dataclasses.dataclass(frozen=True, eq=False)
class SurfaceLine:
    """A surface along one factor, the others held.

    Attributes:
        name: The factor.
        x: Its values, (size,) float64, evenly spaced.
        mean, std, observation_std: As in `SurfacePrediction`, (size,) float64.
        observations: Where trials are, (n,) float64.
        fixed: Value of each other factor.
        outcome: `"top1"` or `"top5"`.
        label: What the view is, in one line.
    """

    name: str
    x: FloatArray
    mean: FloatArray
    std: FloatArray
    observation_std: FloatArray
    observations: FloatArray
    fixed: Mapping[str, float]
    outcome: str
    label: str

    def __repr__(self) -> str:
        return f"SurfaceLine({self.label}; {len(self.x)} points)"


@dataclasses.dataclass(frozen=True, eq=False)
class SurfaceProfile:
    """The best that a surface promises at each level of one factor, among given architectures.

    Attributes:
        name: The factor.
        levels: Its distinct realised values, (k,) float64, ascending.
        mean: Highest surface mean among the candidates of a level, (k,) float64, fractions. The highest of many
            predictions is on average a little too high.
        std, observation_std: As in `SurfacePrediction`, of that candidate, (k,) float64.
        rows: Row of that candidate among the candidates, (k,) int64.
        outcome: `"top1"` or `"top5"`.
        label: What the view is, in one line.
    """

    name: str
    levels: FloatArray
    mean: FloatArray
    std: FloatArray
    observation_std: FloatArray
    rows: npt.NDArray[np.int64]
    outcome: str
    label: str

    def __repr__(self) -> str:
        return f"SurfaceProfile({self.label}; {len(self.levels)} levels)"
