from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

import pytest
import torch

from gpscale.execution import usable_cores
from gpscale.execution.machine import (
    ENVIRONMENT,
    PACKAGES,
    cpu_model,
    describe_machine,
    oom_kills,
    training_device,
    versions,
)


def test_a_machine_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_PROC_BIND", "false")
    monkeypatch.setenv("HOME_ADDRESS", "private")
    found = describe_machine()
    assert found["packages"] == versions()
    assert found["cores"] == {"usable": usable_cores(), "all": os.cpu_count()}
    assert found["threads"] == torch.get_num_threads()
    assert found["memory"] > 2**28
    assert found["device"] == training_device()
    assert found["cpu"] == cpu_model() != ""
    assert found["environment"]["OMP_PROC_BIND"] == "false"
    assert "HOME_ADDRESS" not in found["environment"]
    assert found["worker_environment"] == ENVIRONMENT


def test_a_package_that_is_absent_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name == "pymoo":
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    found = versions()
    assert tuple(found) == PACKAGES
    assert found["pymoo"] == "not installed"
    assert found["numpy"] == real("numpy")


EVENTS = "low 0\nhigh 0\nmax 12\noom 5\noom_kill 3\noom_group_kill 0\n"
CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"


@pytest.mark.parametrize(
    ("said", "files", "kills"),
    [
        ("0::/user.slice/one", {"user.slice/one/memory.events": EVENTS, "memory.events": CONTROL}, 3),
        ("0::/../elsewhere", {"memory.events": EVENTS}, 3),
        ("4:cpu,memory:/one\n0::/", {"memory/one/memory.oom_control": CONTROL}, 2),
        ("4:memory:/outside/one\n0::/", {"memory/memory.oom_control": CONTROL}, 2),
        ("4:memory:/one\n0::/", {}, 0),
        ("0::/", {"memory.events": "low 0\n"}, 0),
        ("nothing of the kind", {}, 0),
    ],
)
def test_the_kernels_kills_for_want_of_memory_are_counted_where_it_says_them(
    tmp_path: Path, said: str, files: dict[str, str], kills: int
) -> None:
    process, root = tmp_path / "process", tmp_path / "groups"
    process.mkdir()
    (process / "cgroup").write_text(said)
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    assert oom_kills(process, root) == kills


def test_without_control_groups_nothing_is_told(tmp_path: Path) -> None:
    assert oom_kills(tmp_path, tmp_path) == 0
