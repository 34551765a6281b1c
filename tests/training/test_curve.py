"""A learning curve is read back as it was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpscale.errors import RunDirError
from gpscale.training.curve import CURVE_FILE, CurveRow, read_curve, write_curve

ROWS = [CurveRow(epoch, 100 * epoch, 1 / 3, 0.1 * epoch, 0.1, 0.2, 1e-17, 0.3, 2 / 7) for epoch in (1, 2, 3)]


@pytest.mark.parametrize("durable", [True, False])
def test_a_curve_is_read_back_bit_for_bit(tmp_path: Path, durable: bool) -> None:
    write_curve(tmp_path, ROWS, durable=durable)
    assert read_curve(tmp_path) == ROWS
    assert [path.name for path in tmp_path.iterdir()] == [CURVE_FILE]


def test_a_trial_without_a_curve_has_no_rows(tmp_path: Path) -> None:
    assert read_curve(tmp_path) == []


@pytest.mark.parametrize("epochs", [2, 4])
def test_a_curve_of_another_number_of_epochs_is_damaged(tmp_path: Path, epochs: int) -> None:
    write_curve(tmp_path, ROWS)
    assert read_curve(tmp_path, 3) == ROWS
    with pytest.raises(RunDirError, match=f"Got ValueError: 3 rows that are not one for each epoch of {epochs}"):
        read_curve(tmp_path, epochs)


def test_a_curve_that_lacks_an_epoch_in_between_is_damaged(tmp_path: Path) -> None:
    write_curve(tmp_path, [ROWS[0], ROWS[2]])
    with pytest.raises(RunDirError, match="2 rows that are not one for each epoch"):
        read_curve(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-30],
        lambda text: text.replace("epoch", "epo"),
        lambda text: text.replace("0.3", "x"),
        lambda text: text.replace("\n1,", "\n1,1,"),
        lambda text: "\0" + text,
    ],
)
def test_a_damaged_curve_is_an_error_that_names_it(tmp_path: Path, damage: object) -> None:
    write_curve(tmp_path, ROWS)
    file = tmp_path / CURVE_FILE
    file.write_text(damage(file.read_text()))  # type: ignore[operator]
    with pytest.raises(RunDirError, match=r"curve\.csv must hold a learning curve\. Got .*gpscale doctor"):
        read_curve(tmp_path)
