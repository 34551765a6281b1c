"""Counting MACs in closed form, against torch's flop counter on the meta device."""

from __future__ import annotations

import numpy as np
import torch

from gpscale import SearchSpace, families
from gpscale.counting import count_module
from tests.benchmarks.measuring import Goal, Row, Side, interleaved, medians, timed

BASE = "mobilevitv2_050@64"
CLASSES = 10
BY_TORCH = 2
"""Architectures that torch counts in a round; it takes more than a tenth of a second for each."""


def measure(smoke: bool) -> list[Row]:
    """Return one row."""
    torch.set_num_threads(1)
    space = SearchSpace.enumerate(BASE, num_classes=CLASSES)
    family = families.get(space.base.family)
    rows = space.integers
    some = rows[np.linspace(0, len(rows) - 1, BY_TORCH).astype(np.int64)]

    def count_by_torch() -> None:
        for row in some:
            architecture = family.architecture(row)
            with torch.device("meta"):
                model = family.build(architecture, CLASSES)
            count_module(model, (architecture.pixels, architecture.pixels))

    rounds = 1 if smoke else 15
    seconds = {"ours": timed(lambda: family.count(rows, CLASSES)), "peer": timed(count_by_torch)}
    found = medians(interleaved(seconds, rounds))
    return [
        Row(
            what="counting architectures: MACs and parameters",
            unit="1/s",
            ours=Side("closed form", "1", len(rows) / found["ours"]),
            peer=Side("torch's flop counter on the meta device", "1", BY_TORCH / found["peer"]),
            goal=Goal("1,000,000 /s", lambda row: row.ours.value >= 1e6),
            rounds=rounds,
        )
    ]
