"""Cut a training and a validation part from labelled images, class by class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gpscale.errors import DataError
from gpscale.training.data.config import DataConfig

Indices = NDArray[np.int64]


def split_labels(labels: Indices, class_names: Sequence[str], config: DataConfig) -> tuple[Indices, Indices]:
    """Return the indices, int64, ascending, of a sweep's training and validation images.

    Args:
        labels: int64 (N,), 0 to C-1, of all images.
        class_names: C names, for messages.
        config: Shares, caps and seed.

    Raises:
        DataError: As `split_by_class` does.
    """
    return split_by_class(
        labels,
        class_names,
        validation=config.validation,
        seed=config.split_seed,
        train_images=config.train_images,
        validation_images=config.validation_images,
    )


def split_by_class(
    labels: Indices,
    class_names: Sequence[str],
    *,
    validation: float,
    seed: int,
    train_images: int | None = None,
    validation_images: int | None = None,
) -> tuple[Indices, Indices]:
    """Draw the validation part from every class, then cap both parts with the shares of the classes kept.

    A smaller cap with the same seed takes a subset of each class that a larger one takes.

    Args:
        labels: int64 (N,), 0 to C-1.
        class_names: C names, for messages.
        validation: Share of every class that validates, in (0, 1); at least one image, and at least one is left.
        seed: Decides the draw.
        train_images: Largest training part; None for no limit.
        validation_images: Largest validation part; None for no limit.

    Returns:
        Indices of the training and of the validation part, int64, ascending.

    Raises:
        DataError: A class has fewer than two images, or a cap leaves a class without any.
    """
    classes = np.unique(labels)
    train, held_out = [], []
    for label in classes:
        members = np.flatnonzero(labels == label)
        if len(members) < 2:
            raise DataError(
                f"Every class needs at least 2 images, one to train and one to validate. Class {class_names[label]!r} "
                f"has {len(members)}. Add images to it, or remove it."
            )
        shuffled = np.random.default_rng([seed, int(label)]).permutation(members)
        count = min(max(round(validation * len(members)), 1), len(members) - 1)
        held_out.append(shuffled[:count])
        train.append(shuffled[count:])
    return (
        _capped(train, train_images, "train_images"),
        _capped(held_out, validation_images, "validation_images"),
    )


def _capped(parts: list[Indices], cap: int | None, field: str) -> Indices:
    sizes = np.array([len(part) for part in parts])
    if cap is not None and cap < sizes.sum():
        if cap < len(parts):
            raise DataError(
                f"`data.{field}` must leave an image to every class. Got {cap} for {len(parts)} classes. Raise it."
            )
        sizes = _shares(sizes, cap)
    return np.sort(np.concatenate([part[:size] for part, size in zip(parts, sizes, strict=True)]))


def _shares(sizes: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Share `total` out in proportion to `sizes`, at least 1 each, by largest remainder."""
    exact = sizes * (total / sizes.sum())
    shares: NDArray[np.int64] = np.maximum(1, np.floor(exact)).astype(np.int64)
    while shares.sum() != total:
        step = 1 if shares.sum() < total else -1
        gap = np.where((shares > 1) | (step > 0), (exact - shares) * step, -np.inf)
        shares[np.argmax(gap)] += step
    return shares
