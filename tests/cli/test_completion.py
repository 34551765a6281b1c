"""What the shell offers on the tab key."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gpscale.cli import completion
from gpscale.run_dir import shipped_studies
from gpscale.trial import FailureReason
from tests.cli.command import gpscale_here
from tests.synthetic_runs import write_run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a run and another below `elsewhere`."""
    write_run(tmp_path / "runs" / "mine", trials=2, finished=0)
    write_run(tmp_path / "elsewhere" / "old", trials=2, finished=0)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def offered(words: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ask as bash does; the last word is the one that is being written."""
    monkeypatch.setenv("_GPSCALE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    ran = gpscale_here()
    assert ran.code == 0
    return ran.out.split()


def test_studies_are_the_shipped_ones_and_those_of_the_runs(here: Path) -> None:
    assert completion.studies("") == sorted([*shipped_studies(), os.path.join("runs", "mine")])
    assert completion.studies("qui") == ["quickstart"]
    assert completion.studies("elsewhere/o") == [os.path.join("elsewhere", "old")]
    assert completion.studies("no") == []


def test_runs_are_completed_from_any_beginning_of_their_path(here: Path) -> None:
    write_run(here / "runs" / "mine" / "fidelity", trials=2, finished=0)
    for begun in ("ru", "runs/", "runs/mi", "./ru", "./runs/m", f"{here}/ru", f"{here}/runs/", f"{here}/runs/mine"):
        [found] = completion.studies(begun)
        assert found.startswith(begun)
        assert (here / found).resolve() == here / "runs" / "mine"
    assert completion.studies("runs/mine/") == ["runs/mine/"]
    assert completion.studies("/no/such/") == completion.studies("[") == []


@pytest.mark.parametrize("command", ["fit", "fidelity", "doctor"])
def test_no_shipped_study_is_offered_to_write_into(command: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered(f"gpscale {command} qu", monkeypatch) == []
    assert offered(f"gpscale {command} ", monkeypatch) == [os.path.join("runs", "mine")]


@pytest.mark.parametrize("command", ["status", "plot", "studies", "recommend --study"])
def test_a_run_is_completed(command: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered(f"gpscale {command} qu", monkeypatch) == ["quickstart"]
    assert offered(f"gpscale {command} ru", monkeypatch) == [os.path.join("runs", "mine")]


def test_reasons_figures_bases_and_methods_are_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered("gpscale sweep x.yaml --retry ", monkeypatch) == sorted(FailureReason)
    assert offered("gpscale plot quickstart --figure st", monkeypatch) == ["staircases"]
    assert offered("gpscale recommend --base mobilevitv2_05", monkeypatch) == [
        "mobilevitv2_050@128",
        "mobilevitv2_050@256",
        "mobilevitv2_050@64",
    ]
    assert offered("gpscale recommend --method s", monkeypatch) == ["surface", "surface_low"]
