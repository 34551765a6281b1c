"""Counters of energy: read where they are, explained where they are not."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from gpscale.benchmark.energy import find_meter


def package(root: Path, name: str, energy: int, limit: int = 10**6) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "energy_uj").write_text(f"{energy}\n")
    (folder / "max_energy_range_uj").write_text(f"{limit}\n")
    return folder


def test_the_packages_are_added_up_and_their_parts_are_not(tmp_path: Path) -> None:
    one = package(tmp_path, "intel-rapl:0", 100)
    other = package(tmp_path, "intel-rapl:1", 500)
    package(tmp_path, "intel-rapl:0:0", 10**5)
    meter = find_meter("cpu", tmp_path)
    assert meter.name == "RAPL"
    assert meter.read is not None
    (one / "energy_uj").write_text("300100")
    (other / "energy_uj").write_text("700500")
    assert meter.read() == 1.0


def test_a_counter_that_starts_over_goes_on(tmp_path: Path) -> None:
    folder = package(tmp_path, "intel-rapl:0", 999_000, limit=999_999)
    meter = find_meter("cpu", tmp_path)
    assert meter.read is not None
    (folder / "energy_uj").write_text("1000")
    assert meter.read() == 0.002


def test_the_idle_power_is_energy_over_time(tmp_path: Path) -> None:
    package(tmp_path, "intel-rapl:0", 100)
    assert find_meter("cpu", tmp_path).idle_watts(0.0) == 0.0


def test_where_nothing_counts_the_reason_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none = find_meter("cpu", tmp_path)
    assert (none.read, none.idle_watts()) == (None, 0.0)
    assert none.reason.startswith("not measurable here: this system shows no energy counter")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "gpscale[energy]" in find_meter("cuda").reason


def test_a_counter_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = package(tmp_path, "intel-rapl:0", 100)
    read_text = Path.read_text

    def refuse(path: Path, *arguments: object) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(path))
        return read_text(path)

    monkeypatch.setattr(Path, "read_text", refuse)
    reason = find_meter("cpu", tmp_path).reason
    assert str(folder / "energy_uj") in reason
    assert "Permission denied" in reason
