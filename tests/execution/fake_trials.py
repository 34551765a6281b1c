"""Stand-ins for `worker.run_trial`: importable functions that take milliseconds. The trial's seed says what happens."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gpscale.errors import StorageError
from gpscale.execution import worker
from gpscale.execution.base import Job
from gpscale.execution.stored import StoredTrials
from gpscale.run_dir import RunDir
from gpscale.stored import write_atomically
from gpscale.training.curve import write_curve
from gpscale.trial import Progress, Result, Trial, TrialRecord


def jobs(directory: Path, seeds: Sequence[int]) -> list[Job]:
    return [Job(Trial("fake", {"pixels": 8}, 10, {}, "none", seed), directory, directory / "images") for seed in seeds]


def finish(job: Job, report: Callable[[Progress], None]) -> TrialRecord:
    """End at once with a result made from the seed."""
    report(Progress(job.trial.id, 1, 1, 10, 10, 100.0, 0.5))
    accuracy = job.trial.seed / 1000
    result = Result(accuracy, accuracy, accuracy, accuracy, 1.0, 1.0, 1.0, 1, 1000, 100)
    record = TrialRecord(id=job.trial.id, trial=job.trial, result=result, measured={"pid": os.getpid()})
    RunDir(job.directory).write_record(record)
    return record


def finish_or_fail(job: Job, report: Callable[[Progress], None]) -> TrialRecord:
    """Raise at seed 1, die of SIGKILL at 2, of SIGSEGV at 3, leave without a record at 4; finish otherwise."""
    match job.trial.seed:
        case 1:
            print("about to raise")
            raise ValueError("seed 1 raises")
        case 2:
            os.kill(os.getpid(), signal.SIGKILL)
        case 3:
            os.kill(os.getpid(), signal.SIGSEGV)
        case 4:
            sys.exit(7)
    return finish(job, report)


def hang_with_a_child(job: Job, report: Callable[[Progress], None]) -> TrialRecord:
    """Start a child process, note both process ids, then hang while reporting; seeds from 100 finish."""
    if job.trial.seed >= 100:
        return finish(job, report)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    write_atomically(RunDir(job.directory).trial(job.trial.id) / "processes", f"{os.getpid()} {child.pid}")
    step = 0
    while True:
        step += 1
        report(Progress(job.trial.id, 0, 1, step, 10**9, 100.0, 0.5))
        time.sleep(0.01)


def processes_of(directory: Path) -> list[int]:
    """Return the process ids that `hang_with_a_child` has noted: of each trial its own, then its child's."""
    return [int(number) for file in directory.glob("trials/*/processes") for number in file.read_text().split()]


def leave_a_damaged_record(job: Job, report: Callable[[Progress], None]) -> TrialRecord:
    """End with a record that cannot be read."""
    write_atomically(RunDir(job.directory).record_file(job.trial.id), "{")
    raise AssertionError("must not matter any more")


def find_no_room(job: Job, report: Callable[[Progress], None]) -> TrialRecord:
    """Fail to write, as on a full disk."""
    raise StorageError.of(job.directory, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))


def kill_the_worker(job: Job, report: Callable[[Progress], None]) -> TrialRecord:
    """Kill the process that holds the fork server, and with it a worker of a cluster; seeds from 100 finish."""
    if job.trial.seed >= 100:
        return finish(job, report)
    keeper = int(Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(keeper, signal.SIGKILL)
    time.sleep(600)
    raise AssertionError("must have been killed")


def hang_until_told(job: Job, report: Callable[[Progress], None]) -> TrialRecord:
    """Report until the run directory holds a file `go` when the trial starts; then finish."""
    while not (job.directory / "go").exists():
        report(Progress(job.trial.id, 0, 1, 1, 10, 100.0, 0.5))
        time.sleep(0.01)
    return finish(job, report)


def wait_after_the_first_epoch(job: Job, report: Callable[[Progress], None]) -> TrialRecord:
    """Train in earnest; seed 0, unless it has a checkpoint to go on from, waits for its end after the first epoch."""
    checkpoint = RunDir(job.directory).trial(job.trial.id) / "checkpoint.pt"
    waits = job.trial.seed == 0 and not checkpoint.exists()

    def report_and_wait(progress: Progress) -> None:
        report(progress)
        deadline = time.monotonic() + 120
        while waits and progress.epoch == 1 and checkpoint.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
            report(progress)

    return worker.run_trial(job, report_and_wait)


def follow(job: Job, report: Callable[[Progress], None]) -> TrialRecord:
    """Take milliseconds for what a study says, which lies where the images should; with a checkpoint on the way."""
    stored, run, trial = StoredTrials(RunDir(job.images)), RunDir(job.directory), job.trial
    record = stored.find(trial)
    assert record is not None
    directory = run.trial(trial.id)
    checkpoint, part = directory / "checkpoint.pt", directory / f".part-{os.getpid()}.tmp"
    curve = stored.curve(record)
    for epoch in range(1, len(curve) + 1):
        checkpoint.touch()
        part.touch()
        # some faster than others
        time.sleep(0.01 + 0.02 * (int(trial.id[0], 16) % 3))
        write_curve(directory, curve[:epoch])
        report(Progress(trial.id, epoch, len(curve), epoch, len(curve), 1.0, 1.0))
    run.write_record(record)
    checkpoint.unlink()
    part.unlink()
    return record


FLOOD = 5000


def flood(job: Job, report: Callable[[Progress], None]) -> TrialRecord:
    """Report without pause, each report a last one, which is not throttled: more than a pipe holds."""
    for _ in range(FLOOD):
        report(Progress(job.trial.id, 1, 1, 10, 10, 100.0, 0.5))
    return finish(job, report)


SEED_WITHOUT_MEMORY = 13


def train_in_little_memory(job: Job, report: Callable[[Progress], None]) -> TrialRecord:
    """Train for real; with the one seed, in a process that can get only a little more memory than it has."""
    if job.trial.seed == SEED_WITHOUT_MEMORY:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + 30 * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    return worker.run_trial(job, report)


def look_for_cards(job: Job, report: Callable[[Progress], None]) -> TrialRecord:
    """Note which graphics cards the process may use, wait until two trials have done so, then finish."""
    write_atomically(job.directory / f"cards-{job.trial.seed}", os.environ.get("CUDA_VISIBLE_DEVICES", "all"))
    deadline = time.monotonic() + 60
    while len(list(job.directory.glob("cards-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    return finish(job, report)


def look_around(job: Job, report: Callable[[Progress], None]) -> TrialRecord:
    """Print how many threads the process has and may have, then finish."""
    tasks = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else threading.active_count()
    import torch

    print(f"threads {tasks}, torch {torch.get_num_threads()}, OMP_NUM_THREADS {os.environ['OMP_NUM_THREADS']}")
    return finish(job, report)
