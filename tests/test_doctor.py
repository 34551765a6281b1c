"""The doctor names each damaged file, moves it away, and leaves a run directory that can go on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpscale import Study
from gpscale.doctor import QUARANTINE, Finding, examine
from gpscale.errors import RunDirError
from gpscale.run_dir import RunDir, find_study, shipped_studies
from gpscale.sweep.fit import fit_run
from gpscale.training.checkpoint import CHECKPOINT_FILE, Position, save_checkpoint
from gpscale.training.curve import CURVE_FILE, CurveRow, read_curve, write_curve
from tests.curved_runs import write_curved_run
from tests.synthetic_runs import snapshot, write_run
from tests.training.data.made_images import write_folder

CURVE = [CurveRow(epoch, 100 * epoch, 1.5, 1.5, 0.5, 0.9, 1.5, 0.5, 0.9) for epoch in (1, 2)]
BEGUN = "0123456789abcdef"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    run = write_run(tmp_path_factory.mktemp("fitted") / "run", trials=12, recipe={"epochs": len(CURVE)})
    fit_run(run, figures=False)
    return run


@pytest.fixture
def run(fitted: RunDir, tmp_path: Path) -> RunDir:
    """Return a fitted run of twelve trials, one of them with a curve, and one trial in the middle of its training."""
    shutil.copytree(fitted.path, tmp_path / "run")
    run = RunDir(tmp_path / "run")
    write_curve(run.trial(min(set(run.trial_ids()) - {BEGUN})), CURVE)
    begun = run.trial(BEGUN)
    begun.mkdir()
    save_checkpoint(begun, BEGUN, Position(epoch=1), {})
    return run


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = np.random.default_rng(0).bytes(40)
    path.write_bytes(content)


def test_a_table_that_is_no_learning_curve_is_damaged(run: RunDir) -> None:
    curve = run.trial(min(set(run.trial_ids()) - {BEGUN})) / CURVE_FILE
    curve.write_text("epoch,top1\n1,0.5\n2,0.6\n")
    [finding] = examine(run)
    assert "must hold a learning curve" in finding.damage
    assert not curve.exists()


def test_a_sound_run_has_no_findings_and_is_left_as_it_was(run: RunDir) -> None:
    before = snapshot(run.path)
    assert examine(run) == []
    assert snapshot(run.path) == before


@pytest.mark.parametrize("damage", [cut_short, garble])
@pytest.mark.parametrize(
    ("place", "advice"),
    [
        ("provenance.json", "run the sweep again"),
        ("study.json", "gpscale fit"),
        ("rule.json", "gpscale fit"),
        ("surfaces/top1.json", "gpscale fit"),
        ("trials/<with curve>/curve.csv", "only its learning curve is lost"),
        ("trials/<begun>/checkpoint.pt", "the trial starts over"),
    ],
)
def test_a_damaged_file_is_named_and_moved_and_no_other(
    run: RunDir, place: str, advice: str, damage: Callable[[Path], None]
) -> None:
    with_curve, *finished = [trial_id for trial_id in run.trial_ids() if trial_id != BEGUN]
    for name, trial_id in (("<finished>", finished[0]), ("<with curve>", with_curve), ("<begun>", BEGUN)):
        place = place.replace(name, trial_id)
    before = snapshot(run.path)
    damage(run.path / place)
    damaged = (run.path / place).read_bytes()

    assert [(found.path, found.moved_to) for found in examine(run, move=False)] == [(place, None)]
    assert (run.path / place).read_bytes() == damaged

    [found] = examine(run)
    assert found.path == place
    assert advice in found.advice
    assert found.moved_to is not None
    assert found.moved_to.startswith(QUARANTINE)
    after = snapshot(run.path)
    assert after[found.moved_to] == damaged
    assert {name for name in before if name not in after} == {place}
    assert examine(run) == []


@pytest.mark.parametrize("damage", [cut_short, garble])
def test_a_trial_whose_record_is_damaged_is_moved_with_all_its_files(
    run: RunDir, damage: Callable[[Path], None]
) -> None:
    with_curve = min(set(run.trial_ids()) - {BEGUN})
    place = f"trials/{with_curve}"
    before = snapshot(run.path)
    damage(run.record_file(with_curve))
    assert [(found.path, found.moved_to) for found in examine(run, move=False)] == [(place, None)]
    [found] = examine(run)
    assert (found.path, "record.json" in found.damage) == (place, True)
    assert found.moved_to is not None
    after = snapshot(run.path)
    assert {name for name in before if name not in after} == {f"{place}/record.json", f"{place}/{CURVE_FILE}"}
    assert after[f"{found.moved_to}/{CURVE_FILE}"] == before[f"{place}/{CURVE_FILE}"]
    assert examine(run) == []
    # only the trial that was in the middle of its training is left without a record
    assert Study(run).status()["trials"]["interrupted"] == 1


def test_the_advice_for_a_lost_trial_says_that_the_fit_still_has_it(run: RunDir) -> None:
    cut_short(run.record_file(run.trial_ids()[3]))
    [fitted] = examine(run, move=False)
    for words in ("run the sweep again: the trial is trained again", "gpscale fit", "`recommend` and `studies` answer"):
        assert words in fitted.advice
    run.study_file.unlink()
    [unfitted] = examine(run)
    assert unfitted.advice == "run the sweep again: the trial is trained again"


def test_a_sweep_file_that_cannot_be_read_is_moved_and_its_original_asked_for(run: RunDir) -> None:
    garble(run.sweep_file)
    [found] = examine(run)
    assert found.path == "sweep.yaml"
    assert "copy the file that the sweep was started with" in found.advice


def test_a_record_in_another_trials_directory_is_found(run: RunDir) -> None:
    first, second = [trial_id for trial_id in run.trial_ids() if trial_id != BEGUN][:2]
    run.record_file(second).write_bytes(run.record_file(first).read_bytes())
    [found] = examine(run)
    assert found.path == f"trials/{second}"
    assert first in found.damage


def test_a_checkpoint_of_another_trial_is_found(run: RunDir) -> None:
    other = run.trial("fedcba9876543210")
    other.mkdir()
    (other / CHECKPOINT_FILE).write_bytes((run.trial(BEGUN) / CHECKPOINT_FILE).read_bytes())
    [found] = examine(run)
    assert BEGUN in found.damage


def test_a_broken_store_of_images_is_found(run: RunDir) -> None:
    run.images.mkdir()
    (run.images / "meta.json").write_text(json.dumps({"mode": "mapped"}))
    [found] = examine(run)
    assert found.path == "images"
    assert "decoded anew" in found.advice
    assert not run.images.exists()


def test_the_longer_trainings_are_looked_at_too(run: RunDir) -> None:
    longer = write_run(run.fidelity.path, trials=12, finished=2)
    assert examine(run) == []
    lost = longer.trial_ids()[0]
    cut_short(longer.record_file(lost))
    run.fidelity_file.write_text("{")
    found = {one.path: one.moved_to for one in examine(run)}
    assert set(found) == {
        f"fidelity/trials/{lost}",
        run.fidelity_file.relative_to(run.path).as_posix(),
    }
    assert all(moved is not None and (run.path / moved).exists() for moved in found.values())
    assert examine(run) == []


def test_a_damaged_trial_no_longer_hides_the_others(run: RunDir) -> None:
    damaged = run.trial_ids()[3]
    cut_short(run.record_file(damaged))
    with pytest.raises(RunDirError, match="gpscale doctor"):
        _ = Study(run).trials
    examine(run)
    assert damaged not in set(Study(run).trials["id"])
    assert len(Study(run).trials) == 11


def test_a_running_sweep_is_not_touched(run: RunDir) -> None:
    cut_short(run.study_file)
    with run.locked(), pytest.raises(RunDirError, match="running"):
        examine(run)
    assert run.study_file.exists()
    assert [type(found) for found in examine(run)] == [Finding]


@pytest.mark.parametrize(
    "change",
    [
        {"result": None},
        {"result": {"top1": 47.0}},
        {"identity": {"architecture": {}}},
        {"identity": {"architecture": {"pixels": 64}}},
        {"identity": {"architecture": {"pixels": 64, "channels": 3}}},
    ],
    ids=repr,
)
def test_a_record_that_is_json_but_not_one_of_a_trial_is_found(run: RunDir, change: Any) -> None:
    file = run.record_file(max(set(run.trial_ids()) - {BEGUN}))
    values = json.loads(file.read_text())
    for key, value in change.items():
        values[key] = value if value is None else {**values[key], **value}
    file.write_text(json.dumps(values))
    [found] = examine(run)
    assert found.path == file.parent.relative_to(run.path).as_posix()


def test_a_provenance_of_another_shape_is_found(run: RunDir) -> None:
    run.provenance_file.write_text("{}")
    [found] = examine(run)
    assert (found.path, "KeyError: 'data'" in found.damage) == ("provenance.json", True)


def test_a_sweep_file_that_was_cut_off_at_the_end_of_any_line_is_found(run: RunDir) -> None:
    lines = run.sweep_file.read_text().splitlines(keepends=True)
    for end in range(len(lines)):
        run.sweep_file.write_text("".join(lines[:end]))
        assert [found.path for found in examine(run, move=False)] == ["sweep.yaml"], lines[end]


def test_a_sweep_file_of_an_earlier_version_is_sound() -> None:
    for name in shipped_studies():
        assert examine(find_study(name), move=False) == []


def test_where_trials_are_stopped_by_curves_a_lost_curve_costs_its_trial(tmp_path: Path) -> None:
    run = write_curved_run(tmp_path / "run", trials=8, stop="dominated")
    assert examine(run) == []
    first, second, third, *_ = run.trial_ids()
    (run.trial(first) / CURVE_FILE).unlink()
    cut_short(run.trial(second) / CURVE_FILE)
    write_curve(run.trial(third), read_curve(run.trial(third))[:-1])
    findings = examine(run)
    assert [found.path for found in findings] == [f"trials/{trial_id}" for trial_id in (first, second, third)]
    assert {found.advice for found in findings} == {"run the sweep again: the trial is trained again"}
    assert examine(run) == []


def test_a_curve_without_its_last_epoch_is_found(run: RunDir) -> None:
    with_curve = min(set(run.trial_ids()) - {BEGUN})
    write_curve(run.trial(with_curve), CURVE[:1])
    [found] = examine(run)
    assert found.path == f"trials/{with_curve}/{CURVE_FILE}"


@pytest.mark.parametrize("name", ["proj", "trials/notes", "quarantine/2024", "images"])
def test_a_directory_that_is_no_runs_is_refused_and_left_as_it_is(tmp_path: Path, name: str) -> None:
    write_folder(tmp_path / "images")
    (tmp_path / name).mkdir(parents=True, exist_ok=True)
    (tmp_path / "study.json").write_text("{}")
    before = snapshot(tmp_path)
    with pytest.raises(RunDirError, match="Only run directories are examined"):
        examine(RunDir(tmp_path))
    assert snapshot(tmp_path) == before
    assert not (tmp_path / ".lock").exists()


def test_a_run_that_has_lost_its_sweep_file_is_examined(run: RunDir) -> None:
    garble(run.sweep_file)
    assert len(examine(run)) == 1
    assert examine(run) == []
    shutil.rmtree(run.path / "trials")
    run.study_file.write_text("{")
    assert [found.path for found in examine(run)] == ["study.json"]


def test_a_directory_of_images_that_is_no_store_stays(run: RunDir) -> None:
    write_folder(run.images)
    before = snapshot(run.path)
    assert examine(run) == []
    assert snapshot(run.path) == before


def test_a_directory_must_exist(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match="must exist"):
        examine(RunDir(tmp_path / "nowhere"))
