"""A recommendation in a process that has made one before, against the first one of a process.

As a program of its own: python -m tests.benchmarks.warm_recommend MACS METHOD CALLS
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys

from tests.benchmarks.measuring import Goal, Row, Side, timed
from tests.benchmarks.startup import REPOSITORY

CASES = tuple(itertools.product(("15M", "500M"), ("rule", "surface")))
"""Budgets on the default study's own base and on a stock base, by both methods."""


def measure(smoke: bool) -> list[Row]:
    """Return one row: the slowest of the cases."""
    rounds, calls = (1, 3) if smoke else (7, 50)
    found: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        for name, pair in _in_a_fresh_process(calls).items():
            found.setdefault(name, []).append((pair[0], pair[1]))
    both = {name: tuple(map(statistics.median, zip(*pairs, strict=True))) for name, pairs in found.items()}
    first, again = max(both.values(), key=lambda pair: pair[1])
    return [
        Row(
            what="gpscale.recommend(), warm",
            unit="s",
            ours=Side(f"slowest of {len(CASES)} budgets and methods", "1", again),
            peer=Side("the same, first call of a process with numpy loaded", "1", first),
            goal=Goal("under 20 ms", lambda row: row.ours.value < 0.02),
            rounds=rounds,
            details={f"{name} seconds": pair[1] for name, pair in both.items()},
        )
    ]


def _in_a_fresh_process(calls: int) -> dict[str, list[float]]:
    found = {}
    for macs, method in CASES:
        answer = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.warm_recommend", macs, method, str(calls)],
            cwd=REPOSITORY,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        found[f"{macs} {method}"] = json.loads(answer.stdout)
    return found


def main(macs: str, method: str, calls: str) -> None:
    """Print the seconds of the first call and the median of those that follow it."""
    from gpscale.recommender import recommend

    call = timed(lambda: recommend(macs, method=method))
    first = call()
    print(json.dumps([first, statistics.median(call() for _ in range(int(calls)))]))


if __name__ == "__main__":
    main(*sys.argv[1:])
