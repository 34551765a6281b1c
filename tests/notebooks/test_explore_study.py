"""The notebook runs on any study, its panels answer, and what is stored of it reads without a kernel."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat import NotebookNode
from PIL import Image

from gpscale.study import Study
from gpscale.sweep import fit_run
from tests.notebooks.execute import WIDGET, execute, still
from tests.synthetic_runs import write_run

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "explore_study.ipynb"

ANSWERS = """
import json
from gpscale.explore import Panel

def moved(panel, **values):
    before = panel.picture.value, panel.text.value
    for name, value in values.items():
        panel.controls[name].value = value
    return [old != new for old, new in zip(before, (panel.picture.value, panel.text.value))]

panels = {repr(value).split()[0]: value for value in Out.values() if isinstance(value, Panel)}
print(json.dumps([
    moved(panels["Panel(contours"], ir_depth=1.7),
    moved(panels["Panel(slice"], macs=0.8 * study.base.macs / 1e6),
    moved(panels["Panel(recommendations"], macs=0.8 * study.base.macs / 1e6),
    panels["Panel(recommendations"].text.value == study.recommend(0.8 * study.base.macs)._repr_html_(),
]))
"""


@pytest.fixture(scope="module")
def executed() -> NotebookNode:
    """The notebook on the default study, with one more cell that moves its sliders."""
    return execute(NOTEBOOK, extra=[ANSWERS])


@pytest.fixture(scope="module")
def on_a_line(tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    """The notebook on a sweep along one factor, which has neither a front nor a rule."""
    sampler = {"name": "line", "factor": "resolution", "compensate": ["width", "ir_depth", "vit_depth"]}
    run = write_run(tmp_path_factory.mktemp("runs") / "line", trials=6, sampler=sampler)
    fit_run(run, figures=False)
    return execute(NOTEBOOK, study=str(run.path))


def outputs(notebook: NotebookNode, code: str) -> list[NotebookNode]:
    """Return what the one cell with that code has put out."""
    (cell,) = [cell for cell in notebook.cells if cell.cell_type == "code" and code in cell.source]
    return list(cell.outputs)


def picture(output: NotebookNode) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))).convert("L")


def written(output: NotebookNode) -> dict[str, str]:
    """Return all that an output says in words, and which other forms it has."""
    said = {"text": output.text} if output.output_type == "stream" else dict(output.data)
    return {kind: "" if kind.startswith("image/") else words for kind, words in said.items()}


def assert_looks_like(stored: Image.Image, fresh: Image.Image, name: str) -> None:
    """Allow for the last digit of another machine: a line that moved or a word that changed is more."""
    assert stored.size == fresh.size, name
    apart = np.abs(np.asarray(stored, dtype=int) - np.asarray(fresh, dtype=int))
    assert (apart > 64).mean() < 1e-4, name


def test_every_cell_says_something_and_warns_of_nothing(executed: NotebookNode) -> None:
    for cell in executed.cells:
        if cell.cell_type == "code":
            assert [output.output_type for output in cell.outputs] in (["execute_result"], ["stream"]), cell.source
            assert all(output.get("name") != "stderr" for output in cell.outputs), cell.source


@pytest.mark.parametrize(
    "code",
    ["plot_diagnostics", "plot_front", "contours, study", "slice_and_profile, study", "plot_rule", "budget, study"],
)
def test_a_cell_shows_a_figure_that_is_not_blank(executed: NotebookNode, code: str) -> None:
    (output,) = outputs(executed, f"show({code}" if "," in code else f"study.{code}")
    image = picture(output)
    assert image.width > 600
    assert len(image.histogram()) - image.histogram().count(0) > 50


@pytest.mark.parametrize("code", ["contours", "slice_and_profile", "budget"])
def test_a_panel_is_a_widget_and_a_picture(executed: NotebookNode, code: str) -> None:
    (output,) = outputs(executed, f"show({code}, study)")
    assert output.data[WIDGET]["model_id"]
    assert "image/png" in output.data


def test_moving_a_slider_changes_the_picture_and_the_recommendation(executed: NotebookNode) -> None:
    (answer,) = outputs(executed, "panels = ")
    contours, profile, budget, same = json.loads(answer.text)
    assert contours == [True, False]
    assert profile == [True, False]
    assert budget == [True, True]
    assert same


def test_the_recommendation_for_half_the_macs_is_there_with_its_interval(executed: NotebookNode) -> None:
    (output,) = outputs(executed, "study.recommend, 0.5")
    study = Study()
    assert output.data["text/html"] == study.recommend(0.5 * study.base.macs)._repr_html_()
    assert "95 % interval" in output.data["text/html"]


def test_a_study_without_a_rule_says_why_and_runs_to_the_end(on_a_line: NotebookNode) -> None:
    for code in ("contours, study", "slice_and_profile, study", "study.plot_rule", "budget, study"):
        (output,) = outputs(on_a_line, f"show({code}")
        assert "Not for this study" in output.data["text/html"], code
    (trials,) = outputs(on_a_line, "study.trials")
    assert "6 rows" in trials.data["text/html"]


def test_the_stored_notebook_shows_what_a_run_shows_and_needs_no_kernel(executed: NotebookNode) -> None:
    stored, fresh = nbformat.read(NOTEBOOK, as_version=4), still(nbformat.from_dict(json.loads(json.dumps(executed))))
    nbformat.validate(stored)
    assert "widgets" not in stored.metadata
    assert fresh.cells.pop().source == ANSWERS
    for kept, ran in zip(stored.cells, fresh.cells, strict=True):
        assert kept.source == ran.source
        for old, new in zip(kept.get("outputs", []), ran.get("outputs", []), strict=True):
            assert written(old) == written(new), kept.source
            if "image/png" in old.get("data", {}):
                assert_looks_like(picture(old), picture(new), kept.source)


def test_the_stored_notebook_is_small_enough_to_be_read_on_a_page() -> None:
    assert NOTEBOOK.stat().st_size < 1_000_000
