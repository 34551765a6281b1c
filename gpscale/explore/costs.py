"""MACs along a slice: a surface is continuous, architectures are not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from gpscale.factors import FACTOR_NAMES
from gpscale.search_space import SearchSpace

FloatArray = npt.NDArray[np.float64]


class Costs:
    """The MACs of every combination of levels of a search space.

    Attributes:
        levels: Realised values of each factor, (k,) float64 each, ascending.
    """

    def __init__(self, space: SearchSpace) -> None:
        """Arrange the MACs of a whole search space.

        Args:
            space: All of it, not a part that fits some budget.
        """
        self.levels: dict[str, FloatArray] = {name: space.levels[name].factors for name in FACTOR_NAMES}
        self._c = np.empty([len(values) for values in self.levels.values()])
        self._c[tuple(space.codes.T)] = space.c

    def over(self, names: tuple[str, ...], held: Mapping[str, float]) -> FloatArray:
        """Return c over one factor or two, the others at the levels nearest to where they are held.

        Args:
            names: The free factors, horizontal axis first.
            held: Value of each other factor.

        Returns:
            MACs over the base's MACs, (k,) float64, or (k of the second factor, k of the first).
        """
        nearest = {name: int(np.abs(np.log(self.levels[name] / value)).argmin()) for name, value in held.items()}
        part = self._c[tuple(slice(None) if name in names else nearest[name] for name in FACTOR_NAMES)]
        in_order = sorted(names, key=FACTOR_NAMES.index)
        return part.transpose([in_order.index(name) for name in reversed(names)])
