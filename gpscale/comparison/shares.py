"""Budgets as shares of the base's MACs, as commands take them."""

from __future__ import annotations

from collections.abc import Iterable

from gpscale.errors import UnitError

_LARGEST = 2.0


def check_shares(shares: Iterable[float]) -> None:
    """Check budgets that were asked for with `--budgets`.

    Raises:
        UnitError: One is not above 0, or far above the base.

    Example:
        >>> check_shares([0.25, 1.0])
    """
    for share in shares:
        if not 0 < share <= _LARGEST:
            raise UnitError(
                f"--budgets are shares of the base's MACs, above 0 and at most {_LARGEST:g}. Got {share:g}. Write 0.5 "
                "for half."
            )
