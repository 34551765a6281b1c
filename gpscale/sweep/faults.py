"""What is wrong in a sweep file, in words: the setting as it was written, the rule, the value, the remedy."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from gpscale import sampling
from gpscale.errors import known_and_nearest

_MOST_MEANT = 3
"""How many settings that may have been meant are named."""


def explain(model: type[BaseModel], fault: Any) -> str:
    """Say one fault as one sentence each of rule, value and remedy.

    Args:
        model: What was validated.
        fault: One of pydantic's `ValidationError.errors()`.
    """
    kind = getattr(model, "kind", "sweep file")
    where = ".".join(str(part) for part in fault["loc"]) or f"the {kind}"
    if fault["type"] == "extra_forbidden":
        return f"`{where}` is no setting. {_known(model, fault['loc'])}"
    if fault["type"] == "missing":
        return f"`{where}` must be set. It is not. Add it to the {kind}."
    rule = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "value_error":
        # a rule that opens with a name of its own says already which setting it is about
        return f"`{where}`: {rule}" if fault["loc"] and not rule.startswith(f"`{where}") else rule
    return f"`{where}`: {rule}. Got {fault['input']!r}. Correct it in the {kind}."


def _known(model: type[BaseModel], path: Sequence[str | int]) -> str:
    """Say which keys the section of an unknown key has, and which key was probably meant, there or in another."""
    section = model
    for part in path[:-1]:
        section = subsection(section, str(part)) or section
    key, inside = str(path[-1]), list(section.model_fields)
    elsewhere: dict[str, list[str]] = {}
    for setting in [*_settings(model), *(_sampler_options() if "sampler" in model.model_fields else ())]:
        elsewhere.setdefault(setting.rpartition(".")[2], []).append(setting)
    exact = key in elsewhere
    meant = [key] if exact else difflib.get_close_matches(key, elsewhere, n=1)
    if not meant or (not exact and difflib.get_close_matches(key, inside)):
        return known_and_nearest(key, inside)
    # of a name that many sections have, those that are written at the least depth
    settings = sorted(elsewhere[meant[0]], key=lambda setting: setting.count("."))[:_MOST_MEANT]
    return f"Known: {', '.join(sorted(inside))}. Did you mean `{'` or `'.join(settings)}`?"


def _settings(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of all settings and sections."""
    for name in model.model_fields:
        yield f"{prefix}{name}"
        inner = subsection(model, name)
        if inner is not None:
            yield from _settings(inner, f"{prefix}{name}.")


def _sampler_options() -> list[str]:
    options = (dataclasses.fields(sampling.make(name)) for name in sampling.names())  # type: ignore[arg-type]
    return list(dict.fromkeys(f"sampler.{field.name}" for fields in options for field in fields))


def subsection(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """Return the section that a setting holds, also one that may be null; None where it holds a value."""
    annotation = model.model_fields[name].annotation
    options = [annotation, *getattr(annotation, "__args__", ())]
    return next((option for option in options if isinstance(option, type) and issubclass(option, BaseModel)), None)
