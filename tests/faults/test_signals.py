"""Signals to the processes of a sweep: no finished trial is lost, no process left, and the next run completes it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.faults.harness import TRIALS, Command, Commands, Sweep
from tests.faults.soak import soak
from tests.faults.stand_ins import STEPS

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")

ALL_STEPS = TRIALS * STEPS


def moments(seed: int, count: int) -> list[int]:
    """Draw when to strike, in steps that the whole sweep has taken; the last trial has not ended by then."""
    generator = np.random.default_rng(seed)
    return sorted(generator.choice(np.arange(1, ALL_STEPS - STEPS), count, replace=False).tolist())


def assert_completes(sweep: Sweep, counted: Mapping[str, Any], *options: object) -> None:
    """Run the sweep again, undisturbed."""
    sweep.hold_at(None)
    kept = sweep.finished()
    assert sweep.start(*options).wait().is_complete
    assert kept.items() <= sweep.finished().items()
    assert sweep.results() == counted


@pytest.mark.parametrize("seed", [0, 1])
def test_a_driver_killed_again_and_again_loses_nothing(counting: Sweep, counted: Mapping[str, Any], seed: int) -> None:
    finished: dict[str, bytes] = {}
    for moment in moments(seed, 3):
        # the strike comes while they work, or if it comes late, while they wait
        counting.hold_at(moment + 2)
        driver = counting.start(workers=2)
        driver.wait_until(lambda moment=moment: counting.steps() >= moment)
        driver.kill()
        assert driver.wait().status == -signal.SIGKILL
        assert finished.items() <= counting.finished().items()
        finished = counting.finished()
        assert counting.failures() == {}
    assert_completes(counting, counted)


def test_workers_killed_at_random_cost_their_trials_only_and_these_go_on_when_asked(
    counting: Sweep, counted: Mapping[str, Any]
) -> None:
    generator = np.random.default_rng(0)
    victims = []
    first, *later = moments(2, 2)
    counting.hold_at(first)
    driver = counting.start(workers=2)
    for following in (*later, None):
        driver.wait_until(lambda: counting.is_held() and len(counting.begun()) > 0)
        victim = str(generator.choice(counting.begun()))
        os.kill(process_of(counting, victim), signal.SIGKILL)
        victims.append(victim)
        driver.wait_until(lambda victim=victim: counting.run.record_file(victim).exists())
        counting.hold_at(following)
    ran = driver.wait()
    assert ran.status == 2
    assert counting.failures() == dict.fromkeys(victims, "crashed")
    assert len(counting.finished()) == TRIALS - len(victims)
    for victim in victims:
        record = counting.run.record(victim)
        assert record is not None
        assert record.detail.startswith("killed by signal 9 (SIGKILL)")
        assert f"{victim} failed: crashed: killed by signal 9" in ran.err
    assert_completes(counting, counted, "--retry", "crashed")


@pytest.mark.parametrize(
    ("strike", "status"),
    [
        pytest.param(Command.interrupt, 130, id="Ctrl-C"),
        pytest.param(lambda driver: (driver.interrupt(), driver.interrupt()), 130, id="Ctrl-C-twice"),
        pytest.param(lambda driver: driver.kill(signal.SIGTERM), -signal.SIGTERM, id="SIGTERM"),
        pytest.param(lambda driver: driver.kill(signal.SIGHUP), -signal.SIGHUP, id="SIGHUP"),
    ],
)
def test_a_sweep_that_is_told_to_end_ends_at_once_and_goes_on_later(
    counting: Sweep, counted: Mapping[str, Any], strike: Callable[[Command], object], status: int
) -> None:
    # then at least one has finished and at least one is not done
    counting.hold_at(2 * STEPS + 1)
    driver = counting.start(workers=2)
    driver.wait_until(counting.is_held)
    strike(driver)
    ran = driver.wait()
    assert ran.status == status
    assert "Traceback" not in ran.err
    assert ("Run the same command again to go on" in ran.err) == (status == 130)
    # what was cut off has failed in nothing
    assert counting.failures() == {}
    assert 0 < len(counting.finished()) < TRIALS
    assert_completes(counting, counted)


def test_a_fork_server_that_is_killed_costs_nothing(counting: Sweep, counted: Mapping[str, Any]) -> None:
    counting.hold_at(STEPS)
    driver = counting.start(workers=2)
    driver.wait_until(lambda: counting.is_held() and len(driver.workers()) == 2)
    [server] = driver.descendants() - set(driver.workers())
    os.kill(server, signal.SIGKILL)
    counting.hold_at(None)
    assert driver.wait().is_complete
    assert counting.results() == counted


def test_a_trial_that_hangs_is_ended_by_its_time_limit(counting: Sweep, counted: Mapping[str, Any]) -> None:
    counting.hold_at(STEPS + 1)
    # long enough for the trials that do not hang, however busy the machine is
    driver = counting.start("--timeout", 0.5)
    driver.wait_until(counting.is_held)
    [victim] = counting.begun()
    os.kill(process_of(counting, victim), signal.SIGSTOP)
    counting.hold_at(None)
    ran = driver.wait()
    assert counting.failures() == {victim: "timeout"}
    assert f"{victim} failed: timeout: took longer than 30 s" in ran.err
    assert len(counting.finished()) == TRIALS - 1
    assert_completes(counting, counted, "--retry", "timeout")


def test_a_second_driver_is_turned_away_and_does_no_harm(counting: Sweep, counted: Mapping[str, Any]) -> None:
    counting.hold_at(STEPS + 1)
    first = counting.start()
    first.wait_until(counting.is_held)
    second = counting.start().wait()
    assert second.status == 2
    counting.hold_at(None)
    assert "Another one is running there" in second.error
    assert first.wait().is_complete
    assert counting.results() == counted


def test_a_short_soak_loses_nothing(commands: Commands, tmp_path: Path) -> None:
    outcome = soak(commands, tmp_path, kills=8, seed=0, executor="counting", pause=0.1)
    assert outcome.kills >= 8
    assert outcome.trials >= TRIALS
    assert (outcome.lost, outcome.orphans, outcome.unequal) == (0, 0, 0)


def process_of(sweep: Sweep, trial: str) -> int:
    """Return the process that runs a trial, from what it has last written into its log."""
    lines = (sweep.run.trial(trial) / "log.txt").read_text().splitlines()
    return int([line for line in lines if line.startswith("# process")][-1].split()[2].rstrip(","))
