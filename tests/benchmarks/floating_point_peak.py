"""What the cores can do at most: products of large matrices, one after the other.

As a program of its own, which reads requests and writes answers:

    python -m tests.benchmarks.floating_point_peak
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import torch

from tests.benchmarks.training_workload import answer_requests

SIDE = 1024
OPERATIONS_PER_STEP = 2 * SIDE**3


def steps() -> Iterator[None]:
    """Multiply two float32 matrices, without end."""
    left, right, out = (torch.ones(SIDE, SIDE) for _ in range(3))
    while True:
        torch.mm(left, right, out=out)
        yield


if __name__ == "__main__":
    answer_requests(sys.stdin, sys.stdout, steps())
