"""Replicates: which trials get them, and what is made of them."""

from __future__ import annotations

import dataclasses
import shutil
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpscale import families
from gpscale.errors import SweepFileError
from gpscale.execution import ReplayExecutor
from gpscale.factors import FACTOR_NAMES
from gpscale.run_dir import RunDir
from gpscale.study import Study
from gpscale.sweep import Plan, SweepConfig, fit_run, run_sweep
from gpscale.trial import Result, Trial

SPREAD = 0.01
SETTINGS: dict[str, Any] = {
    "base": "mobilevitv2_050@32",
    "trials": 10,
    "data": {"train_images": 100, "validation_images": 100},
    "fit": {"bootstrap": 3},
}


def noisy(trial: Trial) -> Result:
    """Answer with a top-1 that grows with MACs, and with noise that architecture and seed decide."""
    family = families.get(trial.family)
    row = family.row(family.architecture_from_dict(trial.architecture))[None]
    macs, params = (int(count[0]) for count in family.count(row, trial.num_classes))
    name = zlib.crc32(repr(sorted(trial.architecture.items())).encode())
    noise = np.random.default_rng([name, trial.seed]).normal(0, SPREAD)
    top1 = float(np.clip(0.3 + 0.1 * np.log(macs / 1e6) + noise, 0, 1))
    return Result(top1, (1 + top1) / 2, top1, (1 + top1) / 2, 1.0, 1.0, 1.0, 10, macs, params)


def run_noisy(path: Path, **settings: Any) -> tuple[Study, list[Plan]]:
    plans: list[Plan] = []
    config = SweepConfig.from_values({**SETTINGS, **settings})
    run_sweep(config, RunDir(path), ReplayExecutor(source=noisy), on_plan=plans.append)
    return Study(path), plans


def front_of(macs: Sequence[int], top1: Sequence[float]) -> list[int]:
    """Return the places of those that no other one beats, by looking at all pairs."""
    pairs = list(zip(macs, top1, strict=True))
    return [
        k
        for k, (cost, value) in enumerate(pairs)
        if not any(c <= cost and v >= value and (c, v) != (cost, value) for c, v in pairs)
    ]


@pytest.fixture(scope="module")
def replicated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, list[Plan]]:
    return run_noisy(tmp_path_factory.mktemp("runs") / "replicated", trials=24, replicates=3)


def top1_of(trial: Trial, seeds: Iterable[int]) -> float:
    return float(np.mean([noisy(dataclasses.replace(trial, seed=seed)).top1 for seed in seeds]))


def test_base_and_front_are_trained_again_with_the_next_seeds_and_what_is_on_the_front_then(
    replicated: tuple[Study, list[Plan]],
) -> None:
    study, (trials, *rounds) = replicated
    assert (trials.what, *(plan.what for plan in rounds)) == ("trials", *["replicates"] * len(rounds))
    assert len(rounds) >= 2
    macs = [noisy(trial).macs for trial in trials.trials]
    chosen: set[str] = set()
    for plan in rounds:
        means = [top1_of(trial, range(3 if trial.id in chosen else 1)) for trial in trials.trials]
        new = {trials.trials[k].id for k in (0, *front_of(macs, means))} - chosen
        first = {str(trial.architecture): trial.id for trial in trials.trials}
        for replicate, half in enumerate(np.array_split(np.array(plan.trials, dtype=object), 2), start=1):
            assert {trial.seed for trial in half} == {replicate}
            assert {first[str(trial.architecture)] for trial in half} == new
            assert len(half) == len(new)
        chosen |= new
    assert 3 <= len(chosen) < len(macs)
    assert len(study.trainings) == len(macs) + 2 * len(chosen)


def test_whatever_is_on_the_front_was_trained_as_often(replicated: tuple[Study, list[Plan]]) -> None:
    study, _ = replicated
    front = study.finished[study.finished["id"].isin(study.facts["pareto"]["front"])]
    assert len(front) >= 3
    assert set(front["trainings"]) == {3}


def test_a_sweep_that_goes_on_chooses_the_same_replicates(replicated: tuple[Study, list[Plan]], tmp_path: Path) -> None:
    study, plans = replicated
    run = RunDir(shutil.copytree(study.run.path, tmp_path / "run"))
    lost = plans[1].trials[-1].id
    run.record_file(lost).unlink()
    again: list[Plan] = []
    run_sweep(SweepConfig.load(run.sweep_file), run, ReplayExecutor(source=noisy), on_plan=again.append)
    assert [[trial.id for trial in plan.trials] for plan in again] == [
        [trial.id for trial in plan.trials] for plan in plans
    ]
    assert [trial.id for plan in again for trial in plan.pending] == [lost]


