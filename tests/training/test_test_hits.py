"""Which test images a training gets right, as a text file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpscale.errors import RunDirError
from gpscale.training.test_hits import TEST_HITS_FILE, read_test_hits, read_top5_hits, write_test_hits

HITS = np.random.default_rng(0).random((2, 13)) < 0.5


def test_hits_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_test_hits(tmp_path, *HITS)
    np.testing.assert_array_equal(read_test_hits(tmp_path), HITS[0])
    np.testing.assert_array_equal(read_top5_hits(tmp_path), HITS[1])


def test_files_of_earlier_versions_have_none_of_the_five_likeliest_classes(tmp_path: Path) -> None:
    write_test_hits(tmp_path, HITS[0])
    np.testing.assert_array_equal(read_test_hits(tmp_path), HITS[0])
    assert read_top5_hits(tmp_path) is None


@pytest.mark.parametrize(
    "text", ["", "13 images\n", "13 images\nff\n", "13 images\nffff\nff\n", "13 images\n" + 3 * "ff\n"]
)
def test_a_damaged_file_is_an_error_that_says_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / TEST_HITS_FILE).write_text(text)
    for read in (read_test_hits, read_top5_hits):
        with pytest.raises(RunDirError, match="Remove the trial's directory"):
            read(tmp_path)
