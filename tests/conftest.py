"""What several rooms are tested on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gpscale.study import Study
from gpscale.sweep import fit_run
from tests.execution.ray_cluster import Cluster, cluster
from tests.synthetic_runs import write_run


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
