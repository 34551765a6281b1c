from __future__ import annotations

import importlib.metadata
import os

import pytest
import torch

from gpscale.execution import usable_cores
from gpscale.execution.local import ENVIRONMENT
from gpscale.execution.machine import PACKAGES, cpu_model, describe_machine, training_device, versions


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
