"""The look: labels that hide nothing, text that can be read."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from gpscale.plotting import plot_front, plot_line, plot_rule
from gpscale.plotting.base import Columns
from gpscale.plotting.catalogue import FIGURES, figure
from gpscale.plotting.labels import Label, along, label_ends, place_labels
from gpscale.plotting.look import caption
from tests.plotting.conftest import SyntheticStudy


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
    for drawn in (plot_front(large_study), plot_front(large_study, columns=2), plot_line(line_study)):
        drawn.draw_without_rendering()
        for ax in drawn.axes:
            boxes = [Text.get_window_extent(text) for text in ax.texts]
            assert len(boxes) >= 3
            assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
            frame = ax.get_window_extent().padded(1)
            assert all(frame.containsx(box.x0) and frame.containsx(box.x1) for box in boxes)
            assert all(frame.containsy(box.y0) and frame.containsy(box.y1) for box in boxes)


@pytest.mark.parametrize("heights", [[0.5, 0.51, 0.5], [0.99, 1.0, 0.98], [0.0, 0.02, 0.01], [0.1, 0.5, 0.9]])
def test_labels_of_line_ends_keep_the_order_of_the_lines_and_do_not_collide(heights: list[float]) -> None:
    figure = Figure(figsize=(3, 2), layout="constrained")
    ax = figure.add_subplot(xlim=(0, 1), ylim=(0, 1))
    label_ends(ax, [(height, f"line {place}", "black") for place, height in enumerate(heights)])
    figure.draw_without_rendering()
    boxes = {text.get_text(): Text.get_window_extent(text) for text in ax.texts}
    frame = ax.get_window_extent()
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes.values(), 2))
    assert all(box.x0 >= frame.x1 for box in boxes.values())
    order = sorted(range(len(heights)), key=lambda place: heights[place])
    centres = [boxes[f"line {place}"].y0 for place in order]
    assert centres == sorted(centres)
    assert all(frame.y0 - box.height <= box.y0 <= frame.y1 for box in boxes.values())


def test_labels_of_line_ends_that_are_far_apart_stand_at_the_ends() -> None:
    figure = Figure(figsize=(3, 2))
    ax = figure.add_subplot(xlim=(0, 1), ylim=(0, 1))
    label_ends(ax, [(0.25, "low", "black"), (0.75, "high", "black")])
    assert [text.xy for text in ax.texts] == [(1.0, pytest.approx(0.25)), (1.0, pytest.approx(0.75))]


def test_along_walks_a_line_in_even_steps() -> None:
    figure = Figure(figsize=(4, 4), dpi=72)
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, 1), ylim=(0, 1))
    points = ax.transData.transform(along(ax, [0, 1, 1], [0, 0, 1], step=3))
    steps = np.hypot(*np.diff(points, axis=0).T)
    assert steps.max() <= 3 + 1e-9
    np.testing.assert_allclose(points[[0, -1]], [[0, 0], [288, 288]], atol=1e-9)


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("name", FIGURES)
def test_every_text_is_readable_and_apart_at_a_hundred_trials(
    name: str, columns: Columns, large_study: SyntheticStudy
) -> None:
    drawn = figure(large_study, name, columns)
    drawn.draw_without_rendering()
    texts = [text for text in drawn.findobj(Text) if text.get_visible() and text.get_text()]
    assert min(text.get_fontsize() for text in texts) >= 7
    assert_is_inside(drawn)
    for axis in (axis for ax in drawn.axes for axis in (ax.xaxis, ax.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
        labels = [label for tick in ticks for label in (tick.label1, tick.label2) if label.get_visible()]
        boxes = [label.get_window_extent() for label in labels if label.get_text()]
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2)), axis


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("name", FIGURES)
def test_panels_and_what_is_written_around_them_are_apart_at_a_hundred_trials(
    name: str, columns: Columns, large_study: SyntheticStudy
) -> None:
    drawn = figure(large_study, name, columns)
    drawn.draw_without_rendering()
    # a colour bar belongs to its panel, and an axis above is a child of its own
    boxes = [ax.get_tightbbox() for ax in drawn.axes if ax.get_visible() and ax.get_label() != "<colorbar>"]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    (title,) = [text for text in drawn.texts if text.get_text() == drawn.get_suptitle()]
    assert title.get_window_extent().y0 >= max(box.y1 for box in boxes) - 1


def test_a_caption_is_broken_to_fit_a_part_of_a_figure(study: SyntheticStudy) -> None:
    figure = Figure(figsize=(6, 6), layout="constrained")
    part, _ = figure.subfigures(1, 2)
    assert plot_rule(study, part, columns=1) is figure
    figure.draw_without_rendering()
    text = next(text for text in part.texts if "rule" in text.get_text())
    assert text.get_text().count("\n") >= 1
    assert part.bbox.x0 <= text.get_window_extent().x0 < text.get_window_extent().x1 <= part.bbox.x1


def test_a_caption_is_not_broken_between_a_number_and_its_percent_sign() -> None:
    for width in np.arange(1.5, 2.5, 0.05):
        place = Figure(figsize=(width, 1))
        caption(place, "a band that is of 95 % and one of 50 %")
        assert all(not line.startswith("%") for line in place.get_suptitle().split("\n"))
        assert place.get_suptitle().replace("\n", " ") == "a band that is of 95 % and one of 50 %"


def assert_is_inside(figure: Figure) -> None:
    tight, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert tight.x0 >= 0
    assert tight.y0 >= 0
    assert tight.x1 <= width
    assert tight.y1 <= height
