"""MACs and parameters of any torch model by torch's own flop counter: the reference for the closed forms."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def count_module(model: nn.Module, image_size: tuple[int, int], channels: int = 3) -> tuple[int, int]:
    """Count a torch model on the meta device, where nothing is computed.

    Args:
        model: Any image model; it is copied, not changed.
        image_size: Height and width of the input, pixels.
        channels: Channels of the input.

    Returns:
        MACs of one image (half of torch's flops) and number of parameters.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    meta = copy.deepcopy(model).to("meta").eval().requires_grad_(False)
    with FlopCounterMode(display=False) as counter:
        meta(torch.empty(1, channels, *image_size, device="meta"))
    return counter.get_total_flops() // 2, sum(parameter.numel() for parameter in model.parameters())
