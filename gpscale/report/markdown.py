"""Pieces of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_DEEPEST_HEADING = 6


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table.

    Args:
        header: Titles of the columns.
        rows: As many cells each.

    Example:
        >>> print(table(["c", "top-1"], [["0.5", "70 %"]]))
        | c | top-1 |
        |---|---|
        | 0.5 | 70 % |
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("|" + "|".join(_cell(cell) for cell in line) + "|" for line in lines)


def bullets(lines: Iterable[str]) -> str:
    """Return a list of points."""
    return "\n".join(f"- {line}" for line in lines)


def demoted(text: str, levels: int) -> str:
    """Return a text whose headings are some levels further down; code blocks are left as they are."""
    lines, in_code = [], False
    for line in text.strip().splitlines():
        in_code ^= line.lstrip().startswith("```")
        marks = len(line) - len(line.lstrip("#"))
        is_heading = not in_code and 0 < marks <= _DEEPEST_HEADING and line[marks : marks + 1] == " "
        lines.append("#" * min(marks + levels, _DEEPEST_HEADING) + line[marks:] if is_heading else line)
    return "\n".join(lines)


def _cell(text: str) -> str:
    # a bar would end the cell
    return text if text == "---" else f" {text.replace('|', chr(92) + '|')} "
