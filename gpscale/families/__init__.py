"""Families of backbones: factors to integers, integers to counts and torch models.

>>> from gpscale.families import Integers, get, parse_base
>>> row: Integers = get("mobilevitv2").row(parse_base("mobilevitv2_050@64").architecture)
>>> row.dtype
dtype('int64')
"""

from gpscale.families import mobilevitv2 as mobilevitv2
from gpscale.families.base import (
    Architecture,
    Base,
    Family,
    Integers,
    get,
    names,
    parse_base,
    parse_model,
    requested_row,
)

__all__ = ["Architecture", "Base", "Family", "Integers", "get", "names", "parse_base", "parse_model", "requested_row"]
