"""A few points out of many that are spread as widely as possible."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def spread(points: NDArray[np.float64], count: int, kept: Sequence[int] = ()) -> list[int]:
    """Choose points one after the other, each as far as possible from those that are chosen already.

    The first is the one closest to the middle of the range. A longer choice begins with a shorter one. Points that are
    added later may change a choice that starts anew, but never what is `kept`.

    Args:
        points: (n, d) float64, each column in a unit of its own: columns are scaled to their range.
        count: How many, at most n.
        kept: Rows that are chosen already, in order.

    Returns:
        Rows of `points`, `kept` first, no row twice; of equals the first row.

    Example:
        >>> spread(np.array([[0.0], [1.0], [5.0], [10.0]]), 3)
        [2, 0, 3]
    """
    span = np.ptp(points, axis=0)
    unit = (points - points.min(axis=0)) / np.where(span > 0, span, 1.0)
    chosen = list(kept[:count])
    while len(chosen) < count:
        if chosen:
            distance = np.linalg.norm(unit[:, None] - unit[None, chosen], axis=2).min(axis=1)
        else:
            distance = -np.linalg.norm(unit - 0.5, axis=1)
        distance[chosen] = -np.inf
        # rounding must not decide between points that are equally far
        chosen.append(int(np.argmax(distance.round(9))))
    return chosen
