"""The learning curve: one row for each finished epoch."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path

from gpscale.atomic import atomic_file
from gpscale.errors import RunDirError

CURVE_FILE = "curve.csv"


@dataclasses.dataclass(frozen=True)
class CurveRow:
    """One epoch. Without an average of the weights, the `ema_` fields repeat the plain ones.

    Attributes:
        epoch: From 1.
        images: Training images seen so far.
        train_loss: Mean loss of the epoch's steps, nats, label smoothing included.
        validation_loss, top1, top5: Of the weights themselves; nats, fractions in [0, 1].
        ema_validation_loss, ema_top1, ema_top5: Of the averaged weights.
    """

    epoch: int
    images: int
    train_loss: float
    validation_loss: float
    top1: float
    top5: float
    ema_validation_loss: float
    ema_top1: float
    ema_top5: float


def write_curve(directory: Path, rows: Sequence[CurveRow], *, durable: bool = True) -> None:
    """Write all rows atomically; floats are written so that they are read back exactly.

    Args:
        directory: The trial's directory.
        rows: One for each epoch.
        durable: As in `atomic_file`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in dataclasses.fields(CurveRow))
    writer.writerows([repr(value) for value in dataclasses.astuple(row)] for row in rows)
    with atomic_file(directory / CURVE_FILE, durable=durable) as file:
        file.write(text.getvalue().encode())


def read_curve(directory: Path, epochs: int | None = None) -> list[CurveRow]:
    """Return the rows of a trial's learning curve, none if it has no curve.

    Args:
        directory: The trial's directory.
        epochs: How many it must have, if it has any; None for any number.

    Raises:
        RunDirError: The file is damaged.
    """
    file = directory / CURVE_FILE
    if not file.exists():
        return []
    try:
        rows = [
            CurveRow(int(row.pop("epoch")), int(row.pop("images")), **{name: float(row[name]) for name in row})
            for row in csv.DictReader(io.StringIO(file.read_text()), strict=True)
        ]
        if [row.epoch for row in rows] != list(range(1, 1 + (len(rows) if epochs is None else epochs))):
            raise ValueError(
                f"{len(rows)} rows that are not one for each epoch{'' if epochs is None else f' of {epochs}'}"
            )
        return rows
    except (csv.Error, AttributeError, KeyError, TypeError, ValueError) as error:
        raise RunDirError(
            f"{file} must hold a learning curve. Got {type(error).__name__}: {error}. "
            "Run `gpscale doctor` on the run directory: it moves the damaged file away."
        ) from None
