"""Stored files: whole or absent, readable by others, damage named."""

from __future__ import annotations

import os
import signal
import stat
import time
from pathlib import Path

import pytest

from gpscale.errors import RunDirError
from gpscale.stored import read_json, write_atomically, write_json
from tests.execution.processes import eventually, python

WRITER = """
import itertools, pathlib, sys
from gpscale.stored import write_atomically
for letter in itertools.cycle("abc"):
    write_atomically(pathlib.Path(sys.argv[1]), letter * 1_000_000)
"""


def assert_whole(content: str) -> None:
    assert len(content) == 1_000_000
    assert len(set(content)) == 1


@pytest.mark.parametrize("wait", [0.0, 0.003, 0.01, 0.017])
def test_a_writer_killed_at_any_moment_leaves_the_old_content_or_the_new(tmp_path: Path, wait: float) -> None:
    file = tmp_path / "file"
    with python(WRITER, file) as writer:
        assert eventually(file.exists, 60)
        time.sleep(wait)
        writer.send_signal(signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL
    assert_whole(file.read_text())
    write_atomically(file, "next")
    assert file.read_text() == "next"


def test_a_reader_never_sees_a_part_while_another_process_writes(tmp_path: Path) -> None:
    file = tmp_path / "file"
    seen = set()
    with python(WRITER, file):
        assert eventually(file.exists, 60)
        deadline = time.monotonic() + 30
        while len(seen) < 3 and time.monotonic() < deadline:
            content = file.read_text()
            assert_whole(content)
            seen.add(content[0])
    assert seen == set("abc")


def test_a_write_that_fails_keeps_the_old_file_and_leaves_nothing_behind(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    write_json(file, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(file, {"a": float("nan")})
    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "\ud800")
    assert read_json(file) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.json"]


def test_a_written_file_can_be_read_by_whoever_may_read_the_directory(tmp_path: Path) -> None:
    file = tmp_path / "new" / "file"
    mask = os.umask(0o022)
    try:
        write_atomically(file, b"\x00\xff")
    finally:
        os.umask(mask)
    assert file.read_bytes() == b"\x00\xff"
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_json_that_is_absent_raises_an_error_that_names_the_file_and_the_command(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match=r"rule\.json must exist.*`gpscale fit`"):
        read_json(tmp_path / "rule.json")
