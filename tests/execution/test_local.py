"""Faults of local execution: real signals to real processes."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

import gpscale
from gpscale.errors import GpscaleError
from gpscale.execution import Ended, LocalExecutor, Progressed, Started, local, usable_cores
from gpscale.execution.base import Job, RunTrial
from gpscale.run_dir import RunDir
from gpscale.trial import FailureReason, Progress, TrialState
from tests.execution import fake_trials
from tests.execution.processes import eventually, is_alive, marked

REPOSITORY = Path(gpscale.__file__).parents[1]

needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")

DRIVER = """
# no `if __name__ == "__main__"`: a script must work without it
import sys
from pathlib import Path
from gpscale.execution import LocalExecutor
from tests.execution import fake_trials

directory = Path(sys.argv[1])
with open(directory / "imported", "a") as file:
    file.write("once\\n")
with LocalExecutor(workers=2, run_trial=fake_trials.hang_with_a_child, preload=()) as executor:
    for event in executor.run(fake_trials.jobs(directory, [int(seed) for seed in sys.argv[2:]])):
        print(type(event).__name__, flush=True)
"""


def executor_of(run_trial: RunTrial, workers: int = 2) -> LocalExecutor:
    return LocalExecutor(workers=workers, run_trial=run_trial, preload=())


def log_of(job: Job) -> str:
    return (RunDir(job.directory).trial(job.trial.id) / "log.txt").read_text()


class Driver:
    """A driver in a process group of its own, as under a terminal; its descendants can be found by their mark."""

    def __init__(self, directory: Path, seeds: list[int], *, as_module: bool = False) -> None:
        self.mark = f"GPSCALE_TEST_MARK={uuid.uuid4()}"
        script = directory / "driver_script.py"
        script.write_text(DRIVER)
        key, value = self.mark.split("=")
        self.process = subprocess.Popen(
            [sys.executable, *(["-m", script.stem] if as_module else [script]), directory, *map(str, seeds)],
            env={**os.environ, key: value, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(directory)])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )

    def descendants(self) -> set[int]:
        return marked(self.mark) - {self.process.pid}


@pytest.mark.parametrize("as_module", [False, True])
def test_a_script_without_a_main_guard_is_imported_once(tmp_path: Path, as_module: bool) -> None:
    driver = Driver(tmp_path, [100, 101, 102], as_module=as_module)
    _, errors = driver.process.communicate(timeout=30)
    assert (driver.process.returncode, errors) == (0, "")
    assert (tmp_path / "imported").read_text() == "once\n"
    assert len(list(RunDir(tmp_path).records())) == 3


@needs_proc
def test_no_process_survives_a_driver_that_is_killed_and_finished_trials_are_kept(tmp_path: Path) -> None:
    driver = Driver(tmp_path, [100, 0, 1])
    assert eventually(lambda: len(fake_trials.processes_of(tmp_path)) == 4, 20)
    # the fork server, two workers, and a child of each
    assert len(driver.descendants()) == 5
    driver.process.kill()
    driver.process.communicate()
    assert eventually(lambda: not driver.descendants())
    assert [record.trial.seed for record in RunDir(tmp_path).records()] == [100]


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_whole_terminal_group_ends_everything_without_a_record(
    tmp_path: Path, number: signal.Signals
) -> None:
    driver = Driver(tmp_path, [0, 1])
    assert eventually(lambda: len(fake_trials.processes_of(tmp_path)) == 4, 20)
    os.killpg(driver.process.pid, number)
    _, errors = driver.process.communicate(timeout=10)
    assert driver.process.returncode == -number
    assert ("KeyboardInterrupt" in errors) == (number == signal.SIGINT)
    assert eventually(lambda: not driver.descendants())
    assert list(RunDir(tmp_path).records()) == []


def test_a_killed_worker_is_recorded_with_its_signal_and_its_child_goes_too(tmp_path: Path) -> None:
    jobs = fake_trials.jobs(tmp_path, [0, 100])
    with executor_of(fake_trials.hang_with_a_child, workers=1) as executor:
        records = []
        for event in executor.run(jobs):
            if isinstance(event, Progressed) and event.progress.trial_id == jobs[0].trial.id:
                worker, child = fake_trials.processes_of(tmp_path)
                os.kill(worker, signal.SIGKILL)
            if isinstance(event, Ended):
                records.append(event.record)
    assert [record.state for record in records] == [TrialState.FAILED, TrialState.FINISHED]
    assert records[0].detail == "killed by signal 9 (SIGKILL): often the kernel, out of memory"
    assert eventually(lambda: not is_alive(child))


def test_each_of_the_kernels_kills_for_want_of_memory_explains_one_trial_that_ran_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # before a trial starts, then when it was killed; what was told before it started is none of its own
    told = iter([5, 5, 6, 7, 8, 8])
    monkeypatch.setattr(local, "oom_kills", lambda: next(told))
    with executor_of(fake_trials.finish_or_fail, workers=1) as executor:
        records = [
            event.record
            for name in ("first", "second", "third")
            for event in executor.run(fake_trials.jobs(tmp_path / name, [2]))
            if isinstance(event, Ended)
        ]
    assert [record.failure for record in records] == [
        FailureReason.CRASHED,
        FailureReason.OUT_OF_MEMORY,
        FailureReason.CRASHED,
    ]
    assert records[1].detail == "killed by the kernel for want of memory"


def test_two_trials_that_are_killed_at_once_need_two_kills_to_be_out_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = iter([0, 0, 1, 1])
    monkeypatch.setattr(local, "oom_kills", lambda: next(told))
    first, second = fake_trials.jobs(tmp_path / "first", [2]), fake_trials.jobs(tmp_path / "second", [2])
    second = [dataclasses.replace(job, trial=dataclasses.replace(job.trial, data="other")) for job in second]
    with executor_of(fake_trials.finish_or_fail) as executor:
        ended = [event.record for event in executor.run([*first, *second]) if isinstance(event, Ended)]
    assert sorted(str(record.failure) for record in ended) == ["crashed", "out_of_memory"]


def test_a_limit_of_centuries_is_one(tmp_path: Path) -> None:
    with LocalExecutor(workers=1, timeout=1e10, run_trial=fake_trials.finish, preload=()) as executor:
        *_, ended = executor.run(fake_trials.jobs(tmp_path, [1]))
    assert isinstance(ended, Ended)
    assert ended.record.result is not None


def test_trials_go_on_when_the_fork_server_is_killed(tmp_path: Path) -> None:
    jobs = fake_trials.jobs(tmp_path, [0])
    events = []
    with executor_of(fake_trials.hang_until_told) as executor:
        for event in executor.run(jobs):
            events.append(event)
            if isinstance(event, Progressed) and not (tmp_path / "go").exists():
                (tmp_path / "go").touch()
                os.kill(executor._server.pid, signal.SIGKILL)  # type: ignore[union-attr]
    assert [type(event) for event in events if not isinstance(event, Progressed)] == [Started, Started, Ended]
    assert isinstance(events[-1], Ended)
    assert events[-1].record.state is TrialState.FINISHED


def test_a_fork_server_that_dies_again_and_again_is_an_error(tmp_path: Path) -> None:
    def run() -> None:
        for event in executor.run(fake_trials.jobs(tmp_path, [0])):
            if isinstance(event, Started):
                os.kill(executor._server.pid, signal.SIGKILL)  # type: ignore[union-attr]

    with executor_of(fake_trials.hang_with_a_child) as executor, pytest.raises(GpscaleError, match="lost 3 times"):
        run()


def test_what_a_trial_prints_and_its_traceback_are_in_its_log(tmp_path: Path) -> None:
    (job,) = fake_trials.jobs(tmp_path, [1])
    with executor_of(fake_trials.finish_or_fail) as executor:
        list(executor.run([job]))
    assert re.search(r"about to raise\nTraceback .*\n(.*\n)*ValueError: seed 1 raises\n", log_of(job))


def test_a_segmentation_fault_leaves_its_stack_in_the_log(tmp_path: Path) -> None:
    (job,) = fake_trials.jobs(tmp_path, [3])
    with executor_of(fake_trials.finish_or_fail) as executor:
        *_, ended = executor.run([job])
    assert isinstance(ended, Ended)
    assert ended.record.detail == "killed by signal 11 (SIGSEGV); see log.txt"
    assert "fake_trials.py" in log_of(job)


def test_a_worker_never_waits_for_a_driver_that_does_not_read(tmp_path: Path) -> None:
    (job,) = fake_trials.jobs(tmp_path, [10])
    with executor_of(fake_trials.flood) as executor:
        events = executor.run([job])
        next(events)
        assert eventually(lambda: RunDir(tmp_path).record(job.trial.id) is not None, 20)
        rest = list(events)
    # more was reported than the pipe holds: some reports arrived whole, the others were dropped
    assert 0 < sum(isinstance(event, Progressed) for event in rest) < fake_trials.FLOOD
    assert isinstance(rest[-1], Ended)


def test_a_worker_has_one_thread_and_the_driver_keeps_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    (job,) = fake_trials.jobs(tmp_path, [10])
    with LocalExecutor(workers=1, run_trial=fake_trials.look_around, preload=("torch", "timm")) as executor:
        list(executor.run([job]))
    assert os.environ["OMP_NUM_THREADS"] == "3"
    # threads of the process: a preloaded module that starts one would make the fork unsafe
    assert "threads 1, torch 1, OMP_NUM_THREADS 1\n" in log_of(job)


def test_a_worker_whose_driver_is_gone_reports_to_nobody() -> None:
    # it is about to be killed: an error would become the trial's failure
    read_end, write_end = os.pipe()
    os.close(read_end)
    local._reporter(write_end)(Progress("0123456789abcdef", 1, 1, 10, 10, 100.0, 0.5))
    os.close(write_end)


SLOW_IMPORT = """
import time
from pathlib import Path
Path(__file__).with_name("importing").touch()
time.sleep(600)
"""


@needs_proc
def test_a_fork_server_that_still_imports_goes_with_its_owner(tmp_path: Path) -> None:
    (tmp_path / "slow_import.py").write_text(SLOW_IMPORT)
    owner = "import time; from gpscale.execution.fork_server import ForkServer\n"
    owner += "server = ForkServer(['slow_import'], {})\ntime.sleep(600)"
    mark = f"GPSCALE_TEST_MARK={uuid.uuid4()}"
    key, value = mark.split("=")
    environment = {**os.environ, key: value, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(tmp_path)])}
    with subprocess.Popen([sys.executable, "-c", owner], env=environment) as process:
        assert eventually((tmp_path / "importing").exists, 60)
        assert len(marked(mark)) == 2
        process.kill()
    assert eventually(lambda: not marked(mark), 20)


def test_workers_below_one_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"workers must be at least 1\. Got 0\."):
        LocalExecutor(workers=0)


def test_the_default_is_one_worker_on_each_usable_core() -> None:
    assert LocalExecutor().workers == usable_cores() >= 1
    if hasattr(os, "sched_getaffinity"):
        assert usable_cores() <= len(os.sched_getaffinity(0))
