"""Trials: what is trained, what came out. Immutable records, no input or output.

A trial's id is a hash of everything that decides its result. Ids that are stored are never recomputed, and a recipe
field that is added later does not enter the hash while it has its old behaviour (`NEUTRAL_RECIPE_VALUES`).
"""

from __future__ import annotations

import dataclasses
import enum
import json
import math
from collections.abc import Mapping
from typing import Any

from gpscale.errors import UnknownNameError

SCHEMA = 1

OUTCOMES = ("top1", "top5")
"""Accuracies that a trial is measured by and surfaces are fitted to."""

NEUTRAL_RECIPE_VALUES: dict[str, object] = {}
"""Recipe fields added after schema 1, each with the value that means "as before"; left out of the hash then."""


class TrialState(enum.StrEnum):
    """Where a trial stands. `FINISHED`, `STOPPED` and `FAILED` are final."""

    PENDING = "pending"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"


class FailureReason(enum.StrEnum):
    """Why a trial has no result."""

    OUT_OF_MEMORY = "out_of_memory"
    DIVERGED = "diverged"
    CRASHED = "crashed"
    TIMEOUT = "timeout"


def architecture_key(architecture: Mapping[str, Any]) -> str:
    """Return the text that equal architectures of a family share, and others do not.

    Args:
        architecture: As JSON values.

    Example:
        >>> architecture_key({"width": 8, "pixels": 64})
        '{"pixels": 64, "width": 8}'
    """
    return json.dumps(architecture, sort_keys=True)


