"""The look: labels that hide nothing, text that can be read."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from gpscale.plotting import plot_front, plot_line, plot_rule, plot_surface
from gpscale.plotting.base import Columns
from gpscale.plotting.labels import Label, along, place_labels
from tests.plotting.conftest import SyntheticStudy

PLOTS = [plot_front, plot_rule, plot_surface, plot_line]


def test_a_label_takes_the_free_side_of_its_point() -> None:
    figure = Figure(figsize=(3, 3))
    ax = figure.add_subplot(xlim=(0, 1), ylim=(0, 1))
    x, y = np.meshgrid(np.linspace(0, 0.52, 60), np.linspace(0, 1, 60))
    crowd = np.column_stack([x.ravel(), y.ravel()])
    place_labels(ax, [Label("free", np.array([[0.5, 0.5]]), "black")], crowd)
    figure.draw_without_rendering()
    box = Text.get_window_extent(ax.texts[0])
    corners = ax.transData.transform(crowd)
    assert not ((corners > box.min) & (corners < box.max)).all(axis=1).any()


def test_labels_do_not_overlap_and_stay_inside(large_study: SyntheticStudy, line_study: SyntheticStudy) -> None:
    for figure in (plot_front(large_study), plot_front(large_study, columns=2), plot_line(line_study)):
        figure.draw_without_rendering()
        (ax,) = figure.axes
        boxes = [Text.get_window_extent(text) for text in ax.texts]
        assert len(boxes) == 3
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
        frame = ax.get_window_extent().padded(1)
        assert all(frame.containsx(box.x0) and frame.containsx(box.x1) for box in boxes)
        assert all(frame.containsy(box.y0) and frame.containsy(box.y1) for box in boxes)


def test_along_walks_a_line_in_even_steps() -> None:
    figure = Figure(figsize=(4, 4), dpi=72)
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, 1), ylim=(0, 1))
    points = ax.transData.transform(along(ax, [0, 1, 1], [0, 0, 1], step=3))
    steps = np.hypot(*np.diff(points, axis=0).T)
    assert steps.max() <= 3 + 1e-9
    np.testing.assert_allclose(points[[0, -1]], [[0, 0], [288, 288]], atol=1e-9)


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("plot", PLOTS)
def test_every_text_is_readable_and_apart_at_a_hundred_trials(
    plot: Callable[..., Figure], columns: Columns, large_study: SyntheticStudy
) -> None:
    options = {"size": 40} if plot is plot_surface else {}
    figure = plot(large_study, columns=columns, **options)
    figure.draw_without_rendering()
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    assert min(text.get_fontsize() for text in texts) >= 7
    assert_is_inside(figure)
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
        labels = [label for tick in ticks for label in (tick.label1, tick.label2) if label.get_visible()]
        boxes = [label.get_window_extent() for label in labels if label.get_text()]
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2)), axis


def test_a_caption_is_broken_to_fit_a_part_of_a_figure(study: SyntheticStudy) -> None:
    figure = Figure(figsize=(6, 6), layout="constrained")
    part, _ = figure.subfigures(1, 2)
    assert plot_rule(study, part, columns=1) is figure
    figure.draw_without_rendering()
    caption = next(text for text in part.texts if "rule" in text.get_text())
    assert caption.get_text().count("\n") >= 1
    assert part.bbox.x0 <= caption.get_window_extent().x0 < caption.get_window_extent().x1 <= part.bbox.x1


def assert_is_inside(figure: Figure) -> None:
    tight, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert tight.x0 >= 0
    assert tight.y0 >= 0
    assert tight.x1 <= width
    assert tight.y1 <= height
