"""Checkpoints: everything that is needed to take up a training where it stood, in one file that is complete or absent.

The file can be read with `torch.load(..., weights_only=True)`. torch does not notice a changed byte inside a tensor, so
the state lies in it as bytes beside their digest.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gpscale.atomic import atomic_file
from gpscale.errors import RunDirError
from gpscale.training.curve import CurveRow

CHECKPOINT_FILE = "checkpoint.pt"
SCHEMA = 1

logger = logging.getLogger(__name__)


class DamagedCheckpointError(RunDirError):
    """A checkpoint file is not what was written."""


@dataclasses.dataclass
class Position:
    """Where a training stands, and what it has gathered so far.

    Attributes:
        epoch: Epochs finished.
        step: Steps taken in the epoch that runs.
        loss_sum: Sum of the losses of these steps, nats.
        parts: How many micro-batches a batch goes in, since a graphics card was out of memory; 1 for whole batches.
        curve: One row for each finished epoch.
        train_seconds, evaluate_seconds: Time spent so far, interruptions left out.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    parts: int = 1
    curve: list[CurveRow] = dataclasses.field(default_factory=list)
    train_seconds: float = 0.0
    evaluate_seconds: float = 0.0


def save_checkpoint(directory: Path, trial_id: str, position: Position, states: dict[str, Any]) -> None:
    """Write the checkpoint of a trial, in place of an older one.

    Args:
        directory: The trial's directory.
        trial_id: The trial; another one cannot load it.
        position: Where it stands.
        states: `state_dict`s by name.

    Raises:
        StorageError: The file cannot be written.
    """
    buffer = io.BytesIO()
    torch.save({"schema": SCHEMA, "position": dataclasses.asdict(position), "states": states}, buffer)
    content = buffer.getbuffer()
    envelope = {
        "trial_id": trial_id,
        "digest": hashlib.sha256(content).hexdigest(),
        "content": torch.from_numpy(np.frombuffer(content, np.uint8)),
    }
    with atomic_file(directory / CHECKPOINT_FILE) as file:
        try:
            torch.save(envelope, file)
        except RuntimeError as error:
            # torch hides a failed write behind an error of its own
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def load_checkpoint(directory: Path, trial_id: str, device: torch.device) -> tuple[Position, dict[str, Any]] | None:
    """Read the checkpoint of a trial.

    A damaged one is reported as a warning and counts as absent: the trial then starts over, with the same result.

    Returns:
        Position and `state_dict`s by name; None when there is no usable checkpoint.

    Raises:
        RunDirError: The checkpoint is another trial's.
    """
    path = directory / CHECKPOINT_FILE
    if not path.exists():
        return None
    try:
        return read_checkpoint(path, trial_id, device)
    except DamagedCheckpointError as error:
        logger.warning("%s The trial starts over.", error)
        return None


def read_checkpoint(path: Path, trial_id: str, device: torch.device | str = "cpu") -> tuple[Position, dict[str, Any]]:
    """Read a checkpoint file.

    Returns:
        Position and `state_dict`s by name.

    Raises:
        DamagedCheckpointError: It is not what was written.
        RunDirError: The checkpoint is another trial's.
    """
    try:
        envelope = torch.load(path, map_location="cpu", weights_only=True)
        content = envelope["content"].numpy().tobytes()
        if hashlib.sha256(content).hexdigest() != envelope["digest"]:
            raise ValueError("its digest does not match")
        owner = envelope["trial_id"]
        saved = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
        if saved["schema"] != SCHEMA:
            raise ValueError(f"its schema is {saved['schema']}, not {SCHEMA}")
        fields = saved["position"]
        position = Position(**{**fields, "curve": [CurveRow(**row) for row in fields["curve"]]})
        states = saved["states"]
    except Exception as error:  # a damaged file makes torch raise almost anything
        raise DamagedCheckpointError(
            f"{path} must be a checkpoint. It is damaged: {' '.join(str(error).split())[:200]}."
        ) from error
    if owner != trial_id:
        raise RunDirError(
            f"{path} must belong to trial {trial_id}. It is of trial {owner}. Move it to its own trial, or delete it."
        )
    return position, states


def remove_checkpoint(directory: Path) -> None:
    """Remove the checkpoint of a trial, if there is one."""
    (directory / CHECKPOINT_FILE).unlink(missing_ok=True)
