"""Timing in turns: who runs when, and what is computed of the times."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpscale.benchmark.timing import Timing, split_runs, time_in_turns


def wall(*rounds: tuple[float, ...]) -> Timing:
    """Wall times of something that had a core to itself."""
    return Timing(rounds, rounds)


@given(runs=st.integers(1, 2000), rounds=st.integers(1, 50))
def test_runs_are_divided_evenly_over_rounds_without_empty_ones(runs: int, rounds: int) -> None:
    sizes = split_runs(runs, rounds)
    assert sum(sizes) == runs
    assert len(sizes) == min(runs, rounds)
    assert max(sizes) - min(sizes) <= 1


def test_every_call_has_its_turn_in_every_round_and_another_begins_each_time() -> None:
    log: list[str] = []
    found = time_in_turns({"a": lambda: log.append("a"), "b": lambda: log.append("b")}, runs=4, rounds=2, warm_up=3)
    # a turn of two timed runs begins with one that is not
    assert "".join(log) == "aaabbb" + "aaabbb" + "bbbaaa"
    assert [len(part) for part in found["a"].rounds] == [2, 2]


def test_garbage_is_not_collected_while_timing_and_collected_again_after_an_error() -> None:
    seen = []

    def fail() -> None:
        seen.append(gc.isenabled())
        raise ValueError

    assert gc.isenabled()
    with pytest.raises(ValueError):  # noqa: PT011
        time_in_turns({"a": fail}, runs=1, rounds=1, warm_up=1)
    assert seen == [False]
    assert gc.isenabled()


def test_statistics_are_those_of_all_runs() -> None:
    timing = Timing(((0.1, 0.2), (0.3, 0.6)), ((0.1, 0.1), (0.1, 0.5)), batch=8)
    assert timing.mean == pytest.approx(0.3)
    assert timing.sd == pytest.approx(np.std([0.1, 0.2, 0.3, 0.6], ddof=1))
    assert timing.percentiles["p50"] == pytest.approx(0.25)
    assert timing.images_per_second == pytest.approx(4 * 8 / 1.2)
    assert timing.quiet == pytest.approx(0.15)
    assert timing.joules_per_image is None
    values = timing.to_dict()
    assert values["runs_ms"] == [[100.0, 200.0], [300.0, 600.0]]
    assert values["p90_ms"] == pytest.approx(1e3 * timing.percentiles["p90"])
    assert values["runs_cpu_ms"] == [[100.0, 100.0], [100.0, 500.0]]
    assert values["cpu_p50_ms"] == pytest.approx(100)
    assert timing.processor.images_per_second == pytest.approx(4 * 8 / 0.8)
    assert values["own_share"] == timing.own_share == pytest.approx(2 / 3)


@pytest.mark.parametrize(("cpu", "shared"), [(0.081, False), (0.079, True)])
def test_who_has_a_core_for_less_than_four_fifths_of_the_time_shares_it(cpu: float, shared: bool) -> None:
    assert Timing(((0.1, 0.1),), ((cpu, cpu),)).shared is shared


def test_processor_time_is_that_of_the_work_without_the_waiting() -> None:
    def work() -> None:
        begin = time.process_time()
        while time.process_time() < begin + 0.005:
            pass

    calls: dict[str, Callable[[], None]] = {"works": work, "waits": lambda: time.sleep(0.01)}
    found = time_in_turns(calls, runs=3, rounds=2, warm_up=0)
    assert [len(part) for part in found["works"].cpu] == [2, 1]
    assert found["works"].processor.seconds.min() >= 0.005
    assert found["waits"].shared


def test_a_single_run_has_no_spread() -> None:
    timing = wall((0.5,))
    assert (timing.sd, timing.quiet) == (0.0, 0.5)


def test_a_ratio_is_taken_round_by_round_so_that_a_slow_round_of_the_machine_drops_out() -> None:
    ours = wall((1.0, 1.0), (10.0, 10.0), (1.0, 1.2))
    peer = wall((2.0, 2.0), (20.0, 20.0), (2.0, 2.4))
    assert ours.ratio_to(peer) == (0.5, 0.5, 0.5)


def test_energy_is_that_of_the_timed_runs_without_the_idle_power() -> None:
    joules = iter([0.0, 6.0, 10.0, 12.0])
    found = time_in_turns({"a": int}, runs=4, rounds=2, warm_up=0, batch=2, read_energy=lambda: next(joules))["a"]
    assert found.joules == (6.0, 2.0)
    assert found.joules_per_image == 1.0
    joules = iter([0.0, 6.0])
    idle = time_in_turns({"a": int}, runs=1, rounds=1, warm_up=0, read_energy=lambda: next(joules), idle_watts=1e12)
    assert idle["a"].joules == (0.0,)
