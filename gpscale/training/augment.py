"""Augmentation of whole batches: bytes in, normalised images at the trial's size out.

Every image has its own crop and its own flip. Nothing is kept between calls: all randomness comes from the seed.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from gpscale.training.recipe import RandAugment, Recipe


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What happens to images before the model sees them.

    Attributes:
        recipe: Which augmentations.
        pixels: Side of the result (p).
        mean, std: Three floats each, on the scale 0 to 255.
        num_classes: Width of the targets under mixup.
    """

    recipe: Recipe
    pixels: int
    mean: Sequence[float]
    std: Sequence[float]
    num_classes: int

    def training(self, images: Tensor, labels: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """Augment a batch.

        Args:
            images: uint8 (B, 3, S, S), 0 to 255.
            labels: int64 (B,), 0 to C-1.
            seed: Decides everything random.

        Returns:
            float32 (B, 3, p, p), normalised; and targets, int64 (B,), or under mixup float32 (B, C), rows summing to 1.
        """
        recipe = self.recipe
        generator = torch.Generator().manual_seed(seed)
        mirrored = torch.rand(len(images), generator=generator) < (0.5 if recipe.flip else 0.0)
        if recipe.crop == "resized":
            # RandAugment works on bytes, so it comes before the interpolation
            images = self._randaugmented(images, seed)
            boxes = random_boxes(len(images), images.shape[-1], recipe.crop_scale_low, generator)
            out = self._normalised(cut_and_resize(images, boxes, mirrored, self.pixels))
        else:
            reach = round(recipe.crop_padding * images.shape[-1]) if recipe.crop == "pad" else 0
            shifts = torch.randint(-reach, reach + 1, (len(images), 2), generator=generator)
            images = self._randaugmented(shift_and_mirror(images, shifts, mirrored), seed)
            out = self._normalised(resize(images, self.pixels))
        return mixed_up(out, labels, recipe.mixup, self.num_classes, seed) if recipe.mixup else (out, labels)

    def evaluation(self, images: Tensor) -> Tensor:
        """Resize and normalise uint8 (B, 3, S, S), 0 to 255, to float32 (B, 3, p, p)."""
        return self._normalised(resize(images, self.pixels))

    def _randaugmented(self, images: Tensor, seed: int) -> Tensor:
        settings = self.recipe.randaugment
        return images if settings is None else randaugmented(images, settings, seed)

    def _normalised(self, images: Tensor) -> Tensor:
        mean, inverse = _channel_constants(tuple(self.mean), tuple(self.std), images.device)
        images = images.sub_(mean).mul_(inverse)
        order = torch.channels_last if self.recipe.channels_last else torch.contiguous_format
        return images.contiguous(memory_format=order)


def shift_and_mirror(images: Tensor, shifts: Tensor, mirrored: Tensor) -> Tensor:
    """Shift each image, its own mirror image filling the border, and flip some.

    Args:
        images: uint8 (B, 3, S, S).
        shifts: int64 (B, 2), rows and columns, pixels, smaller than S.
        mirrored: bool (B,), images to flip left to right.

    Returns:
        uint8 (B, 3, S, S), channels last in memory.
    """
    count, channels, side, _ = images.shape
    # what was drawn is small; the places are computed where the images are
    shifts, mirrored = shifts.to(images.device, non_blocking=True), mirrored.to(images.device, non_blocking=True)
    places = torch.arange(side, device=images.device)
    rows = _reflected(places + shifts[:, :1], side)
    columns = _reflected(torch.where(mirrored[:, None], side - 1 - places, places) + shifts[:, 1:], side)
    starts = torch.arange(count, device=images.device)[:, None] * side
    flat = ((starts + rows)[:, :, None] * side + columns[:, None, :]).flatten()
    pixels = images.permute(0, 2, 3, 1).reshape(-1, channels)
    chosen = pixels.index_select(0, flat)
    return chosen.view(count, side, side, channels).permute(0, 3, 1, 2)


def random_boxes(count: int, side: int, scale_low: float, generator: torch.Generator) -> Tensor:
    """Draw boxes of random area and shape inside a square image.

    The area is uniform from `scale_low` to 1 of the image's, the aspect ratio log-uniform from 3/4 to 4/3; a box that
    would not fit is cut to the image.

    Returns:
        float32 (count, 4): top, left, height, width, pixels.

    Source: Szegedy et al. 2015, "Going deeper with convolutions", section 6.
    """
    uniform = torch.rand(count, 4, generator=generator)
    area = (scale_low + (1 - scale_low) * uniform[:, 0]) * side**2
    ratio = torch.exp((2 * uniform[:, 1] - 1) * math.log(4 / 3))
    height = (area / ratio).sqrt().clamp(max=side)
    width = (area * ratio).sqrt().clamp(max=side)
    return torch.stack([uniform[:, 2] * (side - height), uniform[:, 3] * (side - width), height, width], 1)


def cut_and_resize(images: Tensor, boxes: Tensor, mirrored: Tensor, pixels: int) -> Tensor:
    """Cut a box out of each image and resize it (bilinear, with antialiasing), flipping some.

    Interpolation is linear in rows and in columns, so it is two small matrix products per image, and every image may
    have its own box.

    Args:
        images: uint8 (B, 3, S, S).
        boxes: float32 (B, 4): top, left, height, width, pixels.
        mirrored: bool (B,), images to flip left to right.
        pixels: Side of the result (p).

    Returns:
        float32 (B, 3, p, p), 0 to 255.
    """
    side = images.shape[-1]
    boxes, mirrored = boxes.to(images.device, non_blocking=True), mirrored.to(images.device, non_blocking=True)
    rows = _interpolation(boxes[:, 0], boxes[:, 2], side, pixels)
    columns = _interpolation(boxes[:, 1], boxes[:, 3], side, pixels)
    columns = torch.where(mirrored[:, None, None], columns.flip(1), columns)
    values = images.contiguous().to(torch.float32)
    return rows[:, None] @ values @ columns.transpose(1, 2)[:, None]


def resize(images: Tensor, pixels: int) -> Tensor:
    """Resize uint8 (B, 3, S, S) to float32 (B, 3, pixels, pixels), 0 to 255: bilinear, with antialiasing."""
    values = images.to(torch.float32)
    side = images.shape[-1]
    if pixels == side:
        return values
    # enlarging has nothing to antialias, and the plain kernel is the faster one
    return F.interpolate(values, size=pixels, mode="bilinear", align_corners=False, antialias=pixels < side)


def randaugmented(images: Tensor, settings: RandAugment, seed: int) -> Tensor:
    """Apply RandAugment to uint8 (B, 3, S, S), with operations of its own for each image."""
    from torchvision.transforms import v2

    transform = v2.RandAugment(settings.num_ops, settings.magnitude, interpolation=v2.InterpolationMode.BILINEAR)
    # torchvision draws from the global generator
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.stack([transform(image) for image in images])


def mixed_up(images: Tensor, labels: Tensor, alpha: float, num_classes: int, seed: int) -> tuple[Tensor, Tensor]:
    """Blend each image and its target with another of the batch, in one random proportion.

    Args:
        images: float32 (B, 3, p, p).
        labels: int64 (B,).
        alpha: Both parameters of the proportion's beta distribution.
        num_classes: C.
        seed: Decides the proportion.

    Returns:
        float32 (B, 3, p, p), and targets, float32 (B, C).

    Source: Zhang et al. 2018, "mixup: beyond empirical risk minimization", section 2.
    """
    from torchvision.transforms import v2

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mixed, targets = v2.MixUp(alpha=alpha, num_classes=num_classes)(images, labels)
    return mixed, targets


@functools.lru_cache(maxsize=8)
def _channel_constants(mean: tuple[float, ...], std: tuple[float, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return mean and 1 / std, float32 (3, 1, 1) each; kept, because to copy them to a graphics card waits for it."""
    values = [mean, tuple(1 / value for value in std)]
    first, second = (torch.tensor(value, dtype=torch.float32, device=device)[:, None, None] for value in values)
    return first, second


def _reflected(places: Tensor, side: int) -> Tensor:
    """Mirror places outside 0 to side-1 at the outermost pixels."""
    places = places.abs()
    return torch.where(places >= side, 2 * (side - 1) - places, places)


def _interpolation(start: Tensor, length: Tensor, side: int, pixels: int) -> Tensor:
    """Return float32 (B, pixels, side): weights of a triangular filter, rows summing to 1."""
    scale = (length / pixels)[:, None]
    centres = start[:, None] + (torch.arange(pixels, device=start.device) + 0.5) * scale
    distance = (torch.arange(side, device=start.device) + 0.5 - centres[:, :, None]).abs()
    weights = (1 - distance / scale.clamp(min=1)[:, :, None]).clamp(min=0)
    return weights / weights.sum(2, keepdim=True)
