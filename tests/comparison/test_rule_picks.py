from __future__ import annotations

import pytest

from gpscale.comparison.rule_picks import picks
from gpscale.errors import OutOfRangeError
from gpscale.rules import names
from gpscale.study import Study
from gpscale.units import parse_macs

RULES = [name for name in names() if name != "transferred"]


def test_where_no_trial_was_no_rule_picks_anything(fitted: Study) -> None:
    table = picks(fitted, [fitted.base.macs // 2, 14 * fitted.base.macs])
    inside, outside = (rows for _, rows in table.groupby("budget"))
    assert list(outside["rule"]) == RULES
    low, high = fitted.facts["c_range"]
    assert set(outside["missing"]) == {f"c = 14 is outside the trials, c {low:.3f} to {high:.3f}"}
    assert outside[["macs", "top1"]].isna().all(axis=None)
    assert inside.set_index("rule")["missing"]["rule"] == ""


def test_budgets_that_all_lie_where_no_trial_was_are_refused_with_those_that_do_not(fitted: Study) -> None:
    base = fitted.base
    with pytest.raises(OutOfRangeError, match=r"Got c = 14, 0\.001\. Choose (\S+) to (\S+) MACs") as caught:
        picks(fitted, [14 * base.macs, base.macs // 1000])
    _, _, suggested = str(caught.value).partition("Choose ")
    ends = [parse_macs(end) for end in suggested.partition(" MACs")[0].split(" to ")]
    low, high = fitted.facts["c_range"]
    assert low <= ends[0] / base.macs < ends[1] / base.macs <= high
    assert set(picks(fitted, ends, ["width"])["budget"]) == set(ends)
