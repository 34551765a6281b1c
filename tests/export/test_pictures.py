"""Real images to compare on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gpscale.errors import DataError, SweepFileError
from gpscale.export.pictures import read_pictures
from gpscale.training.augment import Augmentation
from gpscale.training.recipe import Recipe
from tests.training.data.made_images import write_folder


def test_images_are_spread_over_all_classes(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "images", per_class=6)
    every = read_pictures(str(folder), 12, 16).pixels
    some = read_pictures(str(folder), 3, 16).pixels
    np.testing.assert_array_equal(some, every[[0, 6, 11]])


def test_images_of_one_size_keep_it_and_others_are_cut_to_the_model(tmp_path: Path) -> None:
    square = write_folder(tmp_path / "square", width=24, height=24)
    assert read_pictures(str(square), 4, 16).pixels.shape == (4, 24, 24, 3)
    oblong = write_folder(tmp_path / "oblong", width=24, height=20)
    assert read_pictures(str(oblong), 4, 16).pixels.shape == (4, 16, 16, 3)
    file = tmp_path / "images.yaml"
    file.write_text(f"data: {{source: folder, root: {square}, stored_pixels: 12}}")
    assert read_pictures(str(file), 4, 16).pixels.shape == (4, 12, 12, 3)


def test_a_model_is_given_what_it_is_given_in_an_evaluation() -> None:
    pictures = read_pictures("digits", 5, 32)
    mean, std = (20.0, 30.0, 40.0), (50.0, 60.0, 70.0)
    found = pictures.normalised(32, mean, std)
    images = torch.from_numpy(pictures.pixels).permute(0, 3, 1, 2)
    expected = Augmentation(Recipe(), 32, mean, std, 10).evaluation(images)
    np.testing.assert_array_equal(found, expected.numpy())
    assert found.flags.c_contiguous


def test_images_normalised_by_their_own_statistics_have_mean_0_and_deviation_1() -> None:
    pictures = read_pictures("digits", 50, 8)
    found = pictures.normalised(8, pictures.mean(), pictures.std())
    np.testing.assert_allclose(found.mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(found.std((0, 2, 3)), 1, atol=1e-5)


def test_images_that_cannot_be_had_are_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "images", per_class=6)
    with pytest.raises(DataError, match="--images must be no more than there are. Got 13, and .*images has 12"):
        read_pictures(str(folder), 13, 16)
    (folder / "cat" / "00000.png").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"All images must be decodable\. Got .*00000\.png"):
        read_pictures(str(folder), 12, 16)
    with pytest.raises(DataError, match="Images must lie in a folder. Got 'digts'"):
        read_pictures("digts", 10, 16)
    with pytest.raises(DataError, match=r"data\.root"):
        read_pictures("cifar10", 10, 16)
    with pytest.raises(SweepFileError, match=r"absent\.yaml"):
        read_pictures("absent.yaml", 10, 16)
