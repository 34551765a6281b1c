"""Families of backbones: factors to integers, integers to counts and torch models."""

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
