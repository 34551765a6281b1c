"""When two models are alike."""

from __future__ import annotations

import numpy as np
import pytest

from gpscale.errors import ParityError
from gpscale.export.parity import LARGEST_DIFFERENCE, Parity, check_parity, compare

IMAGES = np.random.default_rng(0).standard_normal((5, 3, 4, 4), dtype=np.float32)


def logits(images: np.ndarray) -> np.ndarray:
    return images.mean((2, 3))


def test_the_largest_difference_of_any_image_counts() -> None:
    def other(images: np.ndarray) -> np.ndarray:
        return logits(images) + (0.25 if (images == IMAGES[3]).all() else 0) * np.array([0, -1, 0], np.float32)

    found = compare(logits, other, IMAGES)
    assert found.difference == pytest.approx(0.25)
    assert found.images == 5
    assert found.largest == pytest.approx(np.abs(logits(IMAGES)).max())


def test_images_with_another_class_are_counted() -> None:
    def turned(images: np.ndarray) -> np.ndarray:
        return logits(images)[:, ::-1] if (images == IMAGES[0]).all() else logits(images)

    # the middle logit is its own mirror image
    assert logits(IMAGES[:1]).argmax() != 1
    assert compare(logits, turned, IMAGES).same_class == 4


def test_each_image_is_given_by_itself() -> None:
    shapes = set()

    def noting(images: np.ndarray) -> np.ndarray:
        shapes.add(images.shape)
        return logits(images)

    compare(noting, noting, IMAGES)
    assert shapes == {(1, 3, 4, 4)}


def test_small_logits_are_held_to_a_smaller_difference() -> None:
    found = compare(lambda images: 1e-4 * logits(images), lambda images: 0 * logits(images), IMAGES)
    assert found.difference < LARGEST_DIFFERENCE
    assert not found.holds
    assert compare(lambda images: 1e-4 * logits(images), lambda images: 1e-4 * logits(images), IMAGES).holds


@pytest.mark.parametrize(
    ("difference", "alike"),
    [(0.0, True), (LARGEST_DIFFERENCE, True), (1.01 * LARGEST_DIFFERENCE, False), (float("nan"), False)],
)
def test_models_are_alike_up_to_a_thousandth(difference: float, alike: bool) -> None:
    parity = Parity(100, difference, 100, 1.0)
    assert parity.holds is alike
    if alike:
        check_parity(parity, "it")
    else:
        with pytest.raises(ParityError, match=r"The logits of it must be within 0\.001 of torch's\. Got a difference"):
            check_parity(parity, "it")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_not_finite_are_never_alike(bad: float) -> None:
    def broken(images: np.ndarray) -> np.ndarray:
        return np.where(images.mean((2, 3)) > 0, bad, 0).astype(np.float32)

    found = compare(logits, broken, IMAGES)
    assert not found.holds
    assert found.to_dict()["difference"] is None
    assert not compare(broken, broken, IMAGES).holds
