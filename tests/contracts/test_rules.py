import json

import numpy as np
import pytest

from gpscale import rules
from gpscale.errors import OutOfRangeError
from gpscale.rules.fit import fit_rule

C = np.geomspace(0.2, 1.1, 20)
FACTORS = np.column_stack([C**0.3, C**0.1, np.ones(20), C**0.2])


def make(name):
    """Return a rule of that name, fitted to a known law."""
    makers = {"gp": lambda: fit_rule(C, FACTORS, 0.5 + 0.1 * np.log(C / 0.1), bootstrap=5)}
    return makers[name]()


@pytest.fixture(scope="module", params=rules.names())
def rule(request):
    return make(request.param)


def test_a_rule_proposes_positive_factors_with_an_interval_around_them(rule):
    found = rule.predict([0.25, 0.5, 1.0])
    assert found.factors.shape == found.log_std.shape == found.low.shape == found.high.shape == (3, 4)
    assert (found.log_std > 0).all()
    assert ((found.low > 0) & (found.low < found.factors) & (found.factors < found.high)).all()


def test_a_rule_survives_json(rule):
    again = rules.from_dict(json.loads(json.dumps(rule.to_dict())))
    assert again.name == rule.name
    np.testing.assert_array_equal(again.predict(C).factors, rule.predict(C).factors)
    np.testing.assert_array_equal(again.predict(C).log_std, rule.predict(C).log_std)


def test_a_rule_refuses_what_it_does_not_hold(rule):
    with pytest.raises(OutOfRangeError, match="Got 5"):
        rule.predict(5.0)
