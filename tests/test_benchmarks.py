"""The benchmarks run and print every row; what they measure is asserted nowhere."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import NAMES
from tests.benchmarks.measuring import Goal, Row, Side, interleaved, medians
from tests.benchmarks.table import as_markdown, format_value

REPOSITORY = Path(__file__).parents[1]
ROWS = {
    "counting": ["counting architectures: MACs and parameters"],
    "startup": ["gpscale --help", "gpscale recommend --macs 15M, cold"],
    "warm_recommend": ["gpscale.recommend(), warm"],
    "surface_grid": [
        "20 x 20 mean and deviation, 60 observations",
        "20 x 20 mean and deviation, 60 observations: extra memory",
    ],
    "trial_start": ["start of an isolated trial"],
    "record_writing": ["writing one durable trial record"],
    "training_speed": [
        "training mobilevitv2_050@32, batches of 4: like for like",
        "training mobilevitv2_050@32, batches of 4: as a user would",
        "training mobilevitv2_050@32, batches of 4: timm's parts",
        "training mobilevitv2_050@32, batches of 4: all cores",
        "training mobilevitv2_050@32, batches of 4: share of the floating-point peak",
    ],
    "training_choices": [
        "training mobilevitv2_050@32, batches of 4: freed memory kept, huge pages",
        "training mobilevitv2_050@32, batches of 4: channels last",
        "training mobilevitv2_050@32, batches of 4: fused AdamW",
        "training mobilevitv2_050@32, batches of 4: averaged weights, what they cost",
        "training mobilevitv2_050@32, batches of 4: SiLU in place",
        "training mobilevitv2_050@32, batches of 4: batch size",
        "validating mobilevitv2_050@32: batch norms as they are",
        "training mobilevitv2_050@32, batches of 4: a step against its convolutions",
    ],
    "sweep_overhead": ["a sweep of 2 trials", "trials a second of two workers"],
    "trial_overhead": [
        "a trial beyond its training, local",
        "a trial beyond its training, local",
        "a trial beyond its training, ray",
        "a trial beyond its training, ray",
        "trials of 0.1 s that sleep, local",
        "trials of 0.1 s that sleep, ray",
    ],
}


def benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )


def row(ours: float, peer: float, unit: str = "s") -> Row:
    goal = Goal("twice as good", lambda row: row.ratio >= 2)
    return Row("work", unit, Side("gpscale", "1", ours), Side("other", "2", peer), goal, 3)


@pytest.mark.parametrize("name", NAMES)
def test_the_smallest_run_of_a_benchmark_has_every_row_with_finite_numbers(name: str) -> None:
    ran = benchmarks("--smoke", "--json", name)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    # one is there only where tcmalloc is
    rows = [row["what"] for row in found["rows"] if not row["what"].endswith("allocator again")]
    assert rows == ROWS[name]
    for row in found["rows"]:
        for side in (row["gpscale"], row["peer"]):
            assert math.isfinite(side["value"]), row
            assert side["value"] > 0, row
            assert side["name"], row
            assert side["threads"], row
        assert isinstance(row["reached"], bool) or row["goal"] is None, row
    assert {"cpu", "usable_cores", "load_average", "python", "torch", "numpy"} <= set(found["machine"])


def test_one_benchmark_prints_a_table_of_its_own_rows() -> None:
    ran = benchmarks("record_writing", "--smoke")
    assert ran.returncode == 0, ran.stderr
    lines = [line for line in ran.stdout.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0] for line in lines] == ["| what", "| ---", "| writing one durable trial record"]


def test_an_unknown_benchmark_is_refused_with_the_known_ones() -> None:
    ran = benchmarks("speed")
    assert ran.returncode == 2
    assert "no such benchmark: speed" in ran.stderr
    assert all(name in ran.stderr for name in NAMES)


@pytest.mark.parametrize(
    ("ours", "peer", "unit", "ratio"),
    [
        (1.0, 2.0, "s", 2.0),
        (1.0, 2.0, "1/s", 0.5),
        (8.0, 2.0, "MiB", 0.25),
        (6.0, 2.0, "1/s", 3.0),
        (6.0, 12.0, "GFLOP/s", 0.5),
    ],
)
def test_a_ratio_above_one_is_better_than_the_peer(ours: float, peer: float, unit: str, ratio: float) -> None:
    measured = row(ours, peer, unit)
    assert measured.ratio == ratio
    assert measured.reached == (ratio >= 2)


def test_the_table_says_what_was_reached_and_what_was_missed() -> None:
    table = as_markdown({"cpu": "test"}, [row(0.5, 1.0), row(1.0, 1.0)]).splitlines()
    assert table[2] == "| work | 500 ms (gpscale) | 1 | 1 s (other) | 2 | 2 | 3 | twice as good | reached |"
    assert table[3].endswith("| missed |")
    assert table[-1] == "cpu test."


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.12345, "s", "123 ms"),
        (0.0000123, "s", "0.0123 ms"),
        (2.345, "s", "2.35 s"),
        (2_345_678.0, "1/s", "2,350,000 /s"),
        (0.4931, "1/s", "0.493 /s"),
        (30.64, "MiB", "30.6 MiB"),
        (81.25, "GFLOP/s", "81.2 GFLOP/s"),
    ],
)
def test_measurements_are_written_with_three_digits_and_a_unit(value: float, unit: str, text: str) -> None:
    assert format_value(value, unit) == text


def test_sides_take_turns_and_the_warm_up_does_not_count() -> None:
    calls: list[str] = []

    def side(name: str) -> float:
        calls.append(name)
        return float(len(calls))

    found = interleaved({"a": lambda: side("a"), "b": lambda: side("b")}, 3)
    assert calls == ["a", "b"] * 4
    assert found == {"a": [3.0, 5.0, 7.0], "b": [4.0, 6.0, 8.0]}
    assert medians(found) == {"a": 5.0, "b": 6.0}
