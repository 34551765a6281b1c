"""Quantities as people write them: "500M", "1.8G", "95 %"."""

from __future__ import annotations

import math
import re

from gpscale.errors import UnitError

Z95 = 1.959963984540054
"""Standard deviations from the mean of a normal distribution to either end of a 95 % interval."""

_SCALES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_PATTERN = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*([KMGT]?)\s*(?:MACs?)?\s*", re.IGNORECASE)


def parse_macs(value: str | float) -> int:
    """Read a number of multiply-accumulates.

    Args:
        value: A positive number, or a string such as `"20M"`, `"1.5G"`, `"500e6"`.

    Returns:
        Multiply-accumulates, rounded to an integer.

    Raises:
        UnitError: `value` is no positive finite number.

    Example:
        >>> parse_macs("1.5G")
        1500000000
    """
    if isinstance(value, str):
        match = _PATTERN.fullmatch(value)
        number = float(match[1]) * _SCALES[match[2].upper()] if match else math.nan
    else:
        number = math.nan if isinstance(value, bool) else _as_float(value)
    if not (math.isfinite(number) and number >= 1):
        raise UnitError(
            f"macs must be a positive number of multiply-accumulates. Got {value!r}. "
            'Write a number, or a string such as "500M" or "1.8G".'
        )
    return round(number)


def format_macs(macs: float) -> str:
    """Write multiply-accumulates with one decimal and a unit.

    Example:
        >>> format_macs(1_788_700_672)
        '1,788.7M'
    """
    if macs >= 10**5:
        return f"{macs / 10**6:,.1f}M"
    return f"{macs / 10**3:,.1f}K" if macs >= 10**3 else f"{macs:,.0f}"


def round_macs(macs: float, *, up: bool) -> str:
    """Write multiply-accumulates with three digits, as `parse_macs` reads them.

    Args:
        macs: At least 1.
        up: Whether what is written may exceed `macs`, else it may fall short.

    Example:
        >>> round_macs(5_937_090, up=True), round_macs(9_014_000_000, up=False)
        ('5.94M', '9.01G')
    """
    step = 10 ** max(0, math.floor(math.log10(macs)) - 2)
    rounded = step * (math.ceil(macs / step) if up else math.floor(macs / step))
    unit, scale = next((unit, scale) for unit, scale in reversed(_SCALES.items()) if rounded >= scale)
    return f"{rounded / scale:g}{unit}"


def _as_float(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return math.nan
