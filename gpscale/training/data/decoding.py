"""From one image of a source to the pixels that are stored."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gpscale.training.data.sources import Item

Pixels = NDArray[np.uint8]


def opened(item: Item) -> Image.Image:
    """Open an image; encoded pixels are not decoded yet.

    Raises:
        OSError, ValueError, Image.DecompressionBombError: It is no image.
    """
    return Image.open(io.BytesIO(item)) if isinstance(item, bytes) else Image.fromarray(item)


def decoded(item: Item, side: int) -> Pixels:
    """Decode an image to a square of three channels.

    The shorter side is resized (bicubic, with antialiasing) to `side`, then the centre is cut out.

    Args:
        item: Encoded image, or pixels uint8.
        side: Pixels of a side of the result.

    Returns:
        uint8 (side, side, 3), 0 to 255, sRGB as stored.

    Raises:
        OSError, ValueError, SyntaxError, Image.DecompressionBombError: The image cannot be decoded.
    """
    image = opened(item)
    image = image if image.mode == "RGB" else image.convert("RGB")
    if image.size != (side, side):
        image = _square(image, side)
    return np.asarray(image)


def encoded(item: Item) -> bytes:
    """Return an image as a file without loss: encoded bytes as they are, pixels as PNG."""
    if isinstance(item, bytes):
        return item
    buffer = io.BytesIO()
    Image.fromarray(item).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _square(image: Image.Image, side: int) -> Image.Image:
    width, height = image.size
    shorter = min(width, height)
    left, top = (width - shorter) / 2, (height - shorter) / 2
    # one call resizes and cuts; what lies outside the box is not computed
    return image.resize((side, side), Image.Resampling.BICUBIC, box=(left, top, left + shorter, top + shorter))
