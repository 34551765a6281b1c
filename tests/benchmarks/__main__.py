"""Measure and print: `python -m tests.benchmarks [NAME ...] [--json] [--smoke]`."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys

from gpscale.execution.machine import ENVIRONMENT
from tests.benchmarks.machine import describe_machine
from tests.benchmarks.table import as_markdown

NAMES = (
    "counting",
    "startup",
    "warm_recommend",
    "surface_grid",
    "trial_start",
    "record_writing",
    "training_speed",
    "training_choices",
    "sweep_overhead",
    "trial_overhead",
)


def main() -> None:
    """Run the benchmarks that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of {', '.join(NAMES)}; default: all")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    parser.add_argument("--smoke", action="store_true", help="smallest sizes and one round: tests the benchmarks alone")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(NAMES))
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}. Known: {', '.join(NAMES)}")
    # each side is given its own; whoever measures may have set others
    for name in ENVIRONMENT:
        os.environ.pop(name, None)
    machine, rows = describe_machine(), []
    for name in arguments.names or NAMES:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        rows += importlib.import_module(f"tests.benchmarks.{name}").measure(arguments.smoke)
    if arguments.json:
        print(json.dumps({"machine": machine, "rows": [row.to_dict() for row in rows]}, indent=2, allow_nan=False))
    else:
        print(as_markdown(machine, rows))


if __name__ == "__main__":
    main()
