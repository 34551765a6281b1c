"""Mean and standard deviation of a joint surface on a grid, against scikit-learn's Gaussian process of the same values.

Each side has a process of its own, with as many threads. As a program:

    python -m tests.benchmarks.surface_grid ours|peer seconds SIZE      # answers each line of its input with seconds
    python -m tests.benchmarks.surface_grid ours|peer mebibytes SIZE
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gpscale.factors import FACTOR_NAMES
from gpscale.surrogate.posterior import GPPosterior
from gpscale.surrogate.surface import Surface
from tests.benchmarks.measuring import Goal, Row, Side, interleaved, medians, timed
from tests.benchmarks.memory import extra_mebibytes
from tests.benchmarks.startup import REPOSITORY

OBSERVATIONS = 60
THREADS = 2
PAUSE_SECONDS = 0.3
"""Before each measurement: threads of a BLAS go on spinning for a while, and would take cores from the other side."""
GRIDS = 3
"""One after the other, the median of which is a measurement."""
SIDES = ("ours", "peer")
AXES = ("resolution", "width")
TOLERANCE = 1e-6
"""Largest difference of the two sides' results, as a fraction of accuracy."""


def measure(smoke: bool) -> list[Row]:
    """Return a row for the time and one for the memory."""
    size, rounds = (20, 1) if smoke else (500, 9)
    _check_agreement(size)
    with contextlib.ExitStack() as stack:
        sides = {side: stack.enter_context(_answering(side, size)) for side in SIDES}
        seconds = medians(interleaved(sides, rounds))
    memory = {side: _mebibytes(side, size) for side in SIDES}
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
            ours=Side(ours, str(THREADS), memory["ours"]),
            peer=Side(peer, str(THREADS), memory["peer"]),
            goal=Goal("at most 64 MiB", lambda row: row.ours.value <= 64),
            rounds=1,
        ),
    ]


def _check_agreement(size: int) -> None:
    """Fail where the two sides do not find the same."""
    surface = make_surface()
    ours = surface.grid(*AXES, size=size)
    for mine, theirs in zip((ours.mean, ours.std), make_peer(surface, size)(), strict=True):
        assert np.abs(mine.ravel() - theirs).max() < TOLERANCE


@contextlib.contextmanager
def _answering(side: str, size: int) -> Iterator[Callable[[], float]]:
    """Start a side's process; yield a function that returns the median seconds of a few grids."""
    command, environment = _command(side, "seconds", size)
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        requests, answers = process.stdin, process.stdout

        def seconds() -> float:
            time.sleep(PAUSE_SECONDS)
            requests.write("\n")
            requests.flush()
            return float(answers.readline())

        yield seconds


def _mebibytes(side: str, size: int) -> float:
    command, environment = _command(side, "mebibytes", size)
    answer = subprocess.run(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return float(answer.stdout)


def _command(side: str, unit: str, size: int) -> tuple[list[str], dict[str, str]]:
    # gpscale makes its own threads, in each of which the BLAS has one
    each = THREADS if side == "peer" else 1
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(each))
    command = [sys.executable, "-m", "tests.benchmarks.surface_grid", side, unit, str(size)]
    return command, {**os.environ, **threads}


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


def main(side: str, unit: str, size: str) -> None:
    """Answer each line of the input with the median seconds of a few grids, or print the extra memory of one."""
    surface = make_surface()

    def make(points: int) -> Callable[[], object]:
        if side == "peer":
            return make_peer(surface, points)
        return lambda: surface.grid(*AXES, size=points, threads=THREADS)

    call = make(int(size))
    # what the first call of a process loads is not the grid's
    make(2)()
    if unit == "mebibytes":
        print(extra_mebibytes(call))
        return
    seconds = timed(call)
    for _ in sys.stdin:
        # the first after a pause wakes threads and memory again
        seconds()
        print(statistics.median(seconds() for _ in range(GRIDS)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
