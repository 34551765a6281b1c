"""Where trials run: the options of `gpscale sweep`."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpscale.run_dir import RunDir
from tests.cli.command import gpscale_here
from tests.execution.ray_cluster import Cluster
from tests.integration.tiny_sweep import results, write_sweep


def test_a_sweep_on_a_cluster_has_the_results_of_one_on_this_machine(ray_cluster: Cluster, tmp_path: Path) -> None:
    file = write_sweep(tmp_path)
    common = ("sweep", file, "--runs", tmp_path, "--trials", 2, "--workers", 2)
    here = gpscale_here(*common, "--name", "here")
    there = gpscale_here(*common, "--name", "there", "--executor", "ray", "--address", ray_cluster.address, "--gpus", 0)
    for ran in (here, there):
        assert "FitError: A surface over 4 factors needs at least 6 finished trials. Got 2." in ran.err, ran.err
    assert len(results(RunDir(tmp_path / "here"))) == 2
    assert results(RunDir(tmp_path / "there")) == results(RunDir(tmp_path / "here"))
    assert not list((tmp_path / "there").rglob("*.tmp"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--executor", "raye"), r"Unknown executor 'raye'. Known: local, ray, replay. Did you mean 'ray'?"),
        (("--address", "auto", "--gpus", 1), "--address, --gpus must come with --executor ray. Got --executor local."),
        (("--executor", "ray", "--cpus", 0), "cpus must be positive. Got 0."),
        (("--executor", "ray", "--address", "127.0.0.2:1", "--workers", 1), "Got '127.0.0.2:1': "),
    ],
)
def test_an_executor_that_cannot_be_is_refused_before_anything_is_written(
    tmp_path: Path, options: tuple[object, ...], message: str
) -> None:
    ran = gpscale_here("sweep", write_sweep(tmp_path), "--runs", tmp_path / "runs", *options)
    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "runs").exists()
