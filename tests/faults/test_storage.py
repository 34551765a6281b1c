"""Disks that are full, directories that may not be written, files that are damaged."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.faults.harness import Command, Commands, Sweep, may_not_write_everywhere
from tests.faults.stand_ins import BALLAST, STEPS

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")

Fill = Callable[[Command], object]


def assert_completes(sweep: Sweep, undisturbed: Mapping[str, Any]) -> None:
    """Run the sweep again, undisturbed."""
    kept = sweep.finished()
    assert sweep.start().wait().is_complete
    assert kept.items() <= sweep.finished().items()
    assert sweep.results() == undisturbed


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.strip()}")
    yield place
    # lazily: a process that a failed test has left may still be in it
    subprocess.run(["umount", "--lazy", place], check=True)


def fill(disk: Path) -> None:
    """Take all the room that is left."""
    with open(disk / "ballast", "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b" " * 4096):
            pass


def limit_file_size(driver: Command) -> None:
    """Forbid all processes of a sweep to write files as large as a count with its ballast is."""
    for process in (driver.pid, *driver.descendants()):
        resource.prlimit(process, resource.RLIMIT_FSIZE, (len(BALLAST), len(BALLAST)))


def assert_stops_for_want_of_room(sweep: Sweep, fill: Fill, message: str) -> None:
    """Let the disk become full when one trial has finished and another one counts."""
    sweep.hold_at(STEPS + 1)
    driver = sweep.start()
    driver.wait_until(sweep.is_held)
    kept = sweep.finished()
    assert len(kept) == 1
    [begun] = sweep.begun()
    fill(driver)
    sweep.hold_at(None)
    ran = driver.wait()
    assert ran.status == 2
    assert f"trials/{begun} must be writable. Got: {message}. Make room" in ran.error
    assert sweep.failures() == {}
    assert sweep.finished() == kept


def test_a_full_disk_stops_the_sweep_with_one_line_and_with_room_it_goes_on(
    commands: Commands, small_disk: Path, counted: Mapping[str, Any]
) -> None:
    sweep = Sweep(commands, small_disk, "counting")
    assert_stops_for_want_of_room(sweep, lambda driver: fill(small_disk), "No space left on device")
    (small_disk / "ballast").unlink()
    assert_completes(sweep, counted)


def test_files_that_may_not_grow_stop_the_sweep_with_one_line(counting: Sweep, counted: Mapping[str, Any]) -> None:
    assert_stops_for_want_of_room(counting, limit_file_size, "File too large")
    assert_completes(counting, counted)


def test_a_disk_that_is_full_from_the_start_is_one_line(counting: Sweep, counted: Mapping[str, Any]) -> None:
    ran = counting.start(prepare=allow_small_files_only).wait()
    assert ran.status == 2
    assert ran.error.startswith("StorageError: runs/tiny/images/")
    assert "must be writable. Got: File too large. Make room on its disk" in ran.error
    assert not counting.run.sweep_file.exists()
    assert_completes(counting, counted)


def allow_small_files_only() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))


def set_writable(sweep: Sweep, *, yes: bool) -> None:
    for directory, _, files in os.walk(sweep.run.path):
        os.chmod(directory, 0o755 if yes else 0o555)
        for file in files:
            os.chmod(Path(directory, file), 0o644 if yes else 0o444)


def test_a_read_only_run_directory_is_refused_and_left_as_it_is(counting: Sweep, counted: Mapping[str, Any]) -> None:
    counting.hold_at(STEPS + 1)
    driver = counting.start(prepare=may_not_write_everywhere)
    driver.wait_until(counting.is_held)
    driver.kill()
    driver.wait()
    kept = counting.finished()
    set_writable(counting, yes=False)
    ran = counting.start(prepare=may_not_write_everywhere).wait()
    assert ran.status == 2
    assert ran.error.startswith("StorageError: runs/tiny must be writable. Got: Permission denied. Mend ")
    assert counting.finished() == kept
    set_writable(counting, yes=True)
    counting.hold_at(None)
    assert_completes(counting, counted)


def test_a_run_directory_that_becomes_read_only_stops_the_sweep_with_one_line(
    counting: Sweep, counted: Mapping[str, Any]
) -> None:
    counting.hold_at(STEPS + 1)
    driver = counting.start(prepare=may_not_write_everywhere)
    driver.wait_until(counting.is_held)
    [begun] = counting.begun()
    set_writable(counting, yes=False)
    counting.hold_at(None)
    ran = driver.wait()
    set_writable(counting, yes=True)
    assert ran.status == 2
    assert f"trials/{begun} must be writable. Got: Permission denied. Mend " in ran.error
    assert counting.failures() == {}
    assert_completes(counting, counted)


def test_a_file_in_the_way_of_the_trials_stops_the_sweep_with_one_line(
    counting: Sweep, counted: Mapping[str, Any]
) -> None:
    (counting.run.path).mkdir(parents=True)
    (counting.run.path / "trials").write_text("in the way")
    # a directory without a sweep may hold no other file
    counting.run.sweep_file.write_text((counting.directory / "tiny.yaml").read_text())
    ran = counting.start().wait()
    assert ran.status == 2
    assert "must be writable. Got: " in ran.error
    (counting.run.path / "trials").unlink()
    assert_completes(counting, counted)
