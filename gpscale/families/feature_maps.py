"""The feature maps that detection and segmentation take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from torch import Tensor, nn


def maps_by_stride(model: nn.Module, images: Tensor, strides: Sequence[int]) -> dict[int, Tensor]:
    """Return a model's feature maps by stride.

    Args:
        model: A model with timm's `forward_intermediates` and `feature_info`; all that families build have them.
        images: Shape (batch, 3, height, width), floats.
        strides: Which to return: pixels of the image for one of the map, along a side.

    Returns:
        For each stride the last map that has it, shape (batch, channels, height / stride, width / stride), floats;
        sizes are rounded up, and MobileViTV2's then to even.
    """
    maps = cast("list[Tensor]", cast(Any, model).forward_intermediates(images, intermediates_only=True))
    found = dict(zip((info["reduction"] for info in cast(Any, model).feature_info), maps, strict=True))
    return {stride: found[stride] for stride in strides}
