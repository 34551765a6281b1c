"""Writing the record of a trial durably, against the system calls that this takes at least."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from gpscale.run_dir import RunDir, find_study
from gpscale.trial import TrialRecord
from tests.benchmarks.measuring import Goal, Row, Side, interleaved, medians, timed
from tests.benchmarks.startup import REPOSITORY


def measure(smoke: bool) -> list[Row]:
    """Return one row."""
    rounds = 1 if smoke else 300
    record = next(iter(find_study("quickstart").records()))
    # where run directories lie, since file systems differ in what a sync costs
    with tempfile.TemporaryDirectory(prefix="benchmark", dir=REPOSITORY / "runs") as directory:
        sides = {"ours": _ours(RunDir(Path(directory) / "ours"), record), "peer": _peer(Path(directory), record)}
        found = medians(interleaved(sides, rounds))
    return [
        Row(
            what="writing one durable trial record",
            unit="s",
            ours=Side("RunDir.write_record", "1", found["ours"]),
            peer=Side("write, fsync, rename, fsync of the directory", "1", found["peer"]),
            goal=Goal("at most 1 ms above", lambda row: row.ours.value - row.peer.value <= 1e-3),
            rounds=rounds,
            details={"seconds_above_peer": found["ours"] - found["peer"]},
        )
    ]


def _ours(run: RunDir, record: TrialRecord) -> Callable[[], float]:
    return timed(lambda: run.write_record(record))


def _peer(directory: Path, record: TrialRecord) -> Callable[[], float]:
    source = find_study("quickstart").record_file(record.id)
    content = source.read_bytes()
    trial = directory / "peer" / "trials" / record.id
    trial.mkdir(parents=True)

    def write() -> None:
        temporary = trial / "record.tmp"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.write(handle, content)
        os.fsync(handle)
        os.close(handle)
        os.rename(temporary, trial / "record.json")
        parent = os.open(trial, os.O_RDONLY)
        os.fsync(parent)
        os.close(parent)

    return timed(write)
