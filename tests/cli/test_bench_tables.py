"""What the tables of `gpscale bench` say beside the times."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpscale.benchmark.energy import EnergyMeter
from gpscale.benchmark.imported import read_timings
from gpscale.benchmark.latency import Benchmark, Timed
from gpscale.benchmark.protocol import PROTOCOLS
from gpscale.benchmark.resolutions import Growth
from gpscale.benchmark.timing import Timing
from gpscale.cli.bench_tables import print_growth, print_timings

CONDITIONS = {
    "device": "cpu",
    "processor": "Some CPU",
    "cores": {"usable": 2},
    "load_average": {"before": 0.1, "after": 0.2},
    "runtime": "torch",
    "freed_memory": "kept",
    "versions": {"torch": "2.15"},
}
SHORT = Timing(((0.010, 0.010),), ((0.010, 0.010),))
LONG = Timing(((0.080, 0.080),), ((0.040, 0.040),))
"""Had a core half of the time."""


def benchmark(*timings: Timing) -> Benchmark:
    rows = tuple(Timed(f"model{place}@64", 10**6, 10**5, timing) for place, timing in enumerate(timings))
    return Benchmark(PROTOCOLS["gpscale"], CONDITIONS, rows, EnergyMeter("", None, "not measurable here"))


def row_of(model: str, text: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [model])


def test_where_the_cores_were_shared_processor_times_stand_beside_wall_times(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_timings(benchmark(SHORT, LONG), ())
    text = capsys.readouterr().out
    wall, processor = text.split("energy: ")
    assert row_of("model1@64", wall)[-4:] == ["8.00", "(8.00", "to", "8.00)"]
    assert row_of("model1@64", processor) == ["model1@64", "40.00", "4.00", "(4.00", "to", "4.00)"]
    assert "the cores were shared: a run had one for 50% to 100% of its time" in text


def test_a_single_model_is_compared_with_none(capsys: pytest.CaptureFixture[str]) -> None:
    print_timings(benchmark(LONG), ())
    text = capsys.readouterr().out
    assert row_of("model0@64", text.split("energy: ")[1]) == ["model0@64", "40.00"]
    assert "a run had one for 50% of its time" in text
    assert "over the first" not in text


def test_times_of_another_place_stand_beside_those_of_the_same_model_and_size(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "phone.csv"
    file.write_text(
        "model,mean_ms,device,threads,source\nmobilenetv1_025@64,2,Phone,4,me\nmobilenetv1_025@32,1,Phone,4,me\n"
        "mobilenetv1_050@32,5,Phone,4,you\nmobilenetv1_025@32,9,Tablet,,\n"
    )
    names = ("mobilenetv1_025@64", "mobilenetv1_025@32", "mobilenetv1_050@64")
    rows = tuple(Timed(name, 10**6, 10**5, SHORT) for name in names)
    timed = Benchmark(PROTOCOLS["gpscale"], CONDITIONS, rows, EnergyMeter("", None, "not measurable here"))
    print_timings(timed, read_timings(file))
    beside, below = capsys.readouterr().out.split("energy: ")[1].split("timed elsewhere:")
    assert "Phone, 4 threads" in beside
    assert [row_of(name, beside)[1:] for name in names] == [
        ["2.00", "1.00", "-", "-"],
        ["1.00", "0.50", "9.00", "-"],
        ["-", "-", "-", "-"],
    ]
    assert row_of("mobilenetv1_050@32", below)[-1] == "[2]"
    assert "[2] you" in below
    print_timings(timed, read_timings(file)[2:3])
    assert "other places" not in capsys.readouterr().out


def test_where_they_were_not_wall_times_stand_alone(capsys: pytest.CaptureFixture[str]) -> None:
    print_timings(benchmark(SHORT, SHORT), ())
    text = capsys.readouterr().out
    assert row_of("model1@64", text)[-4:] == ["1.00", "(1.00", "to", "1.00)"]
    assert "shared" not in text
    assert "processor time" not in text


@pytest.mark.parametrize(("large", "words"), [(LONG, ["3.00", "-", "2.00", "2.00"]), (SHORT, ["3.00", "-", "2.00"])])
def test_growth_has_the_exponent_of_processor_time_where_the_cores_were_shared(
    large: Timing, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    timed = benchmark(SHORT, large)
    print_growth(timed, [Growth("net", (64, 128), timed.rows, 3.0, None, 2.0, 2.0)])
    text = capsys.readouterr().out
    assert row_of("net", text)[-len(words) :] == words
    assert ("the exponent of processor time" in text) is (large is LONG)
