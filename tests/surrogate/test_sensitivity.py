"""Sobol indices of surfaces whose law is known, and what the paper's claim is found to be."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pytest

from gpscale.errors import FitError
from gpscale.factors import FACTOR_NAMES, FACTOR_SYMBOLS
from gpscale.surrogate.sensitivity import Sensitivity, sensitivity
from gpscale.surrogate.surface import Surface

N = 40
COST = {"resolution": 2.0, "ir_depth": 0.5, "vit_depth": 0.25, "width": 1.8}
"""By which power of each factor MACs grow, in a made-up space."""


def found_for(
    slopes: Mapping[str, float],
    noise: float = 0.0005,
    held: str | None = None,
    n: int = N,
    points: int = 64,
    band: tuple[float, float] = (0.0, 1.0),
) -> Sensitivity:
    """Judge a surface of top-1 that is linear in the log factors, each with the same span.

    MACs of the trials are said to go from one to the other quantile of `band` of those in the box.
    """
    generator = np.random.default_rng(0)
    logs = generator.uniform(-0.5, 0.5, (n, 4))
    if held:
        logs[:, FACTOR_NAMES.index(held)] = 0.0
    top1 = 0.6 + logs @ [slopes.get(name, 0.0) for name in FACTOR_NAMES] + generator.normal(0, noise, n)
    space = generator.uniform(-0.7, 0.7, (200, 4))
    macs = 3e7 * np.exp(space @ list(COST.values()))
    surface = Surface.fit(np.exp(logs), FACTOR_NAMES, top1, restarts=1)
    low, high = np.array(list(surface.bounds.values())).T
    box = 3e7 * np.exp(generator.uniform(np.log(low), np.log(high), (20_000, 4)) @ list(COST.values()))
    return sensitivity(surface, np.exp(space), macs, np.quantile(box, band), halves=12, points=points)


def test_indices_of_a_linear_law_are_the_shares_of_the_squared_slopes() -> None:
    slopes = {"resolution": 0.10, "ir_depth": 0.02, "vit_depth": 0.03, "width": 0.08}
    found = found_for(slopes, points=256)
    total = sum(slope**2 for slope in slopes.values())
    for name, slope in slopes.items():
        for index in (found.first[name], found.total[name]):
            assert index.mean == pytest.approx(slope**2 / total, abs=0.05)
            assert index.low <= index.mean <= index.high


@pytest.mark.parametrize(
    ("slopes", "noise", "word"),
    [
        ({"resolution": 0.10, "ir_depth": 0.02, "vit_depth": 0.02, "width": 0.08}, 0.001, "confirmed"),
        ({"resolution": 0.02, "ir_depth": 0.10, "vit_depth": 0.08, "width": 0.02}, 0.001, "denied"),
        ({"resolution": 0.10, "ir_depth": 0.02, "vit_depth": 0.10, "width": 0.02}, 0.001, "denied"),
        (dict.fromkeys(FACTOR_NAMES, 0.03), 0.03, "undecided"),
    ],
)
def test_the_claim_of_the_paper_is_confirmed_denied_or_undecided(
    slopes: Mapping[str, float], noise: float, word: str
) -> None:
    found = found_for(slopes, noise)
    assert f"(method paper, section 4.2): {word} by this study" in found.verdict
    assert all(symbol in found.verdict for symbol in FACTOR_SYMBOLS.values())


def test_noise_makes_the_intervals_wide() -> None:
    slopes = dict.fromkeys(FACTOR_NAMES, 0.05)
    widths = [max(one.high - one.low for one in found_for(slopes, noise).total.values()) for noise in (0.0005, 0.03)]
    assert widths[1] > 2 * widths[0]


def test_twice_the_macs_bring_the_same_by_any_factor_where_macs_alone_decide() -> None:
    found = found_for({name: 0.04 * power for name, power in COST.items()})
    for name in FACTOR_NAMES:
        assert found.per_doubling[name].mean == pytest.approx(0.04 * np.log(2), rel=0.15), name


@pytest.mark.parametrize("band", [(0.2, 0.8), (0.5, 1.0), (0.0, 1.0)])
def test_how_much_of_the_box_was_measured_is_told(band: tuple[float, float]) -> None:
    found = found_for({"resolution": 0.1, "width": 0.05}, band=band, points=256)
    assert found.measured == pytest.approx(band[1] - band[0], abs=0.03)


def test_of_a_factor_that_did_not_vary_nothing_is_said() -> None:
    found = found_for({"resolution": 0.1, "width": 0.05}, held="vit_depth")
    assert set(found.total) == {"resolution", "ir_depth", "width"}
    assert found.unknown == ("vit_depth",)
    assert found.claim is None
    assert found.verdict.endswith("undecided, for d_m did not vary in this study.")


def test_it_repeats_and_is_json() -> None:
    slopes = {"resolution": 0.1, "width": 0.05}
    found = found_for(slopes, n=20)
    assert found_for(slopes, n=20) == found
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["verdict"] == found.verdict


def test_a_surface_over_one_factor_is_refused() -> None:
    logs = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 1))
    surface = Surface.fit(np.exp(logs), ["width"], 0.6 + 0.1 * logs[:, 0], restarts=1)
    with pytest.raises(FitError, match="at least two must vary. Got width"):
        sensitivity(surface, np.ones((3, 4)), np.ones(3), np.ones(20))
