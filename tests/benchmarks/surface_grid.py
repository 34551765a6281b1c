"""Mean and standard deviation of a joint surface on a grid, against scikit-learn's Gaussian process of the same values.

As a program of its own, which prints seconds or mebibytes of both sides:

    python -m tests.benchmarks.surface_grid seconds SIZE ROUNDS
    python -m tests.benchmarks.surface_grid ours SIZE
    python -m tests.benchmarks.surface_grid peer SIZE
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from gpscale.factors import FACTOR_NAMES
from gpscale.surrogate.posterior import GPPosterior
from gpscale.surrogate.surface import Surface
from gpscale.surrogate.views import SurfaceGrid
from tests.benchmarks.measuring import Goal, Row, Side, interleaved, medians, timed
from tests.benchmarks.memory import extra_mebibytes
from tests.benchmarks.startup import REPOSITORY

OBSERVATIONS = 60
THREADS = 2
AXES = ("resolution", "width")
TOLERANCE = 1e-6
"""Largest difference of the two sides' results, as a fraction of accuracy."""


def measure(smoke: bool) -> list[Row]:
    """Return a row for the time and one for the memory."""
    size, rounds = (20, 1) if smoke else (500, 9)
    seconds = _in_a_fresh_process("seconds", size, rounds)
    memory = {side: _in_a_fresh_process(side, size) for side in ("ours", "peer")}
    what = f"{size} x {size} mean and deviation, {OBSERVATIONS} observations"
    ours, peer = f"Surface.grid(threads={THREADS})", "scikit-learn's predict(return_std=True)"
    return [
        Row(
            what=what,
            unit="s",
            ours=Side(ours, str(THREADS), seconds["ours"]),
            peer=Side(peer, str(THREADS), seconds["peer"]),
            goal=Goal("5 times as fast", lambda row: row.ratio >= 5),
            rounds=rounds,
        ),
        Row(
            what=f"{what}: extra memory",
            unit="MiB",
            ours=Side(ours, str(THREADS), memory["ours"]["mebibytes"]),
            peer=Side(peer, str(THREADS), memory["peer"]["mebibytes"]),
            goal=Goal("at most 64 MiB", lambda row: row.ours.value <= 64),
            rounds=1,
        ),
    ]


def _in_a_fresh_process(*arguments: object) -> dict[str, float]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(THREADS))
    answer = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.surface_grid", *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, **threads},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return dict(json.loads(answer.stdout))


def make_surface() -> Surface:
    """Return a joint surface of `OBSERVATIONS` invented trials."""
    generator = np.random.default_rng(0)
    inputs = generator.random((OBSERVATIONS, len(FACTOR_NAMES)))
    # the cube is the span of the observations' logarithms: it is to be the unit cube
    inputs = (inputs - inputs.min(axis=0)) / np.ptp(inputs, axis=0)
    outcomes = 0.6 + 0.1 * np.sin(3 * inputs.sum(axis=1)) + 0.005 * generator.standard_normal(OBSERVATIONS)
    posterior = GPPosterior(
        inputs=inputs,
        outcomes=outcomes,
        lengthscales=np.array([0.4, 0.9, 1.1, 0.5]),
        noise=3e-3,
        constant=0.2,
        outcome_mean=float(outcomes.mean()),
        outcome_std=float(outcomes.std(ddof=1)),
    )
    return Surface(FACTOR_NAMES, "top1", np.exp(inputs), posterior)


def make_peer(surface: Surface, size: int) -> Callable[[], tuple[Any, Any]]:
    """Return scikit-learn's prediction, in the outcomes' unit, of what `surface.grid` returns."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import Matern

    posterior = surface.posterior
    kernel = Matern(posterior.lengthscales, nu=2.5)
    regressor = GaussianProcessRegressor(kernel, alpha=posterior.noise, optimizer=None)
    regressor.fit(posterior.inputs, posterior.standardised)
    x, y = (np.linspace(*surface.bounds[name], size) for name in AXES)
    columns = {AXES[0]: np.tile(x, size), AXES[1]: np.repeat(y, size)}
    points = np.log(np.column_stack([columns.get(name, np.ones(size**2)) for name in FACTOR_NAMES]))
    offset, scale = posterior.outcome_mean + posterior.outcome_std * posterior.constant, posterior.outcome_std

    def predict() -> tuple[Any, Any]:
        mean, std = regressor.predict(points, return_std=True)
        return offset + scale * mean, scale * std

    return predict


def main(what: str, size: str, rounds: str = "1") -> None:
    """Print the medians of both sides in seconds, or one side's extra memory."""
    from threadpoolctl import threadpool_limits

    surface, points = make_surface(), int(size)

    def ours() -> SurfaceGrid:
        # two threads in all: gpscale makes its own
        with threadpool_limits(1):
            return surface.grid(*AXES, size=points, threads=THREADS)

    if what == "ours":
        surface.grid(*AXES, size=2)  # what the first call of a process loads is not the grid's
        print(json.dumps({"mebibytes": extra_mebibytes(ours)}))
        return
    peer = make_peer(surface, points)
    if what == "peer":
        make_peer(surface, 2)()
        print(json.dumps({"mebibytes": extra_mebibytes(peer)}))
        return
    for mine, theirs in zip((ours().mean, ours().std), peer(), strict=True):
        assert np.abs(mine.ravel() - theirs).max() < TOLERANCE
    print(json.dumps(medians(interleaved({"ours": timed(ours), "peer": timed(peer)}, int(rounds)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
