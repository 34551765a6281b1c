"""A panel: controls above a picture that follows them."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
from PIL import Image

_WIDEST = "1000px"


class Panel(ipywidgets.VBox):
    """Controls above a picture, and text below it.

    Attributes:
        controls: The controls by name; setting the `value` of one redraws the picture.
        picture: The picture, an `ipywidgets.Image`; its `value` is a PNG.
        text: What is said of the picture, an `ipywidgets.HTML`; its `value` may be empty.

    Example:
        >>> panel = Panel("a number", {"n": ipywidgets.IntSlider(3)}, lambda: (b"", "drawn"))
        >>> panel.controls["n"].value, panel.text.value
        (3, 'drawn')
    """

    def __init__(
        self, about: str, controls: Mapping[str, ipywidgets.Widget], draw: Callable[[], tuple[bytes, str]]
    ) -> None:
        """Draw for the first time, and again whenever a control changes.

        Args:
            about: What the panel shows, in a few words, for pages that show neither widgets nor pictures.
            controls: By name, in the order in which they are shown.
            draw: Reads the controls; returns the picture as PNG, and the text as HTML.
        """
        self.controls = dict(controls)
        self.picture = ipywidgets.Image(format="png", layout={"width": "100%", "max_width": _WIDEST})
        self.text = ipywidgets.HTML()
        self._about, self._draw = about, draw
        self._redraw()
        for control in self.controls.values():
            control.observe(self._redraw, "value")
        box = ipywidgets.Box(list(self.controls.values()), layout={"flex_flow": "row wrap", "max_width": _WIDEST})
        super().__init__([box, self.picture, self.text])

    def __repr__(self) -> str:
        return f"Panel({self._about})"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Add the picture to what a notebook stores, for pages that cannot run the widget."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        return {**bundle, "image/png": base64.b64encode(_small(self.picture.value)).decode("ascii")}

    def _redraw(self, change: object = None) -> None:
        self.picture.value, self.text.value = self._draw()


def _small(png: bytes) -> bytes:
    """Return a picture in 256 colours: a third of the bytes, and hard to tell from the first."""
    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(png)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    picture.save(buffer, "png", optimize=True)
    return buffer.getvalue()
