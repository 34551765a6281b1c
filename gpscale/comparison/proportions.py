"""How sure a share of test images is."""

from __future__ import annotations

from scipy.stats import binomtest


def interval_of_share(share: float, count: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of an accuracy: what other images of the same kind might have given.

    Args:
        share: Fraction in [0, 1] of the images.
        count: How many images.

    Example:
        >>> low, high = interval_of_share(0.7, 10_000)
        >>> round(low, 3), round(high, 3)
        (0.691, 0.709)
    """
    found = binomtest(round(share * count), count).proportion_ci(method="wilson")
    return float(found.low), float(found.high)