@dataclasses.dataclass(frozen=True)
class Trial:
    """One architecture, to be trained once with one seed and one recipe.

    Attributes:
        family: Name of the family, for example `"mobilevitv2"`.
        architecture: The integers that get built, as JSON values (`Architecture.to_dict()`).
        num_classes: Outputs of the classifier.
        recipe: Everything else that fixes the training, as JSON values.
        data: Fingerprint of the images, their split included.
        seed: Fixes weights, data order and augmentation.
    """

    family: str
    architecture: Mapping[str, Any]
    num_classes: int
    recipe: Mapping[str, Any]
    data: str
    seed: int

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits that name the trial."""
        # imported here because it loads OpenSSL, and a recommendation makes no ids
        import hashlib

        identity = self.to_dict()
        identity["recipe"] = {
            key: value
            for key, value in identity["recipe"].items()
            if not (key in NEUTRAL_RECIPE_VALUES and NEUTRAL_RECIPE_VALUES[key] == value)
        }
        canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """Return the identity as JSON values."""
        return {"schema": SCHEMA, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Trial:
        """Read a trial written by `to_dict`."""
        return cls(**{field.name: values[field.name] for field in dataclasses.fields(cls)})


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """What a training gives; equal bit for bit when repeated on the same build, device and precision.

    Attributes:
        top1, top5: Fractions in [0, 1] of the validation images; last epoch, EMA weights.
        top1_raw, top5_raw: The same without EMA.
        validation_loss, validation_loss_raw: Cross-entropy in nats, with and without EMA.
        train_loss: Mean training loss of the last epoch (label smoothing included).
        epochs: Epochs trained.
        test_top1, test_top5: Fractions of the test images, EMA weights; None where none were looked at.
        test_loss: Cross-entropy on them, nats; None where none were looked at.
    """

    top1: float
    top5: float
    top1_raw: float
    top5_raw: float
    validation_loss: float
    validation_loss_raw: float
    train_loss: float
    epochs: int
    test_top1: float | None = dataclasses.field(default=None, kw_only=True)
    test_top5: float | None = dataclasses.field(default=None, kw_only=True)
    test_loss: float | None = dataclasses.field(default=None, kw_only=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values, without the test images' where none were looked at."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}


@dataclasses.dataclass(frozen=True)
class Result(TrainingResult):
    """What a finished trial gives: what its training does, and what it costs.

    Attributes:
        macs: Multiply-accumulates of one image.
        params: Trainable parameters.
    """

    macs: int
    params: int


@dataclasses.dataclass(frozen=True)
class Stop:
    """Why a trial was not to be trained to its end; equal bit for bit when repeated, as a result is.

    Attributes:
        rule: Name of the rule that said so.
        epoch, epochs: After which epoch it counts as stopped, and of how many.
        top1: Its top-1 then, EMA weights, a fraction in [0, 1].
        optimistic: The most that its final top-1 was thought to become.
        front: The best final top-1 of earlier trials with at most its MACs.
        evidence: Earlier trials whose learning curves say how much can be gained.
    """

    rule: str
    epoch: int
    epochs: int
    top1: float
    optimistic: float
    front: float
    evidence: int

    def __str__(self) -> str:
        return (
            f"after epoch {self.epoch} of {self.epochs}: top-1 {self.top1:.1%}, in the end at best "
            f"{self.optimistic:.1%}; the front has {self.front:.1%} at its MACs"
        )


@dataclasses.dataclass(frozen=True)
class TrialRecord:
    """What is kept of a trial: its identity, and a result or the reason why there is none.

    Attributes:
        id: The trial's id when it was planned; stored, never recomputed.
        trial: The identity.
        result: None unless the trial finished.
        failure: None unless the trial failed.
        detail: The error in one line, when the trial failed.
        measured: Times, host and the like, which differ between repetitions. Of a trial that counts as stopped,
            `trained` says what was trained all the same, while earlier trials had not ended: `epochs`, and `result` or
            `failure` if it came so far.
        stopped: None unless the trial was stopped.
    """

    id: str
    trial: Trial
    result: Result | None
    failure: FailureReason | None = None
    detail: str = ""
    measured: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    stopped: Stop | None = None

    @property
    def state(self) -> TrialState:
        """`FINISHED`, `STOPPED` or `FAILED`."""
        if self.result is not None:
            return TrialState.FINISHED
        return TrialState.FAILED if self.stopped is None else TrialState.STOPPED

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON values in three parts: identity, result, measured."""
        return {
            "id": self.id,
            "state": str(self.state),
            "identity": self.trial.to_dict(),
            "result": self.result.to_dict() if self.result else None,
            "failure": {"reason": str(self.failure), "detail": self.detail} if self.failure else None,
            "stopped": dataclasses.asdict(self.stopped) if self.stopped else None,
            "measured": dict(self.measured),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrialRecord:
        """Read a record written by `to_dict`.

        Raises:
            KeyError, TypeError, ValueError: The values are not those of a record.
        """
        result, failure = values["result"], values["failure"]
        # records of earlier versions have none
        stopped = values.get("stopped")
        if sum(outcome is not None for outcome in (result, failure, stopped)) != 1:
            raise ValueError("it must have a `result`, a `failure` or `stopped`, and one of them alone")
        record = cls(
            id=values["id"],
            trial=Trial.from_dict(values["identity"]),
            result=None if result is None else Result(**result),
            failure=None if failure is None else FailureReason(failure["reason"]),
            detail="" if failure is None else failure["detail"],
            measured=dict(values["measured"]),
            stopped=None if stopped is None else Stop(**stopped),
        )
        if values["state"] != record.state:
            raise ValueError(f"its `state` must be {str(record.state)!r}. Got {values['state']!r}")
        if not record.trial.architecture:
            raise ValueError("its `architecture` must not be empty")
        _check_numbers(record.result or record.stopped)
        return record


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a running trial is.

    Attributes:
        trial_id: The trial's id.
        epoch, epochs: Epochs finished, and in all.
        images, images_total: Training images seen, and in all epochs together.
        images_per_second: Training speed since the last report, validation left out.
        loss: Training loss of the last reported step, nats.
    """

    trial_id: str
    epoch: int
    epochs: int
    images: int
    images_total: int
    images_per_second: float
    loss: float


def _check_numbers(outcome: Result | Stop | None) -> None:
    """Check what was read from a file.

    Raises:
        ValueError: A number is absent or not finite, or an accuracy is no fraction.
    """
    for name, value in dataclasses.asdict(outcome).items() if outcome is not None else ():
        if name == "rule" or (name.startswith("test_") and value is None):
            continue
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"`{name}` must be a finite number. Got {value!r}")
        if ("top" in name or name == "front") and not 0 <= value <= 1:
            raise ValueError(f"`{name}` must be a fraction in [0, 1]. Got {value!r}")


def check_outcome(name: object) -> str:
    """Return `name` if it is an outcome.

    Raises:
        UnknownNameError: It is not.
    """
    if name not in OUTCOMES:
        raise UnknownNameError.of("outcome", name, OUTCOMES)
    return str(name)
