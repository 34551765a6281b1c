"""A fitted study whose trials were trained on real images."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from gpscale.run_dir import RunDir
from gpscale.sweep import fit_run
from tests.comparison.instant import write_study


@pytest.fixture(scope="package")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A fitted study; its tests take copies."""
    run = write_study(
        tmp_path_factory.mktemp("fitted") / "study",
        law=lambda c, factors: 0.3 + 0.2 * c + 0.05 * np.log(factors.resolution),
        trials=14,
        fit={"bootstrap": 5},
    )
    fit_run(run, figures=False)
    return run


@pytest.fixture
def study(fitted: RunDir, tmp_path: Path) -> RunDir:
    return RunDir(shutil.copytree(fitted.path, tmp_path / "study"))
