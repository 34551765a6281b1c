"""`gpscale plot`: figures and tables of a study, from the command line."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from gpscale.plotting import diagnostics_data, front_data, line_data
from gpscale.plotting.catalogue import FIGURES
from gpscale.run_dir import RunDir
from gpscale.study import Study
from gpscale.sweep import fit_run
from tests.cli.command import gpscale_here
from tests.synthetic_runs import snapshot, write_run


@pytest.fixture(scope="module")
def line_run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A fitted line sweep."""
    sampler = {"name": "line", "compensate": ["width", "ir_depth", "vit_depth"]}
    run = write_run(tmp_path_factory.mktemp("runs") / "line", trials=6, sampler=sampler)
    fit_run(run, figures=False)
    return run


def test_without_a_name_all_that_a_study_can_have_is_drawn_and_the_rest_explained(
    line_run: RunDir, tmp_path: Path
) -> None:
    ran = gpscale_here("plot", line_run.path, "--output", tmp_path, "--format", "png", "--columns", 1)
    assert ran.code == 0
    written = [Path(line) for line in ran.out.splitlines()]
    assert [file.name for file in written] == ["line.png", "staircases.png", "diagnostics.png"]
    assert {Image.open(file).width for file in written} == {990}
    explained = {line.split(":")[0] for line in ran.err.splitlines()}
    assert explained == {f"no {name}" for name in ("front", "rule", "surface", "iso_macs", "curves", "regret")}
    assert "holds MACs fixed" in ran.err


def test_figures_go_beside_the_study_in_every_format_that_was_asked_for(line_run: RunDir) -> None:
    ran = gpscale_here("plot", line_run.path, "--figure", "line", "--format", "pdf", "--format", "svg")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [str(line_run.figures / "line.pdf"), str(line_run.figures / "line.svg")]
    assert (line_run.figures / "line.pdf").read_bytes().startswith(b"%PDF")


def test_one_table_is_printed_and_nothing_written(fitted: Study) -> None:
    before = snapshot(fitted.run.path)
    ran = gpscale_here("plot", fitted.run.path, "--figure", "diagnostics", "--data")
    assert (ran.code, ran.err) == (0, "")
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(ran.out)), diagnostics_data(fitted), check_dtype=False)
    assert snapshot(fitted.run.path) == before


def test_several_tables_are_written_as_csv(line_run: RunDir, tmp_path: Path) -> None:
    options = ["--data", "--outcome", "top5", "--output", tmp_path]
    ran = gpscale_here("plot", line_run.path, "--figure", "line", "--figure", "diagnostics", *options)
    assert (ran.code, ran.err) == (0, "")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["diagnostics_top5.csv", "line_top5.csv"]
    expected = line_data(Study(line_run), outcome="top5")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "line_top5.csv"), expected, check_dtype=False)


def test_an_outcome_draws_what_shows_it_and_tells_what_was_left_out(fitted: Study, tmp_path: Path) -> None:
    ran = gpscale_here("plot", fitted.run.path, "--outcome", "top1", "--data", "--output", tmp_path)
    assert ran.code == 0
    written = [Path(line).stem for line in ran.out.splitlines()]
    assert written == ["front_top1", "surface_top1", "line_top1", "iso_macs_top1", "diagnostics_top1"]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "front_top1.csv"), front_of(fitted), check_dtype=False)
    told = ran.err.splitlines()
    assert told[0].startswith("no curves: ")
    assert told[1:] == [f"left out {name}: it shows no accuracy, not top1" for name in ("rule", "staircases", "regret")]


def test_a_factor_can_be_chosen_of_the_figures_that_take_one(fitted: Study, tmp_path: Path) -> None:
    ran = gpscale_here("plot", fitted.run.path, "--factor", "ir_depth", "--data", "--output", tmp_path)
    assert ran.code == 0
    assert [Path(line).name for line in ran.out.splitlines()] == ["line_ir_depth.csv", "iso_macs_ir_depth.csv"]
    assert set(pd.read_csv(tmp_path / "iso_macs_ir_depth.csv")["factor"]) == {"ir_depth"}
    expected = line_data(fitted, "ir_depth")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "line_ir_depth.csv"), expected, check_dtype=False)
    assert "left out surface: it takes 2 factors, not 1" in ran.err
    assert "left out front: it takes no factors, not 1" in ran.err


def test_two_factors_are_the_axes_of_a_surface_in_the_order_given(fitted: Study, tmp_path: Path) -> None:
    options = ["--factor", "vit_depth", "--factor", "ir_depth", "--outcome", "top5", "--output", tmp_path]
    ran = gpscale_here("plot", fitted.run.path, "--figure", "surface", "--data", *options)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"{tmp_path / 'surface_vit_depth_ir_depth_top5.csv'}\n"
    assert pd.read_csv(ran.out.strip(), nrows=1).columns.tolist()[:2] == ["vit_depth", "ir_depth"]


def front_of(study: Study) -> pd.DataFrame:
    """Return the front's table as a file holds it: what is predicted has no id."""
    return front_data(study).replace({"id": {"": np.nan}})


def test_figures_of_a_shipped_study_do_not_go_into_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = gpscale_here("plot", "cifar10", "--figure", "staircases", "--format", "png")
    assert (ran.code, ran.out) == (0, "figures/cifar10/staircases.png\n")
    assert (tmp_path / "figures/cifar10/staircases.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--figure", "frond"], ["Unknown figure 'frond'", *FIGURES, "Did you mean 'front'"]),
        (["--figure", "line", "--figure", "front"], ["FitError: A front needs", "holds MACs fixed"]),
        (["--figure", "front", "--outcome", "top5"], ["Figure 'front' shows top1, not top5", "surface"]),
        (["--figure", "rule", "--outcome", "top1"], ["Figure 'rule' shows no accuracy, not top1", "front"]),
        (["--figure", "rule", "--factor", "width"], ["Figure 'rule' takes no factors, not 1", "iso_macs, line"]),
        (
            ["--figure", "line", "--factor", "width", "--factor", "ir_depth"],
            ["Figure 'line' takes 1 factor, not 2", "iso_macs, surface"],
        ),
        (["--factor", "widht"], ["Unknown factor 'widht'", "Did you mean 'width'"]),
        (["--outcome", "top3"], ["Unknown outcome 'top3'", "top1, top5"]),
        (["--format", "jpg"], ["Unknown format 'jpg'", "pdf, png, svg", "Did you mean 'png'"]),
    ],
)
def test_what_cannot_be_drawn_is_refused_and_nothing_written(
    options: list[str], said: list[str], line_run: RunDir, tmp_path: Path
) -> None:
    ran = gpscale_here("plot", line_run.path, *options, "--output", tmp_path / "figures")
    assert (ran.code, ran.out) == (2, "")
    for words in said:
        assert words in ran.err
    assert not (tmp_path / "figures").exists()
