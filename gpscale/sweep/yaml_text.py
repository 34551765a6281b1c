"""YAML as people write it: read safely, and a key that stands twice is a fault, where PyYAML lets the last one win."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from gpscale.errors import SweepFileError


def read_yaml(text: str) -> Any:
    """Read YAML.

    Args:
        text: What a person has written.

    Raises:
        SweepFileError: A key is set twice in one section; all such keys are named.
        yaml.YAMLError: It is no YAML.

    Example:
        >>> read_yaml("{trials: 4, band: {low: 0.2}}")
        {'trials': 4, 'band': {'low': 0.2}}
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        # what an anchor names may stand at several places
        faults = dict.fromkeys(_set_twice(node, "", set()))
        if faults:
            raise SweepFileError("\n".join(faults))
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _set_twice(node: yaml.Node, prefix: str, seen: set[int]) -> Iterator[str]:
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _set_twice(item, prefix, seen)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, list[int]] = {}
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        lines.setdefault(name, []).append(key.start_mark.line + 1)
        yield from _set_twice(value, f"{name}.", seen)
    for name, found in lines.items():
        if len(found) > 1:
            yield f"`{name}` must be set once. Got it on {_said(found)}. Remove one."


def _said(lines: list[int]) -> str:
    different = sorted(set(lines))
    if len(different) == 1:
        return f"line {different[0]}, {len(lines)} times"
    return f"lines {', '.join(map(str, different[:-1]))} and {different[-1]}"
