"""What every scaling rule keeps, on a study's own ground and on a bare space."""

import pytest

from gpscale import families, rules
from gpscale.comparison.rule_picks import ground_of, try_pick
from gpscale.errors import BudgetError, FitError, OutOfRangeError
from gpscale.rules import Ground, Pick, pick
from gpscale.search_space import SearchSpace
from gpscale.study import Study

OPEN = {"width_as_is"}
"""Rules whose budget no search closes."""
SHARES = (0.25, 0.5, 0.75, 1.0)
NEED_A_STUDY = {"rule", "surface", "surface_low", "rule_of_trials", "transferred", "best_trial"}


@pytest.fixture(scope="module")
def ground():
    return ground_of(Study("quickstart"), Study("cifar10"))


def picks(ground, name):
    """Return what a rule builds at the budgets that it reaches."""
    found = {}
    for share in SHARES:
        budget = int(share * ground.space.base_macs)
        try:
            found[budget] = pick(rules.get(name), ground, budget)
        except (BudgetError, OutOfRangeError):
            continue
    return found


@pytest.mark.parametrize("name", rules.names())
def test_a_rule_uses_the_budget_and_is_never_over_it(ground, name):
    found = picks(ground, name)
    assert len(found) >= 2
    for budget, one in found.items():
        assert (0.0 if name in OPEN else 0.97 * budget) <= one.built.macs <= budget
        assert one.rule == name
        assert one.requested.shape == one.built.factors.shape == (4,)
        assert (one.requested > 0).all()


@pytest.mark.parametrize("name", rules.names())
def test_what_is_built_is_an_architecture_of_the_space_that_counts_as_it_says(ground, name):
    family = families.get(ground.space.base.family)
    for one in picks(ground, name).values():
        assert (one.place is None) == (name in OPEN)
        if name in OPEN:
            assert one.habit is not None
            assert one.built.architecture == one.habit.architecture
        else:
            assert one.built.architecture == ground.space.architecture(one.index)
        for built in (one.built, one.habit):
            if built is not None:
                macs, params = family.count(family.row(built.architecture)[None], ground.space.num_classes)
                assert (built.macs, built.params) == (macs[0], params[0])


@pytest.mark.parametrize("name", rules.names())
def test_a_rule_answers_the_same_when_asked_again(ground, name):
    first, second = picks(ground, name), picks(ground, name)
    built = [[one.built.architecture for one in found.values()] for found in (first, second)]
    assert built[0] == built[1]


@pytest.mark.parametrize("name", rules.names())
def test_a_rule_that_needs_a_study_says_so_and_the_others_need_none(name):
    bare = Ground(SearchSpace.enumerate("mobilenetv2_050@128", num_classes=10))
    budget = int(0.8 * bare.space.base_macs)
    if name in NEED_A_STUDY:
        with pytest.raises(FitError, match="study"):
            pick(rules.get(name), bare, budget)
    else:
        assert pick(rules.get(name), bare, budget).built.macs <= budget


@pytest.mark.parametrize("name", rules.names())
def test_a_budget_below_everything_is_an_error(ground, name):
    with pytest.raises(BudgetError, match="the smallest in `space`"):
        pick(rules.get(name), ground, 1000)


def test_the_generator_decides_what_is_drawn_and_nothing_else(ground):
    budget = ground.space.base_macs // 2
    for name in rules.names():
        found = [try_pick(name, ground, budget, seed) for seed in range(5)]
        built = {one.built.architecture for one in found if isinstance(one, Pick)}
        assert (len(built) > 1) == (name == "random")
