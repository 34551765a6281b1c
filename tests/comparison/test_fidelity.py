"""Which trials are trained for longer, what is kept of them, what the verdict says; trainings end at once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpscale.comparison.fidelity import choose, measure_fidelity, run_fidelity
from gpscale.errors import DataError, FitError, RunDirError
from gpscale.run_dir import RunDir
from gpscale.study import Study
from gpscale.sweep import SweepConfig, fit_run
from gpscale.trial import FailureReason
from tests.comparison.instant import SETTINGS, Instant, LongLaw, write_study
from tests.synthetic_runs import snapshot


def fidelity_of(study: Study) -> dict[str, Any]:
    assert study.fidelity is not None
    return dict(study.fidelity)


def chosen_ids(run: RunDir) -> list[str]:
    return [row["id"] for row in fidelity_of(Study(run))["trials"]]


def test_the_same_architectures_are_trained_with_all_the_same_but_the_epochs(tmp_path: Path) -> None:
    run = write_study(tmp_path / "study")
    executor = Instant()
    study = run_fidelity(run, executor, trials=5, factor=3)
    rows = fidelity_of(study)["trials"]
    assert len(rows) == len(executor.jobs) == 5
    for row, job in zip(rows, executor.jobs, strict=True):
        short, long = run.record(row["id"]), run.fidelity.record(row["long_id"])
        assert short is not None
        assert long is not None
        assert job.trial == long.trial
        assert long.trial.to_dict() == {**short.trial.to_dict(), "recipe": {**short.trial.recipe, "epochs": 6}}
        assert short.result is not None
        assert row["top1"] == short.result.top1
        assert row["c"] == pytest.approx(float(study.finished.set_index("id").loc[row["id"], "c"]))
        built = short.trial.architecture
        assert row["depth"] == sum(built["ir_blocks"]) + sum(built["vit_layers"])
    assert (fidelity_of(study)["epochs"], fidelity_of(study)["long_epochs"]) == (2, 6)


def test_the_chosen_ones_span_c_and_depth(tmp_path: Path) -> None:
    run = write_study(tmp_path / "study", trials=30)
    chosen = choose(run, 8)
    everyone = choose(run, 30)
    for key in ("c", "depth"):
        values, few = ([getattr(one, key) for one in ones] for ones in (everyone, chosen))
        assert max(few) - min(few) > 0.8 * (max(values) - min(values))
    assert everyone[:8] == chosen


def test_the_long_trainings_are_a_run_directory_that_shares_the_images(tmp_path: Path) -> None:
    run = write_study(tmp_path / "study")
    before = snapshot(run.path / "trials")
    executor = Instant()
    run_fidelity(run, executor, trials=5)
    assert {job.images for job in executor.jobs} == {run.images}
    assert (run.images / "meta.json").exists()
    assert not run.fidelity.images.exists()
    long = Study(run.fidelity)
    assert len(long.finished) == 5
    assert set(long.finished["epochs"]) == {8}
    assert long.base == Study(run).base
    assert long.status()["trials"] == {"finished": 5, "interrupted": 0, "pending": 0}
    assert snapshot(run.path / "trials") == before
    assert len(Study(run).trials) == SETTINGS["trials"]


def test_no_long_training_is_stopped_early(tmp_path: Path) -> None:
    run = write_study(tmp_path / "study", stop="dominated")
    run_fidelity(run, Instant(), trials=3)
    assert SweepConfig.load(run.sweep_file).stop == "dominated"
    assert SweepConfig.load(run.fidelity.sweep_file).stop is None


@pytest.mark.parametrize(
    ("law", "tau", "words"),
    [
        (lambda macs: 0.3 + macs / 100, 1.0, "Short trainings rank as long ones do."),
        (lambda macs: 0.9 - macs / 100, -1.0, "Below 0.6: not for deployment."),
    ],
    ids=["same order", "opposite order"],
)
def test_the_verdict_follows_from_the_rankings(tmp_path: Path, law: LongLaw, tau: float, words: str) -> None:
    run = write_study(tmp_path / "study")
    found = fidelity_of(run_fidelity(run, Instant(law), trials=8))
    assert found["overall"]["tau"] == found["within"]["tau"] == tau
    assert found["overall"]["n"] == found["compared"] == 8
    assert (found["within"]["pairs"], len(found["within"]["bins"])) == (7, 3)
    assert found["for_deployment"] is (tau == 1)
    assert found["verdict"].startswith(
        f"Fidelity, 2 against 8 epochs, 8 trials: Kendall's tau {tau:.2f} (95 % interval"
    )
    assert found["verdict"].endswith(words)


def test_an_order_that_holds_between_sizes_alone_is_not_for_deployment(tmp_path: Path) -> None:
    run = write_study(tmp_path / "study")
    c = np.array([one.c for one in choose(run, 8)])
    ranks = np.empty(8, dtype=int)
    # pairs of neighbours change places, which leaves every other pair as it was
    ranks[np.argsort(c)] = [1, 0, 2, 4, 3, 5, 7, 6]
    base = Study(run).base.macs
    accuracies = {round(value * base): 0.5 + 0.01 * rank for value, rank in zip(c, ranks, strict=True)}
    found = fidelity_of(run_fidelity(run, Instant(lambda macs: accuracies[round(macs * 1e6)]), trials=8))
    assert found["overall"]["tau"] == pytest.approx((28 - 6) / 28)
    assert found["within"]["tau"] == pytest.approx((7 - 6) / 7)
    assert found["for_deployment"] is False
    assert found["verdict"].endswith("At about equal MACs below 0.6: not for deployment.")


def test_a_few_pairs_in_order_are_not_enough(tmp_path: Path) -> None:
    run = write_study(tmp_path / "study")
    found = fidelity_of(run_fidelity(run, Instant(), trials=4))
    assert found["overall"]["tau"] == 1
    assert found["for_deployment"] is False
    assert found["verdict"].endswith("Too few trials to be sure: not for deployment yet.")


def test_what_is_finished_after_a_kill_is_compared_and_the_same_call_goes_on(tmp_path: Path) -> None:
    run = write_study(tmp_path / "study")
    with pytest.raises(KeyboardInterrupt):
        run_fidelity(run, Instant(dies_after=5), trials=8)
    first = chosen_ids(run)
    assert len(first) == 8
    measure_fidelity(run)
    partial = fidelity_of(Study(run))
    assert [row["state"] for row in partial["trials"]] == ["finished"] * 5 + ["pending"] * 3
    assert partial["overall"]["n"] == 5
    assert "5 of 8 chosen trials" in partial["verdict"]
    executor = Instant()
    found = fidelity_of(run_fidelity(run, executor, trials=8))
    assert len(executor.jobs) == 3
    assert chosen_ids(run) == first
    undisturbed = write_study(tmp_path / "undisturbed")
    assert found == fidelity_of(run_fidelity(undisturbed, Instant(), trials=8))


def test_the_choice_stays_when_more_trials_finish_or_more_are_asked_for(tmp_path: Path) -> None:
    run = write_study(tmp_path / "study", finished=7, trials=20)
    run_fidelity(run, Instant(), trials=4)
    first = chosen_ids(run)
    write_study(tmp_path / "study", trials=20)
    executor = Instant()
    run_fidelity(run, executor, trials=4)
    assert executor.jobs == []
    assert chosen_ids(run) == first
    run_fidelity(run, executor, trials=6)
    assert len(executor.jobs) == 2
    assert chosen_ids(run)[:4] == first
    # fewer leave none out
    run_fidelity(run, executor, trials=3)
    assert len(chosen_ids(run)) == 6


def test_a_long_training_that_fails_is_shown_left_out_and_run_again_when_asked(tmp_path: Path) -> None:
    run = write_study(tmp_path / "study")
    largest = max(one.c for one in choose(run, 6)) * Study(run).base.macs / 1e6
    law: LongLaw = lambda macs: None if macs > 0.99 * largest else 0.3 + macs / 100  # noqa: E731
    found = fidelity_of(run_fidelity(run, Instant(law), trials=6))
    [failed] = [row for row in found["trials"] if row["state"] == "failed"]
    assert (failed["reason"], failed["long_top1"], found["compared"]) == ("out_of_memory", None, 5)
    again = Instant()
    assert fidelity_of(run_fidelity(run, again, trials=6)) == found
    assert again.jobs == []
    mended = fidelity_of(run_fidelity(run, again, trials=6, retry=[FailureReason.OUT_OF_MEMORY]))
    assert [job.trial.id for job in again.jobs] == [failed["long_id"]]
    assert mended["compared"] == 6


def test_a_copy_without_images_goes_on_where_they_lie_elsewhere(tmp_path: Path) -> None:
    run = write_study(tmp_path / "study")
    run_fidelity(run, Instant(), trials=4)
    copy = RunDir(tmp_path / "copy")
    shutil.copytree(run.path, copy.path, ignore=shutil.ignore_patterns("images", ".lock"))
    executor = Instant()
    run_fidelity(copy, executor, trials=5, overrides=["data.root=/somewhere/else"])
    assert len(executor.jobs) == 1
    # a study names no machine's folders
    for file in (copy.sweep_file, copy.fidelity.sweep_file):
        assert SweepConfig.load(file).data.root is None


def test_a_summary_and_a_fit_know_of_it(tmp_path: Path) -> None:
    run = write_study(tmp_path / "study", fit={"pareto_share": 0.5})
    assert Study(run).fidelity is None
    assert fit_run(run, figures=False).summary()["fidelity"] is None
    measure_fidelity(run)
    assert not run.fidelity.path.exists()
    run_fidelity(run, Instant(), trials=5)
    assert json.loads(json.dumps(Study(run).summary()))["fidelity"] == Study(run).fidelity


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"trials": 13}, FitError, "Got 12 in .* asked for 13"),
        ({"overrides": ["recipe.batch_size=50"]}, RunDirError, "Got other values of recipe.batch_size"),
        ({"overrides": ["trials=3"]}, RunDirError, "Got other values of trials"),
        ({"overrides": ["data.source=folder"]}, RunDirError, "Got other values of data.source"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    run = write_study(tmp_path / "study")
    before = snapshot(run.path)
    with pytest.raises(error, match=words):
        run_fidelity(run, Instant(), **options)
    assert snapshot(run.path) == before
    assert not run.fidelity.path.exists()


def test_trainings_of_another_length_are_refused(tmp_path: Path) -> None:
    run = write_study(tmp_path / "study")
    run_fidelity(run, Instant(), trials=4, factor=5)
    before = snapshot(run.path)
    with pytest.raises(RunDirError, match="holds 5 times .* asked for 4. Give --epochs-factor 5"):
        run_fidelity(run, Instant(), trials=4)
    assert snapshot(run.path) == before


def test_other_images_are_refused(tmp_path: Path) -> None:
    run = write_study(tmp_path / "study")
    provenance = json.loads(run.provenance_file.read_text())
    provenance["data"]["fingerprint"] = "of others"
    run.provenance_file.write_text(json.dumps(provenance))
    executor = Instant()
    with pytest.raises(RunDirError, match="was begun with others"):
        run_fidelity(run, executor, trials=4)
    assert executor.jobs == []


def test_images_that_are_not_there_are_named(tmp_path: Path) -> None:
    run = write_study(tmp_path / "study")
    text = run.sweep_file.read_text().replace("source: digits", "source: parquet")
    run.sweep_file.write_text(text.replace("root: null", f"root: {tmp_path / 'nowhere'}"))
    with pytest.raises(DataError, match="nowhere"):
        run_fidelity(run, Instant(), trials=4)
    assert not run.fidelity.path.exists()


def test_a_sweep_that_runs_keeps_others_out(tmp_path: Path) -> None:
    run = write_study(tmp_path / "study")
    with run.locked(), pytest.raises(RunDirError, match="Another one is running there"):
        run_fidelity(run, Instant(), trials=4)
