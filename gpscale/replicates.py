"""Replicates: the same architecture trained with several seeds, averaged, and the noise between seeds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

AVERAGED = ("top1", "top5", "top1_raw", "top5_raw", "validation_loss", "train_loss", "images_per_second")


@dataclasses.dataclass(frozen=True)
class SeedNoise:
    """How much trainings of one architecture differ when nothing but the seed does.

    Attributes:
        std: Pooled standard deviation of one training, a fraction of images.
        degrees: Degrees of freedom of that estimate: trainings less architectures, >= 1.
        architectures: How many were trained more than once.

    Example:
        >>> print(SeedNoise(0.006, degrees=4, architectures=2))
        0.60 points (standard deviation of one training, from 2 architectures, 4 degrees of freedom)
    """

    std: float
    degrees: int
    architectures: int

    def __str__(self) -> str:
        return (
            f"{100 * self.std:.2f} points (standard deviation of one training, from {self.architectures} "
            f"architectures, {self.degrees} degrees of freedom)"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return dataclasses.asdict(self)


def averaged(trainings: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each architecture, in the order in which they come first.

    Args:
        trainings: Finished trials, as `Study.trials` has them.

    Returns:
        The rows of the lowest seeds, with accuracies, losses and speed averaged over all, `seconds` summed, and two
        more columns: `trainings`, how many there are, and `top1_first`, top-1 of the lowest seed alone.

    Example:
        >>> table = pd.DataFrame({"architecture": ["a", "a"], "seed": [1, 0], "top1": [0.5, 0.4], "seconds": [9, 8]})
        >>> averaged(table)[["seed", "top1", "seconds", "trainings", "top1_first"]].values.tolist()
        [[0.0, 0.45, 17.0, 2.0, 0.4]]
    """
    ordered = trainings.sort_values("seed", kind="stable")
    groups = ordered.groupby("architecture", sort=False)
    means = [name for name in AVERAGED if name in ordered]
    first = groups.head(1).set_index("architecture")
    first = first.assign(trainings=groups.size(), top1_first=first["top1"], seconds=groups["seconds"].sum(min_count=1))
    first[means] = groups[means].mean()
    order = trainings["architecture"].drop_duplicates()
    return first.loc[order].reset_index()[[*trainings.columns, "trainings", "top1_first"]]


def seed_noise(trainings: pd.DataFrame, outcome: str) -> SeedNoise | None:
    """Estimate the noise between seeds; None where no architecture was trained twice.

    Args:
        trainings: As in `averaged`.
        outcome: Column, fractions in [0, 1].

    Example:
        >>> table = pd.DataFrame({"architecture": ["a", "a", "b"], "top1": [0.52, 0.50, 0.40]})
        >>> round(seed_noise(table, "top1").std, 4)
        0.0141
    """
    groups = [group.to_numpy(dtype=np.float64) for _, group in trainings.groupby("architecture")[outcome]]
    std, degrees = pooled_spread(groups)
    return SeedNoise(std, degrees, sum(len(group) > 1 for group in groups)) if degrees else None


def pooled_spread(groups: Sequence[NDArray[np.float64]]) -> tuple[float, int]:
    """Return the standard deviation within groups, pooled over them, and its degrees of freedom.

    Args:
        groups: Of each model its values, one a seed, (n,) float64; groups of one say nothing.

    Returns:
        The standard deviation, NaN where no group has two values, and how many values there are beyond the means.

    Example:
        >>> std, degrees = pooled_spread([np.array([0.70, 0.72]), np.array([0.60, 0.62]), np.array([0.4])])
        >>> degrees, round(std, 4)
        (2, 0.0141)
    """
    degrees = sum(max(0, len(group) - 1) for group in groups)
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in groups if len(group))
    return (math.sqrt(squares / degrees) if degrees else math.nan), degrees
