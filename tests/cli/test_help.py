"""Help texts: plain and whole in 80 columns."""

from __future__ import annotations

import subprocess
import sys

import pytest

import gpscale
from tests.cli.command import gpscale_here


def test_help_says_in_one_whole_sentence_what_each_command_does() -> None:
    ran = gpscale_here("--help")
    listed = ran.out.partition("Commands:\n")[2].splitlines()
    assert {"count", "sweep", "recommend"} <= {line.split()[0] for line in listed}
    cut = [line for line in listed if not line.endswith(".") or line.endswith("...")]
    assert not cut, "shorten the first sentence of their docstrings"


@pytest.mark.parametrize("command", ["count", "space", "sweep", "recommend"])
def test_help_of_a_command_is_plain_text_of_at_most_80_columns(command: str) -> None:
    ran = gpscale_here(command, "--help")
    assert ran.code == 0
    assert ran.out.isascii()
    assert max(map(len, ran.out.splitlines())) <= 80


def test_the_package_is_the_command_too() -> None:
    ran = subprocess.run([sys.executable, "-m", "gpscale", "--version"], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == f"gpscale {gpscale.__version__}\n"
