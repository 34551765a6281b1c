"""The command, in this process and as a process of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import gpscale
from gpscale.cli import main

REPOSITORY = Path(gpscale.__file__).parents[1]
PROGRAM = (sys.executable, "-c", "from gpscale.cli import main; main()")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY), "COLUMNS": "160"}


@dataclasses.dataclass(frozen=True)
class Ran:
    """What a command gave."""

    code: int
    out: str
    err: str


def gpscale_here(*arguments: object) -> Ran:
    """Call the entry point of the console script in this process, which spares the imports of a new one."""
    out, err = io.StringIO(), io.StringIO()
    # typer looks at the name of the program
    with (
        mock.patch.object(sys, "argv", ["gpscale", *map(str, arguments)]),
        mock.patch.dict(os.environ, {"COLUMNS": "160"}),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
    return Ran(code, out.getvalue(), err.getvalue())


def gpscale_process(*arguments: object, cwd: Path | None = None, timeout: float = 300) -> Ran:
    """Run the command as a process of its own."""
    found = subprocess.run(
        [*PROGRAM, *map(str, arguments)], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout
    )
    return Ran(found.returncode, found.stdout, found.stderr)
