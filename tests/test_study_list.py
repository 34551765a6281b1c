from __future__ import annotations

from pathlib import Path

import pytest

from gpscale.run_dir import shipped_studies
from gpscale.study import Study
from gpscale.study_list import StudyEntry, list_studies
from tests.synthetic_runs import BASE, write_run


def own(runs: Path) -> dict[str, StudyEntry]:
    return {Path(entry.name).name: entry for entry in list_studies(runs) if not entry.shipped}


@pytest.fixture
def young(tmp_path: Path) -> Path:
    """A directory of runs with one that is not fitted."""
    write_run(tmp_path / "young", trials=8, finished=3, failed=[1])
    return tmp_path


def test_the_shipped_studies_come_first_and_say_what_their_facts_say() -> None:
    entries = list_studies(Path("no such directory"))
    assert [entry.name for entry in entries] == shipped_studies()
    for entry in entries:
        study = Study(entry.name)
        assert entry.shipped
        assert entry.damage == ""
        assert entry.base == study.base.name
        assert (entry.ended, entry.planned) == (len(study.trials), study.settings["trials"])
        assert list(entry.c_range or ()) == study.facts["c_range"]
        assert entry.knows_more_than_macs == study.diagnostics.knows_more_than_macs


def test_a_run_that_is_not_fitted_is_listed(young: Path) -> None:
    entry = own(young)["young"]
    assert entry.name == str(young / "young")
    assert (entry.base, entry.images, entry.train_images, entry.validation_images) == (BASE, "digits", 1000, 200)
    assert (entry.ended, entry.planned, entry.c_range, entry.verdict) == (3, 8, None, "not fitted")


def test_a_fitted_run_has_its_range_and_verdict(fitted: Study) -> None:
    entry = own(fitted.run.path.parent)[fitted.name]
    assert entry.c_range == tuple(fitted.facts["c_range"])
    assert entry.verdict == "knows more than MACs do"
    assert entry.fidelity is None


@pytest.mark.parametrize("name", ["sweep.yaml", "provenance.json", "study.json"])
def test_a_damaged_run_is_listed_and_spoils_no_other(name: str, young: Path) -> None:
    write_run(young / "broken", trials=3)
    (young / "broken" / name).write_text("{base: [")
    found = own(young)
    assert found["broken"].verdict.startswith("damaged (")
    assert found["young"].damage == ""


def test_what_is_no_run_directory_is_left_out(young: Path) -> None:
    (young / "notes").mkdir()
    (young / "file").write_text("")
    assert list(own(young)) == ["young"]
