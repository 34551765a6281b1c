"""A wheel, installed where nothing but numpy is, answers."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import gpscale

REPOSITORY = Path(gpscale.__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel from a copy of the sources in which a shipped study has been continued."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    shutil.copytree(REPOSITORY / "gpscale", source / "gpscale", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source / name)
    study = source / "gpscale" / "shipped_studies" / "quickstart"
    (study / "images").mkdir(exist_ok=True)
    (study / "images" / "images.npy").write_bytes(b"decoded")
    long_trial = study / "fidelity" / "trials" / "0123456789abcdef"
    long_trial.mkdir(parents=True, exist_ok=True)
    for trial in (next((study / "trials").iterdir()), long_trial):
        (trial / "checkpoint.pt").write_bytes(b"weights")
        (trial / "log.txt").write_bytes(b"words")
    for directory in (study, study / "fidelity"):
        (directory / ".lock").write_bytes(b"")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", target, source]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    [file] = target.glob("*.whl")
    return file


def test_an_editable_install_is_found_from_the_folder_that_the_clone_lies_in(tmp_path: Path) -> None:
    clone, site = tmp_path / "gpscale", tmp_path / "site"
    site.mkdir()
    shutil.copytree(
        REPOSITORY / "gpscale", clone / "gpscale", ignore=shutil.ignore_patterns("__pycache__", "shipped_*", "*.png")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, clone / name)
    build = f"from setuptools import build_meta; build_meta.build_editable({str(site)!r})"
    built = subprocess.run([sys.executable, "-c", build], cwd=clone, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    [file] = site.glob("*.whl")
    zipfile.ZipFile(file).extractall(site)
    program = (
        f"import site, sys; sys.path.insert(0, {str(tmp_path)!r}); site.addsitedir({str(site)!r})\n"
        "import gpscale; print(gpscale.__file__, gpscale.__version__)"
    )
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False)
    assert ran.stdout.split() == [str(clone / "gpscale" / "__init__.py"), gpscale.__version__], ran.stderr


def test_a_wheel_has_the_shipped_studies_without_images_checkpoints_and_logs(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for study in (REPOSITORY / "gpscale" / "shipped_studies").iterdir():
        if (study / "study.json").is_file():
            for file in (study / "study.json", study / "sweep.yaml", *study.glob("trials/*/record.json")):
                assert str(file.relative_to(REPOSITORY)) in names
    assert "gpscale/shipped_studies/quickstart/rule.json" in names
    assert "gpscale/py.typed" in names
    assert not [name for name in names if name.endswith((".npy", ".npz", ".pt", ".lock", "log.txt", "meta.json"))]
    assert not [name for name in names if name.startswith(("tests", "runs", "sweeps"))]


def test_an_installed_wheel_recommends_with_numpy_alone(wheel: Path, tmp_path: Path) -> None:
    target, libraries = tmp_path / "target", tmp_path / "libraries"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", target, wheel]
    installed = subprocess.run(install, capture_output=True, text=True, check=False)
    assert installed.returncode == 0, installed.stderr
    libraries.mkdir()
    packages = Path(np.__file__).parents[1]
    for entry in packages.glob("numpy*"):
        (libraries / entry.name).symlink_to(entry)
    program = (
        f"import sys; sys.path[:0] = [{str(target)!r}, {str(libraries)!r}]\n"
        "import gpscale; print(gpscale.__file__); print(gpscale.recommend(macs='500M'))"
    )
    # isolated and without site: nothing else of this environment can be imported
    command = [sys.executable, "-I", "-S", "-c", program]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(str(target))
    assert "500.0M MACs" in ran.stdout
    without = subprocess.run([*command[:-1], "import torch"], capture_output=True, check=False, cwd=tmp_path)
    assert without.returncode == 1
