"""One process that starts all the commands of the fault tests, and what undisturbed sweeps give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.faults.harness import Commands, Sweep

MakeSweep = Callable[[str], Sweep]


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    with Commands() as started:
        yield started


@pytest.fixture
def counting(commands: Commands, tmp_path: Path) -> Sweep:
    """A sweep of trials that count."""
    return Sweep(commands, tmp_path / "counting", "counting")


@pytest.fixture(scope="session")
def counted(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """The results of trials that count, by trial id, in a sweep that nothing has disturbed."""
    return undisturbed(Sweep(commands, tmp_path_factory.mktemp("counted"), "counting"))


@pytest.fixture(scope="session")
def trained(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """The results of real trials, by trial id, in a sweep that nothing has disturbed."""
    return undisturbed(Sweep(commands, tmp_path_factory.mktemp("trained"), "training"))


def undisturbed(sweep: Sweep) -> Mapping[str, Any]:
    assert sweep.start().wait().is_complete
    return sweep.results()
