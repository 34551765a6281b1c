"""MACs and parameters layer by layer, for many architectures at once: the closed forms are written with it."""

from __future__ import annotations

import numpy as np

from gpscale.families.base import Integers

Number = Integers | int
"""One value for all architectures, or one for each: int64, shape (n,)."""


class Tally:
    """Adds up layers while it follows the size of the feature map.

    Convolutions, linear layers and the products of attention count as in torch's flop counter; normalisation,
    activation, pooling and element-wise products have parameters only. `times` repeats a layer that keeps the size.

    Attributes:
        height: Height of the present feature map, int64, shape (n,).
        width: Its width, the same.
        macs: Multiply-accumulates so far, int64, shape (n,).
        params: Parameters so far, int64, shape (n,).

    Example:
        >>> tally = Tally(np.array([224]), np.array([224]))
        >>> tally.convolve(3, 32, 3, stride=2)
        >>> int(tally.macs[0]), int(tally.params[0])
        (10838016, 928)
    """

    def __init__(self, height: Integers, width: Integers):
        self.height, self.width = height, width
        self.macs = np.zeros(len(height), dtype=np.int64)
        self.params = np.zeros(len(height), dtype=np.int64)

    @property
    def area(self) -> Integers:
        """Pixels of the present feature map, int64, shape (n,)."""
        return self.height * self.width

    def shrink(self, stride: int = 2) -> None:
        """Divide the size of the feature map, rounding up."""
        self.height, self.width = -(-self.height // stride), -(-self.width // stride)

    def convolve(
        self,
        into: Number,
        out: Number,
        kernel: int = 1,
        *,
        stride: int = 1,
        bias: bool = False,
        norm: bool = True,
        times: Number = 1,
    ) -> None:
        """Add a convolution of all channels, padded to keep the size before its stride, with its normalisation."""
        if stride > 1:
            self.shrink(stride)
        weights = into * out * kernel**2
        self.macs += times * self.area * weights
        self.params += times * (weights + (bias + 2 * norm) * out)

    def convolve_depthwise(
        self,
        channels: Number,
        kernel: int,
        *,
        stride: int = 1,
        bias: bool = False,
        norm: bool = True,
        times: Number = 1,
    ) -> None:
        """Add a convolution of each channel by itself, padded to keep the size before its stride."""
        if stride > 1:
            self.shrink(stride)
        self.macs += times * self.area * channels * kernel**2
        self.params += times * channels * (kernel**2 + bias + 2 * norm)

    def connect(self, into: Number, out: Number, *, bias: bool = True, times: Number = 1) -> None:
        """Add a linear layer after pooling: the classifier, or one half of squeeze-and-excitation."""
        self.macs += times * into * out
        self.params += times * (into + bias) * out

    def squeeze_and_excite(self, channels: Number, reduced: Number, *, times: Number = 1) -> None:
        """Add the two layers of squeeze-and-excitation."""
        self.connect(channels, reduced, times=times)
        self.connect(reduced, channels, times=times)

    def attend(self, keys: Number, values: Number, queried: Number, seen: Number, *, times: Number = 1) -> None:
        """Add the two products of softmax attention.

        Args:
            keys: Channels of the keys of all heads.
            values: Channels of the values of all heads.
            queried: Number of queries.
            seen: Number of keys that each query sees.
            times: Repetitions.
        """
        self.macs += times * queried * seen * (keys + values)

    def hold(self, params: Number, *, times: Number = 1) -> None:
        """Add parameters that multiply nothing: a normalisation, a layer scale, a table of position biases."""
        self.params += times * params
