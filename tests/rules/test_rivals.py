"""The rules that others use, against their published figures."""

from __future__ import annotations

import numpy as np
import pytest

from gpscale import rules
from gpscale.comparison.rule_picks import ground_of
from gpscale.errors import BudgetError, OutOfRangeError
from gpscale.factors import FACTOR_NAMES
from gpscale.families import get
from gpscale.families.scaling import scale_to
from gpscale.rules import Ground, pick
from gpscale.search_space import SearchSpace
from gpscale.study import Study

SPACE = SearchSpace.enumerate("mobilevitv2_100@128", num_classes=10)
GROUND = Ground(SPACE)


def proposed(name: str, c: float) -> dict[str, float]:
    factors = rules.get(name).propose(GROUND, int(c * SPACE.base_macs)).factors
    return dict(zip(FACTOR_NAMES, factors.tolist(), strict=True))


@pytest.mark.parametrize(
    ("name", "free"),
    [("width", {"width"}), ("resolution", {"resolution"}), ("depth", {"ir_depth", "vit_depth"})],
)
def test_one_knob_turns_one_factor_as_far_as_the_macs_say(name: str, free: set[str]) -> None:
    found = proposed(name, 0.8)
    assert {factor for factor, value in found.items() if value != 1.0} == free
    assert all(found[factor] < 1 for factor in free)


def test_width_only_lies_between_the_two_widths_around_the_budget() -> None:
    family = get("mobilevitv2")
    for c in (0.3, 0.5, 0.7):
        budget = int(c * SPACE.base_macs)
        below = scale_to(family, budget, "width", base=SPACE.base, num_classes=10)
        found = proposed("width", c)["width"]
        assert below.factors.width <= found * 1.03
        assert found <= below.factors.width * 1.15
        habit = pick(rules.get("width"), GROUND, budget).habit
        assert habit is not None
        assert (habit.macs, habit.architecture) == (below.macs, below.architecture)


def test_width_as_it_is_builds_the_widest_model_that_fits_with_nothing_else_changed() -> None:
    family = get("mobilevitv2")
    for c in (0.05, 0.3, 0.5, 0.7):
        budget = int(c * SPACE.base_macs)
        wanted = scale_to(family, budget, "width", base=SPACE.base, num_classes=10)
        found = pick(rules.get("width_as_is"), GROUND, budget)
        assert (found.built.macs, found.built.architecture) == (wanted.macs, wanted.architecture)
        np.testing.assert_array_equal(found.built.factors, found.requested)
        assert found.built.factors[:3].tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(BudgetError, match="no architecture of mobilevitv2 fits"):
        pick(rules.get("width_as_is"), GROUND, 100_000)


def test_a_budget_beyond_the_pareto_set_is_extrapolated_and_only_by_rules_that_were_learned() -> None:
    ground = ground_of(Study("quickstart"))
    assert ground.of_trials is not None
    low, high = ground.of_trials.fitted_range
    assert ground.of_trials.c_range[1] > high * 1.02
    for c in (low * 1.01, high * 1.01):
        budget = round(c * ground.space.base_macs)
        assert pick(rules.get("rule_of_trials"), ground, budget).extrapolated == (c > high)
        assert not pick(rules.get("width"), ground, budget).extrapolated


def test_compound_scaling_keeps_the_published_ratios() -> None:
    found = proposed("compound", 0.5)
    phi = np.log(found["width"]) / np.log(1.1)
    assert found["resolution"] == pytest.approx(1.15**phi)
    assert found["ir_depth"] == found["vit_depth"] == pytest.approx(1.2**phi)


def test_fast_compound_scaling_spends_eight_tenths_on_width() -> None:
    found = proposed("fast_compound", 0.5)
    # MACs go with depth, width squared and resolution squared
    spent = {"ir_depth": 1, "width": 2, "resolution": 2}
    logs = {name: times * np.log(found[name]) for name, times in spent.items()}
    total = sum(logs.values())
    assert {name: round(value / total, 9) for name, value in logs.items()} == {
        "ir_depth": 0.1,
        "width": 0.8,
        "resolution": 0.1,
    }


@pytest.mark.parametrize(
    ("macs", "width", "depth", "pixels"),
    [(339, 1.0, 1.2, 192), (202, 0.75, 1.1, 188), (100, 0.54, 0.85, 184), (52, 0.54, 0.695, 152), (24, 0.51, 0.6, 106)],
)
def test_tinynet_goes_through_its_published_models(macs: float, width: float, depth: float, pixels: int) -> None:
    # a hair inside, so that rounding the budget does not leave the range
    found = proposed("tinynet", macs / 390 * (1 - 1e-6 if macs == 339 else 1 + 1e-6))
    assert found["width"] == pytest.approx(width, rel=1e-4)
    assert found["ir_depth"] == found["vit_depth"] == pytest.approx(depth, rel=1e-4)
    assert found["resolution"] == pytest.approx(pixels / 224, rel=1e-4)


def test_tinynet_says_how_far_it_reaches() -> None:
    with pytest.raises(OutOfRangeError, match=r"span c in \[0\.062, 0\.869\]\. Got 1\.000"):
        proposed("tinynet", 1.0)


def test_depth_alone_says_what_it_can_reach() -> None:
    with pytest.raises(BudgetError, match="nothing that depth only makes of mobilevitv2_100@128 fits"):
        proposed("depth", 0.2)


def test_the_best_trial_is_the_best_that_fits() -> None:
    study = Study("quickstart")
    ground = ground_of(study)
    for c in (0.3, 0.6, 1.0):
        budget = int(c * study.base.macs)
        fitting = study.finished[study.finished["macs"] <= budget]
        best = fitting.sort_values(["top1", "macs"], ascending=[False, True]).iloc[0]
        habit = pick(rules.get("best_trial"), ground, budget).habit
        assert habit is not None
        assert habit.macs == best["macs"]
        np.testing.assert_allclose(habit.factors, best[list(FACTOR_NAMES)].to_numpy(dtype=float))


def test_the_surface_s_pick_is_the_best_of_all_that_use_the_budget() -> None:
    ground = ground_of(Study("quickstart"))
    budget = ground.space.base_macs // 2
    part = ground.space.within_budget(budget)
    found = ground.require_surface().predict(part.factors)
    for name, values in (("surface", found.mean), ("surface_low", found.mean - 1.959964 * found.std)):
        picked = pick(rules.get(name), ground, budget).built.architecture
        assert picked == part.architecture(int(np.argmax(values)))
