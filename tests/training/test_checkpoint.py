import logging
import resource

import pytest
import torch

from gpscale.errors import RunDirError, StorageError
from gpscale.training.checkpoint import CHECKPOINT_FILE, Position, load_checkpoint, remove_checkpoint, save_checkpoint
from gpscale.training.curve import CurveRow

CPU = torch.device("cpu")
ROW = CurveRow(1, 320, 2.1, 2.0, 0.3, 0.9, 1.9, 0.35, 0.95)


def saved(directory):
    position = Position(epoch=1, step=4, loss_sum=0.1 + 0.2, curve=[ROW], train_seconds=1.5)
    states = {"model": {"weight": torch.arange(5000.0)}}
    save_checkpoint(directory, "a", position, states)
    return position, states


def test_a_checkpoint_is_read_back_exactly(tmp_path):
    position, states = saved(tmp_path)
    read_position, read_states = load_checkpoint(tmp_path, "a", CPU)
    assert read_position == position
    assert torch.equal(read_states["model"]["weight"], states["model"]["weight"])
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_FILE]


def test_a_checkpoint_holds_nothing_but_tensors_and_plain_values(tmp_path):
    saved(tmp_path)
    assert torch.load(tmp_path / CHECKPOINT_FILE, weights_only=True)["trial_id"] == "a"


def test_the_checkpoint_of_another_trial_is_refused(tmp_path):
    saved(tmp_path)
    with pytest.raises(RunDirError, match=r"must belong to trial b\. It is of trial a"):
        load_checkpoint(tmp_path, "b", CPU)


def flipped_bit(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [flipped_bit, lambda content: content[: len(content) // 2], lambda _: b"", lambda _: b"no checkpoint at all"],
    ids=["flipped_bit", "truncated", "empty", "garbage"],
)
def test_a_damaged_checkpoint_is_reported_and_counts_as_absent(tmp_path, caplog, damage):
    saved(tmp_path)
    path = tmp_path / CHECKPOINT_FILE
    path.write_bytes(damage(path.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert load_checkpoint(tmp_path, "a", CPU) is None
    assert "starts over" in caplog.text


def test_a_removed_checkpoint_is_absent_and_removing_none_is_no_error(tmp_path):
    saved(tmp_path)
    remove_checkpoint(tmp_path)
    remove_checkpoint(tmp_path)
    assert load_checkpoint(tmp_path, "a", CPU) is None


def test_a_failed_write_keeps_the_old_checkpoint_and_leaves_no_other_file(tmp_path):
    position, _ = saved(tmp_path)
    with pytest.raises(Exception, match=r"(?i)pickle"):
        save_checkpoint(tmp_path, "a", position, {"model": lambda: None})
    assert load_checkpoint(tmp_path, "a", CPU)[0] == position
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_FILE]


def test_a_checkpoint_that_finds_no_room_keeps_the_old_one_and_says_so(tmp_path):
    position, states = saved(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(StorageError, match=r"checkpoint\.pt must be writable\. Got: File too large\. Make room"):
            save_checkpoint(tmp_path, "a", Position(epoch=2), states)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert load_checkpoint(tmp_path, "a", CPU)[0] == position
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_FILE]
