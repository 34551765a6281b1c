"""Seeds as functions of the position in a run, so that a run can be taken up at any step."""

from __future__ import annotations

import enum

import numpy as np
from numpy.typing import NDArray


class Stream(enum.IntEnum):
    """What a random number is for; each has numbers of its own. The values are part of every result."""

    ORDER = 0
    AUGMENTATION = 1
    MODEL = 2


def derived_seed(seed: int, stream: Stream, epoch: int, step: int = 0) -> int:
    """Return a seed of 64 bits for one stream at one position."""
    sequence = np.random.SeedSequence([seed, int(stream), epoch, step])
    return int(sequence.generate_state(1, np.uint64)[0])


def epoch_order(seed: int, epoch: int, indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Shuffle `indices`, int64 (N,), for one epoch; the result depends on nothing but the arguments."""
    return np.random.default_rng(derived_seed(seed, Stream.ORDER, epoch)).permutation(indices)
