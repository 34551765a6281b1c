from __future__ import annotations

from typing import Any

import pytest

from gpscale import families
from gpscale.errors import SweepFileError
from gpscale.sweep import SweepConfig, count_classes, plan_architectures, plan_trials
from gpscale.trial import Trial

BASE = "mobilevitv2_050@64"


def config(**values: Any) -> SweepConfig:
    return SweepConfig.from_values({"base": BASE, **values})


@pytest.mark.parametrize(
    "sampler",
    [
        {"name": "sobol"},
        {"name": "random"},
        {"name": "line", "compensate": ["width", "ir_depth", "vit_depth"]},
        {"name": "grid", "tolerance": 0.1},
    ],
    ids=lambda sampler: sampler["name"],
)
def test_a_longer_plan_begins_with_a_shorter_one(sampler: dict[str, Any]) -> None:
    short, long = (
        [trial.id for trial in plan_trials(config(trials=trials, sampler=sampler), 10, "data")] for trials in (4, 6)
    )
    assert long[:4] == short
    assert len(set(long)) == 6


def test_eight_trials_are_the_first_of_twelve() -> None:
    eight, twelve = (plan_trials(config(trials=trials), 10, "data") for trials in (8, 12))
    assert twelve[:8] == eight


def test_the_base_comes_first_and_the_ends_of_the_band_next() -> None:
    sweep = config(trials=5)
    plan = plan_architectures(sweep, 10)
    base = families.parse_base(BASE)
    assert plan[0] == base.architecture
    family = families.get(base.family)
    macs = [int(family.count(family.row(architecture)[None], 10)[0][0]) for architecture in plan]
    assert macs[1] == pytest.approx(0.2 * macs[0], rel=0.03)
    assert macs[2] == pytest.approx(1.1 * macs[0], rel=0.03)
    assert all(0.2 <= count / macs[0] <= 1.1 for count in macs)


def test_a_seed_decides_the_plan_and_enters_every_trial() -> None:
    first, again, other = (plan_architectures(config(trials=8, seed=seed), 10) for seed in (0, 0, 1))
    assert first == again != other
    assert {trial.seed for trial in plan_trials(config(trials=8, seed=7), 10, "data")} == {7}


def test_a_trial_holds_all_that_decides_its_result() -> None:
    sweep = config(trials=1, recipe={"epochs": 3})
    [trial] = plan_trials(sweep, 10, "fingerprint")
    assert trial == Trial(
        "mobilevitv2",
        families.parse_base(BASE).architecture.to_dict(),
        10,
        sweep.recipe.model_dump(mode="json"),
        "fingerprint",
        0,
    )
    ids = {
        trial.id,
        plan_trials(config(trials=1), 10, "fingerprint")[0].id,
        plan_trials(sweep, 11, "fingerprint")[0].id,
        plan_trials(sweep, 10, "other")[0].id,
    }
    assert len(ids) == 4


def test_classes_are_counted_from_the_images() -> None:
    assert count_classes(config()) == 10
    assert count_classes(config(num_classes=10)) == 10
    with pytest.raises(SweepFileError, match="Got 4, but source 'digits' has 10"):
        count_classes(config(num_classes=4))
