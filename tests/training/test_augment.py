import numpy as np
import pytest
import torch
from PIL import Image

from gpscale.training import augment
from gpscale.training.augment import Augmentation
from gpscale.training.recipe import RandAugment, Recipe

MEAN, STD = (10.0, 20.0, 30.0), (2.0, 4.0, 5.0)


def images(count=6, side=8, seed=0):
    """uint8 (count, 3, side, side), channels last, as the store gives them."""
    pixels = torch.randint(0, 256, (count, side, side, 3), dtype=torch.uint8, generator=torch.manual_seed(seed))
    return pixels.permute(0, 3, 1, 2)


def augmentation(pixels=8, mean=(0.0,) * 3, std=(1.0,) * 3, **recipe):
    return Augmentation(Recipe(**recipe), pixels, mean, std, num_classes=4)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_evaluation_at_the_stored_size_only_normalises():
    batch = images()
    out = augmentation(mean=MEAN, std=STD).evaluation(batch)
    expected = (batch.float() - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    torch.testing.assert_close(out, expected)


def test_the_stored_images_are_left_as_they_were():
    batch = images()
    before = batch.clone()
    augmentation(mean=MEAN, std=STD, crop="none").training(batch, torch.zeros(6, dtype=torch.int64), seed=1)
    augmentation(mean=MEAN, std=STD).evaluation(batch)
    assert torch.equal(batch, before)


@pytest.mark.parametrize("crop", ["pad", "resized", "none"])
@pytest.mark.parametrize("pixels", [4, 8, 13])
def test_the_result_has_the_size_of_the_trial(crop, pixels):
    labels = torch.arange(6) % 4
    out, targets = augmentation(pixels, crop=crop).training(images(), labels, seed=0)
    assert out.shape == (6, 3, pixels, pixels)
    assert out.dtype == torch.float32
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(targets, labels)
    assert augmentation(pixels, channels_last=False).evaluation(images()).is_contiguous()


def test_a_shift_moves_the_image_and_mirrors_it_at_the_border():
    row = torch.arange(8, dtype=torch.uint8).expand(1, 3, 8, 8)
    none = torch.zeros(1, dtype=torch.bool)
    shifted = augment.shift_and_mirror(row, torch.tensor([[0, 2]]), none)
    assert shifted[0, 0, 0].tolist() == [2, 3, 4, 5, 6, 7, 6, 5]
    shifted = augment.shift_and_mirror(row, torch.tensor([[0, -3]]), none)
    assert shifted[0, 0, 0].tolist() == [3, 2, 1, 0, 1, 2, 3, 4]
    flipped = augment.shift_and_mirror(row, torch.tensor([[5, 0]]), ~none)
    assert flipped[0, 0, 0].tolist() == [7, 6, 5, 4, 3, 2, 1, 0]
    assert torch.equal(augment.shift_and_mirror(images(), torch.zeros(6, 2, dtype=torch.int64), none), images())


@pytest.mark.parametrize("crop", ["pad", "resized"])
def test_every_image_has_a_crop_of_its_own(crop):
    same = images(1).expand(64, -1, -1, -1)
    out, _ = augmentation(crop=crop, crop_padding=0.25, flip=False).training(same, torch.zeros(64).long(), seed=0)
    assert len({image.numpy().tobytes() for image in out}) > 15


def test_every_image_has_a_flip_of_its_own():
    same = images(1).expand(64, -1, -1, -1)
    out, _ = augmentation(crop="none").training(same, torch.zeros(64).long(), seed=0)
    mirrored = [torch.equal(image, same[0].flip(2).float()) for image in out]
    plain = [torch.equal(image, same[0].float()) for image in out]
    assert sum(mirrored) + sum(plain) == 64
    assert 16 < sum(mirrored) < 48


def test_a_full_box_at_the_same_size_is_the_image_itself():
    batch = images()
    box = torch.tensor([0.0, 0.0, 8.0, 8.0]).expand(6, 4)
    out = augment.cut_and_resize(batch, box, torch.arange(6) % 2 == 1, 8)
    torch.testing.assert_close(out[0::2], batch[0::2].float())
    torch.testing.assert_close(out[1::2], batch[1::2].float().flip(3))


@pytest.mark.parametrize("pixels", [5, 20])
def test_a_box_is_resized_as_pillow_does_it(pixels):
    batch = images(1, side=16)
    top, left, height, width = 2.0, 3.0, 12.0, 9.0
    out = augment.cut_and_resize(batch, torch.tensor([[top, left, height, width]]), torch.tensor([False]), pixels)
    for channel in range(3):
        plane = Image.fromarray(batch[0, channel].numpy().astype(np.float32))
        box = (left, top, left + width, top + height)
        expected = np.asarray(plane.resize((pixels, pixels), Image.Resampling.BILINEAR, box=box))
        np.testing.assert_allclose(out[0, channel], expected, rtol=1e-4, atol=1e-3)


def test_boxes_lie_inside_the_image_and_have_the_area_asked_for():
    top, left, height, width = augment.random_boxes(2000, 32, 0.25, generator()).unbind(1)
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + height <= 32 + 1e-4).all()
    assert (left + width <= 32 + 1e-4).all()
    share = height * width / 32**2
    assert 0.2 < share.min() < 0.27
    assert share.max() > 0.95
    assert ((width / height).log().abs() <= np.log(4 / 3) + 1e-5).all()


@pytest.mark.parametrize(
    "recipe", [{}, {"crop": "resized"}, {"randaugment": RandAugment(num_ops=2, magnitude=9)}, {"mixup": 0.4}]
)
def test_the_seed_alone_decides_and_the_global_generator_is_left_alone(recipe):
    labels = torch.arange(6) % 4
    torch.manual_seed(0)
    expected_next = torch.rand(3)
    torch.manual_seed(0)
    first = augmentation(16, **recipe).training(images(seed=5), labels, seed=7)
    torch.manual_seed(0)
    batch = images(seed=5)
    torch.manual_seed(0)
    second = augmentation(16, **recipe).training(batch, labels, seed=7)
    assert torch.equal(torch.rand(3), expected_next)
    other = augmentation(16, **recipe).training(images(seed=5), labels, seed=8)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[0], other[0])


def test_randaugment_treats_every_image_on_its_own():
    ramp = torch.arange(16, dtype=torch.uint8).mul(16).expand(32, 3, 16, 16)
    out = augment.randaugmented(ramp, RandAugment(num_ops=1, magnitude=15), seed=0)
    assert out.dtype == torch.uint8
    assert len({image.numpy().tobytes() for image in out}) > 5


def test_mixup_blends_images_and_targets_in_one_proportion():
    batch = torch.stack([torch.full((3, 4, 4), 10.0 * label) for label in range(4)])
    mixed, targets = augment.mixed_up(batch, torch.arange(4), 0.8, 4, seed=1)
    torch.testing.assert_close(targets.sum(1), torch.ones(4))
    # an image's level is 10 x label, so the blend of the labels is the blend of the images
    torch.testing.assert_close(mixed[:, 0, 0, 0], 10 * (targets @ torch.arange(4.0)))
    assert not torch.equal(mixed, batch)
