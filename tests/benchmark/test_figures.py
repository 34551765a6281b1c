"""The figures show what was measured."""

from __future__ import annotations

import pytest

from gpscale.benchmark.energy import EnergyMeter
from gpscale.benchmark.figures import plot_growth, plot_operators
from gpscale.benchmark.latency import Benchmark, Timed
from gpscale.benchmark.operators import Breakdown, OperatorTime
from gpscale.benchmark.protocol import PROTOCOLS
from gpscale.benchmark.resolutions import Growth
from gpscale.benchmark.timing import Timing

CONDITIONS = {"processor": "Some CPU", "runtime": "torch", "versions": {"torch": "2.15"}}


def benchmark(*models: str) -> Benchmark:
    times = [((0.008 * place,),) for place in range(1, len(models) + 1)]
    rows = tuple(Timed(model, 10**6, 10**5, Timing(one, one)) for model, one in zip(models, times, strict=True))
    return Benchmark(PROTOCOLS["gpscale"], CONDITIONS, rows, EnergyMeter("", None, "none"))


def test_the_bars_of_a_model_add_up_to_its_run() -> None:
    conv = OperatorTime("a", "Conv2d", "conv2d", "convolution", 0.006, 1, False)
    relu = OperatorTime("b", "ReLU", "relu", "activation", 0.002, 1, True)
    breakdowns = [Breakdown("one", 0.01, (conv, relu)), Breakdown("two", 0.02, (conv,))]
    figure = plot_operators(benchmark("one", "two"), breakdowns)
    (ax,) = figure.get_axes()
    ends: dict[float, float] = {}
    for bar in ax.patches:
        middle = bar.get_y() + bar.get_height() / 2  # type: ignore[attr-defined]
        ends[middle] = max(ends.get(middle, 0.0), bar.get_x() + bar.get_width())  # type: ignore[attr-defined]
    assert [ends[key] for key in sorted(ends, reverse=True)] == pytest.approx([10.0, 20.0])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "two"]
    assert [text.get_text().strip() for text in ax.texts] == ["25%", "0%"]
    (plain,) = ax.collections
    assert [segment[0][0] for segment in plain.get_segments()] == pytest.approx([8.0, 16.0])  # type: ignore[attr-defined]


def test_growth_is_drawn_at_its_medians_with_its_exponents() -> None:
    timed = benchmark("one@64", "one@128")
    growth = Growth("one", (64, 128), timed.rows, 1.0, None, 2.0, 1.0)
    figure = plot_growth(timed, [growth])
    (ax,) = figure.get_axes()
    line, marks = ax.lines
    assert list(marks.get_ydata()) == pytest.approx([8.0, 16.0])  # type: ignore[arg-type]
    assert list(line.get_ydata()) == pytest.approx([8.0, 16.0])  # type: ignore[arg-type]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["one\nexponent 1.00, MACs 2.00"]
    assert "Some CPU" in figure.get_suptitle()


def test_the_legend_of_growth_lies_inside_the_figure() -> None:
    name = "timm:efficientvit_m5_with_a_long_name"
    timed = benchmark(f"{name}@64", f"{name}@128")
    figure = plot_growth(timed, [Growth(name, (64, 128), timed.rows, -1.23, (-10.25, -10.15), -1.23, 1.0)] * 3)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box, page = legend.get_window_extent(), figure.bbox
    assert box.x0 >= page.x0
    assert box.x1 <= page.x1
    (ax,) = figure.get_axes()
    assert box.y1 <= ax.get_tightbbox().y0  # type: ignore[union-attr]
