"""Writing figures: which, in what form, and what stays as it was."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest
from PIL import Image

from gpscale.plotting import draw_all, plot_front, plot_line, plot_rule
from gpscale.plotting.catalogue import FIGURES, every, table
from gpscale.plotting.files import write_figure
from tests.plotting.conftest import SyntheticStudy


@pytest.fixture(scope="module")
def written(study: SyntheticStudy, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw_all(study, tmp_path_factory.mktemp("study") / "figures")


def test_a_study_of_any_macs_has_every_figure(written: list[Path]) -> None:
    assert [file.name for file in written] == [f"{name}.{kind}" for name in FIGURES for kind in ("png", "svg")]
    assert sorted(path.name for path in written[0].parent.iterdir()) == sorted(file.name for file in written)


def test_a_line_sweep_has_a_line_and_a_grid_sweep_a_surface(
    line_study: SyntheticStudy, grid_study: SyntheticStudy
) -> None:
    at_fixed_macs = ["line", "staircases", "curves", "diagnostics"]
    made, missing = every(functools.partial(table, line_study), FIGURES)
    assert list(made) == at_fixed_macs
    assert "2 factors" in missing["surface"]
    assert list(every(functools.partial(table, grid_study), FIGURES)[0]) == ["surface", *at_fixed_macs]


def test_a_figure_that_the_study_no_longer_has_is_removed(line_study: SyntheticStudy, tmp_path: Path) -> None:
    for name in ("front.png", "front.pdf"):
        (tmp_path / name).write_bytes(b"of an earlier fit")
    (tmp_path / "notes.txt").write_text("mine")
    assert {file.stem for file in draw_all(line_study, tmp_path)} == {"line", "staircases", "curves", "diagnostics"}
    assert not list(tmp_path.glob("front.*"))
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_the_same_study_gives_the_same_bytes_whatever_the_user_has_set(
    study: SyntheticStudy, written: list[Path], tmp_path: Path
) -> None:
    with matplotlib.rc_context({"font.size": 20, "lines.linewidth": 9, "savefig.dpi": 30, "svg.hashsalt": "other"}):
        again = draw_all(study, tmp_path)
    for one, other in zip(written, again, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_a_pdf_has_the_same_bytes_each_time_and_text_that_can_be_searched(
    study: SyntheticStudy, tmp_path: Path
) -> None:
    first, second = (write_figure(plot_rule(study), tmp_path / name, ["pdf"])[0] for name in ("one", "two"))
    content = first.read_bytes()
    assert content == second.read_bytes()
    assert content.startswith(b"%PDF")
    assert b"/TrueType" in content or b"/CIDFontType2" in content
    assert b"/Type3" not in content


def test_drawing_leaves_the_users_settings_and_backend_alone(line_study: SyntheticStudy, tmp_path: Path) -> None:
    with matplotlib.rc_context({"font.size": 20}):
        before = dict(matplotlib.rcParams)
        backend = matplotlib.get_backend(auto_select=False)
        write_figure(plot_line(line_study), tmp_path / "line")
        assert matplotlib.get_backend(auto_select=False) == backend
        assert dict(matplotlib.rcParams) == before


def test_figures_are_as_wide_as_columns_of_a_paper(written: list[Path]) -> None:
    widths = {file.stem: Image.open(file).width / 300 for file in written if file.suffix == ".png"}
    assert widths == pytest.approx({name: 3.3 if name == "front" else 6.9 for name in FIGURES}, abs=0.01)


def test_plotting_is_imported_without_matplotlib_and_drawing_without_pyplot() -> None:
    code = (
        "import sys, gpscale.plotting; assert 'matplotlib' not in sys.modules;"
        "gpscale.plotting.draw_all; assert 'matplotlib' in sys.modules; assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_can_be_loaded() -> None:
    from gpscale import plotting

    assert all(getattr(plotting, name) for name in plotting.__all__)
    with pytest.raises(AttributeError, match="no attribute 'plot_nothing'"):
        _ = plotting.plot_nothing


def test_a_notebook_shows_a_figure_without_pyplot(study: SyntheticStudy) -> None:
    shown = plot_front(study)._repr_png_()  # type: ignore[attr-defined]
    assert shown.startswith(b"\x89PNG")
