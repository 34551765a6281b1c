"""What several rooms are tested on, and the order of the files."""

from __future__ import annotations

import os

# a test process for each core, each with one thread: they would wait for each other, and numbers would depend on it
os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Iterator
from pathlib import Path

import pytest

from gpscale.study import Study
from gpscale.sweep import fit_run
from tests.execution.ray_cluster import Cluster, cluster
from tests.synthetic_runs import write_run

ROOT = Path(__file__).parents[1]

# a process takes one file after the other: the files that take minutes come first, so that none is alone at the end
FIRST = (
    "tests/test_benchmarks.py",
    "tests/execution/test_ray.py",
    "tests/integration",
    "tests/faults",
    "tests/contracts/test_executors.py",
    "tests/execution",
    "tests/cli",
    "tests/families",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first; the order is otherwise kept."""

    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(ROOT).as_posix()
        return next((index for index, start in enumerate(FIRST) if path.startswith(start)), len(FIRST))

    items.sort(key=place)


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A fitted sobol sweep of 40 trials that follow a known rule, two of them failed."""
    run = write_run(tmp_path_factory.mktemp("runs") / "known_rule", failed=[5, 9])
    return fit_run(run, figures=False)


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Cluster]:
    """A cluster of which this process is a driver: a head, and two nodes with room for two trials each."""
    with cluster() as started, pytest.MonkeyPatch.context() as patch:
        for name, value in started.environment.items():
            if name.startswith("RAY_"):
                patch.setenv(name, value)
        for ip in ("127.0.0.3", "127.0.0.4"):
            started.add_node(ip)
        yield started
