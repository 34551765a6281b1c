"""The command that finds damage in a run directory."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import typer

from gpscale.cli.output import print_json
from gpscale.run_dir import RunDir, find_own_run, find_study


def doctor(run: str, *, dry_run: bool, as_json: bool) -> None:
    """Print what is damaged in a run directory, and where it lies now."""
    from gpscale.doctor import examine

    # a directory whose sweep file is gone is no study any more, but it can be examined
    find = find_study if dry_run else find_own_run
    directory = RunDir(run) if Path(run).is_dir() else find(run)
    findings = examine(directory, move=not dry_run)
    if as_json:
        print_json([dataclasses.asdict(finding) for finding in findings])
    elif not findings:
        print(f"{directory.path}: nothing is damaged")
    else:
        for finding in findings:
            print(f"{finding.path} is damaged: {finding.damage}")
            if finding.moved_to:
                print(f"    moved to {finding.moved_to}")
            print(f"    what to do: {finding.advice}")
    if findings:
        raise typer.Exit(1)
