import pytest

from gpscale.training import schedule
from gpscale.training.recipe import Recipe


def rates(recipe, steps):
    return [schedule.learning_rate_at(step, steps, recipe, peak=1.0) for step in range(steps)]


def test_the_rate_rises_to_its_peak_and_falls_to_its_end():
    curve = rates(Recipe(warmup=0.2, final_learning_rate=0.05), 100)
    assert curve[0] == pytest.approx(1 / 20)
    assert curve[19] == 1.0
    assert curve[-1] == pytest.approx(0.05)
    assert curve[:20] == sorted(curve[:20])
    assert curve[20:] == sorted(curve[20:], reverse=True)
    assert curve[20 + 40] == pytest.approx(0.05 + 0.95 / 2, abs=0.02)


@pytest.mark.parametrize("warmup", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_runs_of_few_steps_have_positive_rates(steps, warmup):
    assert all(0 < rate <= 1 for rate in rates(Recipe(warmup=warmup), steps))


@pytest.mark.parametrize(("scaling", "factor"), [("sqrt", 0.5), ("linear", 0.25), ("none", 1.0)])
def test_the_peak_follows_the_batch_size(scaling, factor):
    recipe = Recipe(learning_rate=1e-3, learning_rate_batch=256, learning_rate_scaling=scaling)
    assert schedule.peak_learning_rate(recipe, 64) == pytest.approx(1e-3 * factor)
    assert schedule.peak_learning_rate(recipe, 256) == 1e-3


def test_a_batch_is_no_larger_than_the_images_and_a_ragged_one_is_left_out():
    recipe = Recipe(batch_size=64)
    assert (schedule.batch_size_for(recipe, 40), schedule.steps_per_epoch(recipe, 40)) == (40, 1)
    assert (schedule.batch_size_for(recipe, 150), schedule.steps_per_epoch(recipe, 150)) == (64, 2)


def test_the_average_spans_its_share_of_the_run_and_none_of_a_tiny_one():
    recipe = Recipe(ema_horizon=0.1)
    assert schedule.ema_decay(recipe, 1000) == pytest.approx(0.99)
    assert schedule.ema_decay(recipe, 5) == 0.0
