"""Where commands print: text for people, JSON for machines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH_WITHOUT_TERMINAL = 140


def print_json(values: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(values, indent=2, allow_nan=False))


def console() -> Console:
    """Return a console for tables: as wide as the terminal, or wide enough for every table where there is none."""
    from rich.console import Console

    found = Console(highlight=False, emoji=False, markup=False)
    return (
        found
        if found.is_terminal
        else Console(highlight=False, emoji=False, markup=False, width=_WIDTH_WITHOUT_TERMINAL)
    )
