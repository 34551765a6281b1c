"""A trial stops where earlier trials tell that it cannot reach the front any more, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from gpscale.stopping import LEAST_TRIALS, Dominated, Trained

EPOCHS = 4


def trained(macs: int, *curve: float) -> Trained:
    return Trained(macs, curve[-1], np.array(curve))


def alike(count: int, macs: int = 100, gain: float = 0.1) -> list[Trained]:
    """Return trials that end at 0.8 and gain the same at each epoch."""
    return [trained(macs, *(0.8 - gain * left for left in (3, 2, 1, 0)))] * count


def test_a_trial_stops_after_the_first_epoch_at_which_its_optimistic_end_is_below_the_front() -> None:
    earlier = alike(LEAST_TRIALS)
    stop = Dominated().judge(100, [0.55, 0.59, 0.6], EPOCHS, earlier)
    assert stop is not None
    # 0.55 + 0.3 = 0.85 may still beat 0.8, 0.59 + 0.2 = 0.79 cannot
    assert (stop.rule, stop.epoch, stop.epochs, stop.evidence) == ("dominated", 2, EPOCHS, LEAST_TRIALS)
    assert (stop.top1, stop.front) == (0.59, 0.8)
    assert stop.optimistic == pytest.approx(0.79)
    assert Dominated().judge(100, [0.55], EPOCHS, earlier) is None


def test_the_decision_about_an_epoch_does_not_change_with_what_is_trained_beyond() -> None:
    earlier = alike(LEAST_TRIALS)
    curve = [0.55, 0.59, 0.9, 0.95]
    assert Dominated().judge(100, curve, EPOCHS, earlier) == Dominated().judge(100, curve[:2], EPOCHS, earlier)


def test_only_what_costs_as_much_or_less_stands_against_a_trial() -> None:
    earlier = [*alike(LEAST_TRIALS, macs=100), trained(50, 0.1, 0.2, 0.3, 0.4)]
    assert Dominated().judge(99, [0.2, 0.3], EPOCHS, earlier) is None
    stop = Dominated().judge(100, [0.2, 0.3], EPOCHS, earlier)
    assert stop is not None
    assert stop.front == 0.8


def test_nothing_stops_before_an_epoch_with_few_trials_or_after_the_last_epoch() -> None:
    earlier = alike(LEAST_TRIALS)
    assert Dominated().judge(100, [], EPOCHS, earlier) is None
    assert Dominated().judge(100, [0.1], EPOCHS, earlier[1:]) is None
    assert Dominated().judge(100, [0.8, 0.8, 0.8, 0.1], EPOCHS, earlier) is None
    assert Dominated().judge(100, [0.1], EPOCHS, earlier) is not None


def test_a_trial_without_a_curve_counts_for_the_front_alone() -> None:
    lost = Trained(100, 0.95, None)
    assert Dominated().judge(100, [0.1], EPOCHS, [*alike(LEAST_TRIALS - 1), lost]) is None
    stop = Dominated().judge(100, [0.55], EPOCHS, [*alike(LEAST_TRIALS), lost])
    assert stop is not None
    assert (stop.front, stop.evidence) == (0.95, LEAST_TRIALS)


@pytest.mark.parametrize("outlier", [0.1, 0.5])
def test_the_bound_is_the_largest_gain_or_the_prediction_bound_of_one_more(outlier: float) -> None:
    gains = np.array([0.1, 0.12, 0.14, 0.11, 0.13, 0.12, 0.12, 0.1, 0.11, 0.13, 0.12, 0.14, outlier])
    earlier = [trained(10, 0.9 - gain, 0.9) for gain in gains]
    stop = Dominated().judge(10, [0.2], 2, earlier)
    assert stop is not None
    n = len(gains)
    expected = gains.mean() + t.ppf(0.99, n - 1) * gains.std(ddof=1) * np.sqrt(1 + 1 / n)
    assert stop.optimistic == pytest.approx(0.2 + max(gains.max(), expected))
    # the case with an outlier is one where the largest gain is the higher bound
    assert (gains.max() > expected) == (outlier == 0.5)


def test_no_trial_is_thought_to_get_better_than_perfect() -> None:
    earlier = [trained(10, 0.1, 1.0)] * LEAST_TRIALS
    assert Dominated().judge(10, [0.5], 2, earlier) is None
