"""A pointwise convolution with a stride: the pixels that it skips are left out first.

torch's own (2.15, on a CPU) writes beyond its memory in the backward pass of such a convolution with few input
channels, where images are channels last: the process dies later, or does not.
"""

from __future__ import annotations

from typing import Self

import torch.nn.functional as F
from torch import Tensor, nn


class SkippingPointwise(nn.Conv2d):
    """A convolution of 1 x 1 with a stride; function, parameters and their names are those of `torch.nn.Conv2d`."""

    @classmethod
    def of(cls, convolution: nn.Conv2d) -> Self:
        """Take over a convolution of 1 x 1 without padding, parameters and all.

        Raises:
            ValueError: It is another.
        """
        if convolution.kernel_size != (1, 1) or convolution.padding != (0, 0):
            raise ValueError(
                f"A skipping convolution must be 1 x 1, without padding. Got {convolution}. Leave it as it is."
            )
        taken = cls(
            convolution.in_channels,
            convolution.out_channels,
            1,
            stride=(convolution.stride[0], convolution.stride[1]),
            groups=convolution.groups,
            bias=convolution.bias is not None,
            device=convolution.weight.device,
            dtype=convolution.weight.dtype,
        )
        taken.weight, taken.bias = convolution.weight, convolution.bias
        return taken

    def forward(self, images: Tensor) -> Tensor:
        """Convolve what the stride leaves of feature maps, (batch, channels, height, width)."""
        down, across = self.stride
        return F.conv2d(images[..., ::down, ::across], self.weight, self.bias, groups=self.groups)