def test_a_front_of_first_seeds_is_replicated_once(tmp_path: Path) -> None:
    _, plans = run_noisy(tmp_path / "run", trials=24, replicates=3, fit={"bootstrap": 3, "pareto_values": "first"})
    assert [plan.what for plan in plans] == ["trials", "replicates"]


def test_failed_replicates_are_no_failed_architectures(tmp_path: Path) -> None:
    def answer(trial: Trial) -> Result:
        if trial.seed == 1:
            raise ValueError("no")
        return noisy(trial)

    config = SweepConfig.from_values({**SETTINGS, "replicates": 3})
    study = run_sweep(config, RunDir(tmp_path / "run"), ReplayExecutor(source=answer))
    assert (study.trials["state"] == "failed").sum() >= 2
    assert study.facts["trials"] == {"planned": 10, "finished": 10, "failed": 0, "stopped": 0}


def test_a_study_has_one_row_an_architecture_with_the_mean_of_its_trainings(
    replicated: tuple[Study, list[Plan]],
) -> None:
    study, (trials, *rounds) = replicated
    finished = study.finished
    assert set(finished["id"]) == {trial.id for trial in trials.trials}
    again = {str(trial.architecture) for plan in rounds for trial in plan.trials}
    for trial in trials.trials:
        row = finished.set_index("id").loc[trial.id]
        seeds = range(3) if str(trial.architecture) in again else range(1)
        tops = [noisy(Trial(**{**vars(trial), "seed": seed})).top1 for seed in seeds]
        assert row["trainings"] == len(tops)
        assert row["top1"] == pytest.approx(np.mean(tops))
        assert row["top1_first"] == tops[0]


def test_the_noise_between_seeds_is_measured_and_known_to_the_surface(replicated: tuple[Study, list[Plan]]) -> None:
    study, (trials, *rounds) = replicated
    replicates = [trial for plan in rounds for trial in plan.trials]
    found = study.facts["seed_noise"]["top1"]
    assert found["degrees"] == len(replicates)
    assert found["std"] == pytest.approx(SPREAD, rel=0.4)
    surface = study.joint_surface()
    assert len(surface.observations) == len(trials.trials) + len(replicates)
    assert surface.posterior.noise_std == pytest.approx(SPREAD, rel=0.5)
    # scores are of architectures, not of trainings
    assert study.diagnostics.n == len(trials.trials)
    np.testing.assert_allclose(
        study.diagnostics.measured, study.finished.set_index("id").loc[study.facts["surface_ids"], "top1"]
    )


@pytest.mark.parametrize("values", ["first", "mean", "posterior"])
def test_the_pareto_set_is_chosen_by_what_the_sweep_says(replicated: tuple[Study, list[Plan]], values: str) -> None:
    study, _ = replicated
    config = SweepConfig.load(study.run.sweep_file, [f"fit.pareto_values={values}"])
    again = fit_run(study.run, config, figures=False)
    finished = again.finished
    expected = {
        "first": finished["top1_first"],
        "mean": finished["top1"],
        "posterior": again.joint_surface().predict(finished[list(FACTOR_NAMES)]).mean,
    }[values]
    pareto = again.facts["pareto"]
    assert pareto["values"] == values
    np.testing.assert_allclose([pareto["top1"][trial_id] for trial_id in finished["id"]], expected)
    front = front_of(finished["macs"].tolist(), list(expected))
    assert set(pareto["front"]) == set(finished["id"].iloc[front])


def test_a_sweep_that_asks_for_replicates_later_trains_these_alone(tmp_path: Path) -> None:
    study, plans = run_noisy(tmp_path / "run")
    assert [plan.what for plan in plans] == ["trials"]
    assert study.facts["seed_noise"] == {"top1": None, "top5": None}
    assert (study.finished["trainings"] == 1).all()

    study, (trials, of_base) = run_noisy(tmp_path / "run", replicates=2, replicated=["base"])
    assert not trials.pending
    assert [trial.architecture for trial in of_base.trials] == [trials.trials[0].architecture]
    assert study.finished["trainings"].value_counts().to_dict() == {1: 9, 2: 1}

    _, (_, more, *_) = run_noisy(tmp_path / "run", replicates=3)
    # the first front is that of the first seeds, and the base has its second seed already
    assert more.trials[0] == of_base.trials[0]
    assert [trial.seed for trial in more.pending] == sorted(trial.seed for trial in more.pending)
    assert len(more.pending) == len(more.trials) - 1


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("replicates=0", r"`replicates`.*1"),
        ("replicated=[rear]", r"`replicated\.0` must be base or front\. Got .rear."),
        ("replicated=[]", r"`replicated` must say what `replicates: 3` is for\. Got \[\]\. Name base"),
    ],
)
def test_replicates_that_cannot_be_are_refused(setting: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text("base: mobilevitv2_050@32\nreplicates: 3\n")
    with pytest.raises(SweepFileError, match=message):
        SweepConfig.load(file, [setting])
