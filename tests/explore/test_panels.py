"""Panels: what a control changes, what it leaves, and which studies have them."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from matplotlib.artist import Artist
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from gpscale.errors import FitError, UnknownNameError
from gpscale.explore import Panel, budget, contours, slice_and_profile
from gpscale.explore.live import LiveFigure
from gpscale.factors import FACTOR_NAMES
from gpscale.study import Study
from gpscale.sweep import fit_run
from tests.synthetic_runs import write_run

BUILDERS = (contours, slice_and_profile, budget)


@pytest.fixture(scope="module")
def line_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A sweep along one factor."""
    sampler = {"name": "line", "factor": "resolution", "compensate": ["width", "ir_depth", "vit_depth"]}
    return fit_run(write_run(tmp_path_factory.mktemp("runs") / "line", trials=6, sampler=sampler), figures=False)


@pytest.fixture(scope="module")
def grid_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A sweep over two factors at fixed MACs."""
    sampler = {"name": "grid", "factors": ["width", "resolution"], "compensate": ["ir_depth", "vit_depth"]}
    return fit_run(write_run(tmp_path_factory.mktemp("runs") / "grid", trials=9, sampler=sampler), figures=False)


@pytest.fixture(scope="module")
def budget_drawn(fitted: Study) -> tuple[Figure, list[Artist]]:
    """The figure of a panel, and what moves on it."""
    return moved(budget(fitted))


def pixels(panel: Panel) -> np.ndarray:
    return decoded(panel.picture.value)


def decoded(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"), dtype=int)


def moved(panel: Panel) -> tuple[Figure, list[Artist]]:
    """Draw a panel again without taking off what moves; return its figure, and that in the order of drawing."""
    seen: list[tuple[Figure, list[Artist]]] = []

    def png(live: LiveFigure, artists: Iterable[Artist]) -> bytes:
        seen.append((live.figure, list(artists)))
        return b""

    with mock.patch.object(LiveFigure, "png", png):
        panel._draw()
    (found,) = seen
    return found


def shown(panel: Panel) -> set[str]:
    """Return the factors whose sliders are there."""
    return {name for name in FACTOR_NAMES if panel.controls[name].layout.display != "none"}


@pytest.mark.parametrize("build", BUILDERS)
def test_a_page_without_widgets_gets_the_picture(build: type[Panel], fitted: Study) -> None:
    panel = build(fitted)
    bundle = panel._repr_mimebundle_()
    stored = base64.b64decode(bundle["image/png"])
    assert len(stored) < len(panel.picture.value)
    assert np.abs(decoded(stored) - pixels(panel)).mean() < 1
    assert bundle["text/plain"] == repr(panel)
    assert "known_rule" in repr(panel)


@pytest.mark.parametrize(
    ("build", "name", "value"),
    [
        (contours, "ir_depth", 1.5),
        (contours, "outcome", "top5"),
        (contours, "x", "vit_depth"),
        (slice_and_profile, "width", 0.7),
        (slice_and_profile, "macs", 20.0),
        (slice_and_profile, "factor", "vit_depth"),
        (slice_and_profile, "outcome", "top5"),
        (budget, "macs", 20.0),
    ],
)
def test_the_picture_follows_a_control_there_and_back(
    build: type[Panel], name: str, value: object, fitted: Study
) -> None:
    panel = build(fitted)
    control, first = panel.controls[name], panel.picture.value
    start, control.value = control.value, value
    assert panel.picture.value != first
    control.value = start
    assert panel.picture.value == first


def test_contours_have_a_slider_for_each_factor_that_is_on_no_axis(fitted: Study) -> None:
    panel = contours(fitted)
    assert shown(panel) == {"ir_depth", "vit_depth"}
    panel.controls["y"].value = "vit_depth"
    assert shown(panel) == {"ir_depth", "width"}


def test_giving_one_axis_the_factor_of_the_other_swaps_them(fitted: Study) -> None:
    panel = contours(fitted, ("resolution", "width"))
    panel.controls["x"].value = "width"
    assert (panel.controls["x"].value, panel.controls["y"].value) == ("width", "resolution")
    assert panel.picture.value == contours(fitted, ("width", "resolution")).picture.value


def test_colours_and_axes_stay_where_a_slider_moves(fitted: Study) -> None:
    panel = contours(fitted)
    before = pixels(panel)
    panel.controls["vit_depth"].value = 1.6
    changed = np.argwhere(pixels(panel) != before)
    # the two panels and the title over the first; bars, ticks and labels lie outside
    height, width = before.shape
    bars = [slice(int(from_ * width), int(to * width)) for from_, to in ((0.415, 0.48), (0.915, 1.0))]
    for bar in bars:
        assert not ((changed[:, 1] >= bar.start) & (changed[:, 1] < bar.stop)).any()
    # a cross on the lower edge is drawn whole, above the numbers
    assert changed[:, 0].max() < 0.89 * height


def test_a_slice_has_a_slider_for_each_factor_but_its_own(fitted: Study) -> None:
    panel = slice_and_profile(fitted, "width")
    assert shown(panel) == {"resolution", "ir_depth", "vit_depth"}
    panel.controls["factor"].value = "resolution"
    assert shown(panel) == {"ir_depth", "vit_depth", "width"}


@pytest.mark.parametrize("method", ["rule", "surface"])
def test_a_budget_is_answered_as_recommend_answers_it(method: str, fitted: Study) -> None:
    panel = budget(fitted)
    panel.controls["method"].value, panel.controls["macs"].value = method, 20.0
    asked = round(panel.controls["macs"].value * 1e6)
    assert panel.text.value == fitted.recommend(asked, method=method)._repr_html_()


@pytest.mark.parametrize("end", ["min", "max"])
def test_both_ends_of_the_budget_have_an_answer_on_the_base_of_the_study(end: str, fitted: Study) -> None:
    panel = budget(fitted)
    slider = panel.controls["macs"]
    slider.value = slider.base ** getattr(slider, end)
    assert fitted.base.name in panel.text.value
    assert "transferred" not in panel.text.value


def test_both_parts_of_the_budget_panel_say_what_they_show(budget_drawn: tuple[Figure, list[Artist]]) -> None:
    front, rule = (part.get_suptitle().replace("\n", " ") for part in budget_drawn[0].subfigs)
    assert (
        "predicted: what the rule builds (solid), width multiplier as it is (dashed); bands: 95 % of the surface"
        in front
    )
    assert "diamond: what to build, predicted, with the 95 % interval of one training" in front
    assert "rule fitted to what the surface expects most of" in rule


def test_the_prediction_of_a_budget_is_written_below_the_front(budget_drawn: tuple[Figure, list[Artist]]) -> None:
    drawn = budget_drawn[1]
    (prediction,) = [text for text in drawn if isinstance(text, Text) and "predicted " in text.get_text()]
    axis = drawn[0].axes.xaxis.get_tightbbox()
    assert prediction.get_window_extent().y1 <= axis.y0
    assert prediction.get_window_extent().y0 >= 0


def test_the_line_of_a_budget_passes_behind_what_is_written_on_the_front(
    budget_drawn: tuple[Figure, list[Artist]],
) -> None:
    drawn = budget_drawn[1]
    labels = [place for place, artist in enumerate(drawn) if isinstance(artist, Text) and artist.axes is drawn[0].axes]
    assert {drawn[place].get_text() for place in labels} >= {
        "base",
        "front, measured",
        "rule, predicted",
        "width only, predicted",
    }
    assert labels[0] > 1


def test_what_is_written_on_the_front_stays_when_a_budget_moves(fitted: Study) -> None:
    panel = budget(fitted)
    (front, *_) = moved(panel)[0].axes
    for macs in (20.0, 15.0):
        panel.controls["macs"].value = macs
        assert {"base", "front, measured", "rule, predicted", "width only, predicted"} <= {
            text.get_text() for text in front.texts
        }
        assert not any(text.get_text().startswith("predicted") for text in front.texts)


def test_a_label_of_equal_macs_hides_no_cross_where_another_place_is_free() -> None:
    panel = contours(Study("quickstart"))
    drawn = moved(panel)[1]
    crosses = [artist for artist in drawn if isinstance(artist, PathCollection)]
    labels = [artist for artist in drawn if isinstance(artist, Text) and "$c$" in artist.get_text()]
    assert {label.get_text() for label in labels} == {"$c$ = 0.25", "$c$ = 0.5", "$c$ = 1"}
    for label in labels:
        box = label.get_window_extent()
        for marks in (marks for marks in crosses if marks.axes is label.axes):
            places = label.axes.transData.transform(marks.get_offsets())
            assert not box.count_contains(places), label.get_text()


@pytest.mark.parametrize("build", [contours, slice_and_profile])
def test_a_cross_on_the_edge_is_drawn_whole(build: type[Panel], fitted: Study) -> None:
    crosses = [artist for artist in moved(build(fitted))[1] if isinstance(artist, PathCollection)]
    assert crosses
    assert not any(marks.get_clip_on() for marks in crosses)


@pytest.mark.parametrize("build", BUILDERS)
def test_no_panel_of_accurate_trials_goes_beyond_100_percent(build: type[Panel]) -> None:
    study = Study("quickstart")
    line = study.surface("resolution")
    assert (line.mean + 1.96 * line.std).max() > 1
    for ax in moved(build(study))[0].axes:
        if ax.get_ylabel().endswith("(%)"):
            assert ax.get_ylim()[1] <= 100


def test_a_grid_sweep_has_contours_and_no_other_panel(grid_study: Study) -> None:
    panel = contours(grid_study)
    assert (panel.controls["x"].value, panel.controls["y"].value) == ("width", "resolution")
    assert set(panel.controls) == {"x", "y", "outcome", "width", "resolution"}
    for build in (slice_and_profile, budget):
        with pytest.raises(FitError):
            build(grid_study)


@pytest.mark.parametrize("build", BUILDERS)
def test_a_line_sweep_has_no_panel(build: type[Panel], line_study: Study) -> None:
    with pytest.raises(FitError):
        build(line_study)


def test_a_factor_that_did_not_vary_has_no_control_and_cannot_be_asked_for(tmp_path: Path) -> None:
    run = write_run(tmp_path / "flat", trials=12, space={"vit_depth": {"low": 1.0, "high": 1.0}})
    study = fit_run(run, figures=False)
    assert "vit_depth" not in contours(study).controls
    assert "vit_depth" not in slice_and_profile(study).controls
    with pytest.raises(FitError, match="vit_depth"):
        contours(study, ("vit_depth", "width"))
    with pytest.raises(FitError, match="vit_depth"):
        slice_and_profile(study, "vit_depth")


@pytest.mark.parametrize(
    "ask", [lambda study: contours(study, ("widht", "resolution")), lambda study: slice_and_profile(study, "widht")]
)
def test_an_unknown_factor_is_refused_with_the_nearest(ask: object, fitted: Study) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'width'"):
        ask(fitted)
