"""Learning rate and step counts as pure functions of the position."""

from __future__ import annotations

import math

from gpscale.training.recipe import Recipe


def batch_size_for(recipe: Recipe, images: int) -> int:
    """Return the batch size in use: the recipe's, or all `images` when there are fewer."""
    return min(recipe.batch_size, images)


def steps_per_epoch(recipe: Recipe, images: int) -> int:
    """Return the number of full batches in `images`; the ragged rest of each epoch's order is left out."""
    return images // batch_size_for(recipe, images)


def peak_learning_rate(recipe: Recipe, batch_size: int) -> float:
    """Return the learning rate at the end of the warm-up for a batch of `batch_size` images."""
    ratio = batch_size / recipe.learning_rate_batch
    scale = {"sqrt": math.sqrt(ratio), "linear": ratio, "none": 1.0}[recipe.learning_rate_scaling]
    return recipe.learning_rate * scale


def learning_rate_at(step: int, steps: int, recipe: Recipe, peak: float) -> float:
    """Return the learning rate of one step: linear warm-up, then a cosine.

    Args:
        step: Steps taken before this one, `0 <= step < steps`.
        steps: Steps of the whole run.
        recipe: Gives the warm-up and the end of the cosine.
        peak: Learning rate at the end of the warm-up.
    """
    warmup = round(recipe.warmup * steps)
    if step < warmup:
        return peak * (step + 1) / warmup
    # The last step stands at the end of the cosine, so that the final rate is really reached.
    progress = (step - warmup) / max(1, steps - warmup - 1)
    floor = recipe.final_learning_rate
    return peak * (floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * progress)))


def ema_decay(recipe: Recipe, steps: int) -> float:
    """Return the decay of the weights' average: its horizon is a fraction of the run.

    A horizon of one step or less has decay 0: the average is then the weights themselves.
    """
    return max(0.0, 1.0 - 1.0 / max(1.0, recipe.ema_horizon * steps))
