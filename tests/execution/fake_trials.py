"""Stand-ins for `worker.run_trial`: importable functions that take milliseconds. The trial's seed says what happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gpscale.execution.base import Job
from gpscale.run_dir import RunDir
from gpscale.trial import Progress, Result, Trial, TrialRecord


def jobs(directory: Path, seeds: Sequence[int]) -> list[Job]:
    return [Job(Trial("fake", {"pixels": 8}, 10, {}, "none", seed), directory) for seed in seeds]


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
    """Start a child process, then hang while reporting; seeds from 100 finish."""
    if job.trial.seed >= 100:
        return finish(job, report)
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    step = 0
    while True:
        step += 1
        report(Progress(job.trial.id, 0, 1, step, 10**9, 100.0, 0.5))
        time.sleep(0.01)


def flood(job: Job, report: Callable[[Progress], None]) -> TrialRecord:
    """Report without pause and without throttle: every report is a last one."""
    for _ in range(5000):
        report(Progress(job.trial.id, 1, 1, 10, 10, 100.0, 0.5))
    return finish(job, report)


def look_around(job: Job, report: Callable[[Progress], None]) -> TrialRecord:
    """Write what the process finds into its log, then finish."""
    import torch

    threads = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else threading.active_count()
    print("threads", threads, torch.get_num_threads(), os.environ["OMP_NUM_THREADS"])
    print("main", getattr(sys.modules["__main__"], "__file__", None))
    print("interrupt", signal.getsignal(signal.SIGINT) == signal.SIG_IGN)
    return finish(job, report)
