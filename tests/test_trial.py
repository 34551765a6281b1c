"""Trials: identities that never change, records that are read back as they were."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from gpscale import trial as trial_module
from gpscale.run_dir import find_study, shipped_studies
from gpscale.trial import FailureReason, Result, Stop, Trial, TrialRecord, TrialState

TRIAL = Trial(
    family="mobilevitv2",
    architecture={"pixels": 64, "stem": 16, "channels": [32, 64, 128, 192, 256]},
    num_classes=10,
    recipe={"epochs": 3, "learning_rate": 0.002, "flip": True},
    data="digits-0123456789abcdef",
    seed=7,
)
RESULT = Result(
    top1=0.5,
    top5=0.1 + 0.2,
    top1_raw=1 / 3,
    top5_raw=0.875,
    validation_loss=1.25e-7,
    validation_loss_raw=2.0,
    train_loss=3.0,
    epochs=3,
    macs=29_000_000,
    params=1_116_163,
)
STOP = Stop("dominated", epoch=3, epochs=8, top1=0.4, optimistic=0.551, front=0.583, evidence=9)


def replaced(**changes: Any) -> Trial:
    return dataclasses.replace(TRIAL, **changes)


def test_the_id_of_a_known_trial_never_changes() -> None:
    # stored studies are continued by these ids: a failure means that every stored trial would be trained again
    assert TRIAL.id == "b9008bfd372c636e"


@pytest.mark.parametrize("study", shipped_studies())
def test_the_trials_of_a_shipped_study_still_have_their_stored_ids(study: str) -> None:
    for record in find_study(study).records():
        assert record.trial.id == record.id


def test_an_id_is_sixteen_hexadecimal_digits() -> None:
    assert len(TRIAL.id) == 16
    assert set(TRIAL.id) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "changes",
    [
        {"family": "other"},
        {"architecture": {**TRIAL.architecture, "pixels": 96}},
        {"num_classes": 11},
        {"recipe": {**TRIAL.recipe, "epochs": 4}},
        {"recipe": {**TRIAL.recipe, "mixup": 0.0}},
        {"data": "digits-other"},
        {"seed": 8},
    ],
)
def test_whatever_decides_the_result_changes_the_id(changes: dict[str, Any]) -> None:
    assert replaced(**changes).id != TRIAL.id


def test_the_order_of_keys_and_tuples_for_lists_leave_the_id_alone() -> None:
    recipe = dict(reversed(list(TRIAL.recipe.items())))
    architecture = {**TRIAL.architecture, "channels": tuple(TRIAL.architecture["channels"])}
    assert replaced(recipe=recipe, architecture=architecture).id == TRIAL.id


def test_a_recipe_field_that_came_later_leaves_the_id_alone_at_its_old_behaviour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(trial_module.NEUTRAL_RECIPE_VALUES, "mixup", 0.0)
    assert replaced(recipe={**TRIAL.recipe, "mixup": 0.0}).id == TRIAL.id
    assert replaced(recipe={**TRIAL.recipe, "mixup": 0.2}).id != TRIAL.id


def test_a_recipe_that_is_not_a_number_has_no_id() -> None:
    with pytest.raises(ValueError, match="JSON"):
        _ = replaced(recipe={"learning_rate": float("nan")}).id


def test_a_trial_is_read_back_from_json() -> None:
    again = Trial.from_dict(json.loads(json.dumps(TRIAL.to_dict())))
    assert again == TRIAL
    assert again.id == TRIAL.id


@pytest.mark.parametrize(
    "record",
    [
        TrialRecord(TRIAL.id, TRIAL, RESULT, measured={"seconds": 1.5, "host": "here"}),
        TrialRecord(TRIAL.id, TRIAL, None, FailureReason.OUT_OF_MEMORY, "Killed by signal 9."),
        TrialRecord("0" * 16, TRIAL, RESULT),
        TrialRecord(TRIAL.id, TRIAL, None, stopped=STOP, measured={"trained": {"epochs": 5}}),
    ],
)
def test_a_record_is_read_back_from_json_bit_for_bit(record: TrialRecord) -> None:
    again = TrialRecord.from_dict(json.loads(json.dumps(record.to_dict())))
    assert again == record
    assert again.state is record.state
    assert again.failure is record.failure


def test_a_stored_id_is_kept_even_where_it_would_be_another_today() -> None:
    record = TrialRecord("0123456789abcdef", TRIAL, RESULT)
    assert TrialRecord.from_dict(record.to_dict()).id == "0123456789abcdef"


def test_a_record_keeps_result_and_measured_apart() -> None:
    values = TrialRecord(TRIAL.id, TRIAL, RESULT, measured={"seconds": 1.5}).to_dict()
    assert values["identity"] == TRIAL.to_dict()
    tested = ("test_top1", "test_top5", "test_loss")
    assert values["result"] == {key: value for key, value in dataclasses.asdict(RESULT).items() if key not in tested}
    assert values["measured"] == {"seconds": 1.5}
    assert values["state"] == "finished"


def test_a_record_of_a_stopped_trial_says_when_and_why() -> None:
    record = TrialRecord(TRIAL.id, TRIAL, None, stopped=STOP)
    assert record.state is TrialState.STOPPED
    values = record.to_dict()
    assert (values["state"], values["result"], values["failure"]) == ("stopped", None, None)
    assert values["stopped"] == dataclasses.asdict(STOP)
    assert str(STOP) == "after epoch 3 of 8: top-1 40.0%, in the end at best 55.1%; the front has 58.3% at its MACs"


def test_a_record_of_an_earlier_version_is_of_a_trial_that_was_not_stopped() -> None:
    values = TrialRecord(TRIAL.id, TRIAL, RESULT).to_dict()
    del values["stopped"]
    assert TrialRecord.from_dict(values) == TrialRecord(TRIAL.id, TRIAL, RESULT)


def test_a_record_without_a_result_has_failed() -> None:
    record = TrialRecord(TRIAL.id, TRIAL, None, FailureReason.DIVERGED, "The loss is not finite.")
    assert record.state is TrialState.FAILED
    assert record.to_dict()["failure"] == {"reason": "diverged", "detail": "The loss is not finite."}


@pytest.mark.parametrize(
    "damage",
    [
        lambda values: values.pop("identity"),
        lambda values: values.update(identity=None),
        lambda values: values["identity"].pop("seed"),
        lambda values: values.update(result={"top1": 0.5}),
        lambda values: values["result"].update(extra=1),
        lambda values: values.update(failure={"reason": "bored", "detail": ""}),
        lambda values: values.pop("measured"),
    ],
)
def test_a_damaged_record_is_not_read(damage: Any) -> None:
    values = json.loads(json.dumps(TrialRecord(TRIAL.id, TRIAL, RESULT).to_dict()))
    damage(values)
    with pytest.raises((KeyError, TypeError, ValueError)):
        TrialRecord.from_dict(values)
