"""The commands to begin with."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

import gpscale
from gpscale.run_dir import shipped_studies
from gpscale.study import Study
from gpscale.sweep import SweepConfig
from gpscale.sweep.schema import schema_text
from tests.cli.command import gpscale_here
from tests.synthetic_runs import snapshot, write_run
from tests.test_imports import loaded_after
from tests.training.data.made_images import write_folder


def test_what_init_writes_can_be_swept(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "photos", per_class=10, width=12, height=10)
    file = tmp_path / "mine.yaml"
    ran = gpscale_here("init", "--data", root, "--output", file)
    assert (ran.code, ran.err) == (0, "")
    assert "16 images to train, 4 to validate, 2 classes; shorter sides 10 to 10 px (median 10)" in ran.out
    assert f"next: gpscale sweep {file} --dry-run" in ran.out
    dry = gpscale_here("sweep", file, "--dry-run", "--runs", tmp_path / "runs", "--workers", 1, "--json")
    assert (dry.code, dry.err) == (0, "timing 3 models ...\n")
    found = json.loads(dry.out)
    assert (found["trials"], found["train_images"], found["validation_images"]) == (24, 16, 4)


def test_init_names_its_file_by_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    found = json.loads(gpscale_here("init", "--data", "photos", "--json").out)
    assert found["files"] == ["photos.yaml", "sweep.schema.json"]
    assert found["base"] == SweepConfig.load("photos.yaml").base == "mobilevitv2_050@32"
    assert (found["images"]["classes"], found["images"]["short_sides"]) == (["cat", "dog"], [16, 16, 16])
    assert SweepConfig.load("photos.yaml").data.root == Path("photos")
    assert json.loads(gpscale_here("init", "--json").out)["files"] == ["digits.yaml"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "absent"], "DataError: Images must lie in a folder. Got 'absent'"),
        (["--data", "empty"], "DataError: A folder of images must hold .*'empty', which has no image"),
        (["--base", "mobilevitv2_20@64"], "SweepFileError: .*'mobilevitv2_20@64'"),
        (["--output", "mine.yaml"], "SweepFileError: A starter sweep file must be a new file. mine.yaml exists"),
    ],
)
def test_init_refuses_and_writes_nothing(
    options: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "mine.yaml").write_text("mine")
    monkeypatch.chdir(tmp_path)
    ran = gpscale_here("init", *options)
    assert (ran.code, ran.out) == (2, "")
    assert re.match(message, ran.err), ran.err
    assert snapshot(tmp_path) == {"mine.yaml": b"mine"}


def test_schema_prints_the_schema() -> None:
    ran = gpscale_here("schema")
    assert (ran.code, ran.out, ran.err) == (0, schema_text(), "")


def test_the_version_is_the_packages() -> None:
    ran = gpscale_here("--version")
    assert (ran.code, ran.out, ran.err) == (0, f"gpscale {gpscale.__version__}\n", "")


def test_the_version_loads_nothing_that_is_slow() -> None:
    code = (
        "import sys\nsys.argv = ['gpscale', '--version']\nfrom gpscale.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0, end.code"
    )
    assert loaded_after(code, "torch", "numpy", "pydantic", "rich", "typer") == {"typer"}


def test_info_says_what_trials_run_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "2")
    plain, as_json = gpscale_here("info"), json.loads(gpscale_here("info", "--json").out)
    assert (plain.code, plain.err) == (0, "")
    rows = dict(line.split(maxsplit=1) for line in plain.out.splitlines())
    assert {"gpscale", "python", "torch", "timm", "gpytorch", "botorch", "pymoo", "numpy"} <= set(rows)
    assert rows["torch"] == as_json["packages"]["torch"]
    assert rows["device"].split()[0] == as_json["device"]
    assert "MALLOC_ARENA_MAX=2" in plain.out
    assert "GLIBC_TUNABLES" in as_json["worker_environment"]


def test_studies_lists_the_shipped_ones_and_those_in_the_runs(
    fitted: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path / "runs" / "young", trials=8, finished=3)
    monkeypatch.chdir(tmp_path)
    ran = gpscale_here("studies")
    assert (ran.code, ran.err) == (0, "")
    rows = {line.split()[0]: line for line in ran.out.splitlines() if line.strip()}
    for name in shipped_studies():
        assert Study(name).base.name in rows[name]
    young = rows[str(Path("runs", "young"))]
    assert "mobilevitv2_050@64" in young
    assert "3/8" in young
    assert "not fitted" in young
    listed = json.loads(gpscale_here("studies", "--runs", fitted.run.path.parent, "--json").out)
    [own] = [entry for entry in listed if not entry["shipped"]]
    assert (own["ended"], own["planned"]) == (40, 40)
    assert own["c_range"] == fitted.facts["c_range"]
    assert own["knows_more_than_macs"] == fitted.diagnostics.knows_more_than_macs


def test_studies_shows_a_card(fitted: Study, tmp_path: Path) -> None:
    study = Study(shutil.copytree(fitted.run.path, tmp_path / "known_rule"))
    study.run.card_file.write_text("# A card\n\nBuild this.\n")
    ran = gpscale_here("studies", study.run.path)
    as_json = json.loads(gpscale_here("studies", study.run.path, "--json").out)
    assert (ran.code, ran.out, ran.err) == (0, "# A card\n\nBuild this.\n", "")
    assert as_json["card"] == ran.out
    assert as_json["summary"] == json.loads(json.dumps(study.summary()))


def test_studies_shows_the_summary_of_one_without_a_card(fitted: Study) -> None:
    ran = gpscale_here("studies", fitted.run.path)
    assert (ran.code, ran.err) == (0, "")
    assert "38 trials finished, 2 failed" in ran.out


def test_studies_shows_how_far_one_is_that_is_not_fitted(tmp_path: Path) -> None:
    run = write_run(tmp_path / "young", trials=8, finished=3)
    ran, as_json = gpscale_here("studies", run.path), gpscale_here("studies", run.path, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert "8 trials planned: " in ran.out
    found = json.loads(as_json.out)
    assert (found["study"], found["card"], found["summary"]) == ("young", None, None)


def test_a_study_is_looked_for_in_the_runs_that_are_named_first(tmp_path: Path) -> None:
    for name in ("young", "quickstart"):
        write_run(tmp_path / name, trials=8, finished=3)
        found = json.loads(gpscale_here("studies", name, "--runs", tmp_path, "--json").out)
        assert found["path"] == str(tmp_path / name)
    ran = gpscale_here("studies", "young", "--runs", tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert "8 trials planned: " in ran.out
    assert gpscale_here("studies", "young").code == 2
    shipped = json.loads(gpscale_here("studies", "cifar10", "--runs", tmp_path, "--json").out)
    assert shipped["summary"]["study"] == "cifar10"


def test_an_unknown_study_is_refused() -> None:
    ran = gpscale_here("studies", "quickstrat")
    assert (ran.code, ran.out) == (2, "")
    assert "Did you mean 'quickstart'" in ran.err
