"""What both sides of the training benchmark train, and how a process of either is asked for steps."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import Any, TextIO

from gpscale import families
from gpscale.training.recipe import Recipe
from gpscale.training.trainer import initialised

STORED_PIXELS = 32
"""Side of the stored images, as CIFAR-10's; they are the digits, which any clone has."""

WARM_UP_STEPS = 2


@dataclasses.dataclass(frozen=True)
class Workload:
    """One training.

    Attributes:
        store: Directory of the decoded images.
        base: Model and side of its images.
        batch_size: Images of a step.
        classes: Outputs of the classifier.
    """

    store: str
    base: str
    batch_size: int
    classes: int = 10

    @property
    def recipe(self) -> Recipe:
        """The default recipe, long enough not to end."""
        return Recipe(epochs=10_000, batch_size=self.batch_size)

    @property
    def pixels(self) -> int:
        """Side of the images that the model sees."""
        return families.parse_base(self.base).architecture.pixels

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image, forward."""
        base = families.parse_base(self.base)
        family = families.get(base.family)
        return int(family.count(family.row(base.architecture)[None], self.classes)[0][0])

    def model(self) -> Any:
        """Build the model."""
        base = families.parse_base(self.base)
        return initialised(lambda: families.get(base.family).build(base.architecture, self.classes), seed=0)


def answer_requests(requests: TextIO, answers: TextIO, steps: Iterator[None]) -> None:
    """Train for as many seconds as each line of `requests` says, and answer with the steps a second.

    A few steps go before and are not counted, so that data loaded while nothing was asked for does not count either.
    """
    for line in requests:
        for _ in range(WARM_UP_STEPS):
            next(steps)
        begin, taken, spent = time.perf_counter(), 0, 0.0
        while not taken or spent < float(line):
            next(steps)
            taken, spent = taken + 1, time.perf_counter() - begin
        answers.write(f"{taken / spent}\n")
        answers.flush()
