"""The band of reduction factors."""

from __future__ import annotations

import math

import pytest

from gpscale.errors import SpaceError
from gpscale.sampling import Band


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-0.1, 1.0), (1.1, 0.2), (math.nan, 1.0), (0.2, math.nan)])
def test_a_band_that_is_reversed_or_not_positive_is_refused(low: float, high: float) -> None:
    with pytest.raises(SpaceError, match=rf"`band` needs 0 < low < high\. Got low={low}, high={high}"):
        Band(low, high)


def test_the_default_band_is_that_of_equation_4() -> None:
    assert Band() == Band(0.2, 1.1)
