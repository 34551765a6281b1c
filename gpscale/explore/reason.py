"""What a study cannot show, and why."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Callable
from typing import Any, TypeVar

from gpscale.errors import GpscaleError

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Reason:
    """Why there is nothing to see.

    Attributes:
        text: The message of the error.

    Example:
        >>> print(Reason("sampler 'line' holds MACs fixed"))
        sampler 'line' holds MACs fixed
    """

    text: str

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f"<p><i>Not for this study:</i> {html.escape(self.text)}</p>"


def show(make: Callable[..., T], *args: Any, **options: Any) -> T | Reason:
    """Return what a call gives, or the reason why this study does not give it.

    So a notebook runs to its end on every study: a sweep along one factor, for one, has no scaling rule.

    Args:
        make: A method of a study, or a function of `gpscale.explore`.
        *args: Its arguments.
        **options: Its options.

    Example:
        >>> from gpscale import Study
        >>> show(Study().recommend, "1").text.split(",")[0]
        'macs=1 must lie inside the range of mobilevitv2_050@96 or of a stock base of mobilevitv2'
    """
    try:
        return make(*args, **options)
    except GpscaleError as error:
        return Reason(str(error))
