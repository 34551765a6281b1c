"""Panels: what a control changes, what it leaves, and which studies have them."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gpscale.errors import FitError, UnknownNameError
from gpscale.explore import Panel, budget, contours, slice_and_profile
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


def pixels(panel: Panel) -> np.ndarray:
    return decoded(panel.picture.value)


def decoded(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"), dtype=int)


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
    bars = [slice(int(from_ * width), int(to * width)) for from_, to in ((0.415, 0.48), (0.91, 1.0))]
    for bar in bars:
        assert not ((changed[:, 1] >= bar.start) & (changed[:, 1] < bar.stop)).any()
    assert changed[:, 0].max() < 0.88 * height


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
