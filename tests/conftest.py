"""Studies that several rooms are tested on."""

from __future__ import annotations

import pytest

from gpscale.study import Study
from gpscale.sweep import fit_run
from tests.synthetic_runs import write_run


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A fitted sobol sweep of 40 trials that follow a known rule, two of them failed."""
    run = write_run(tmp_path_factory.mktemp("runs") / "known_rule", failed=[5, 9])
    return fit_run(run, figures=False)
