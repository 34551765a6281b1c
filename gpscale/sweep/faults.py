"""What is wrong in a sweep file, in words: the setting as it was written, the rule, the value, the remedy."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from gpscale import sampling
from gpscale.errors import known_and_nearest
from gpscale.training.data import sources

_MOST_MEANT = 3
"""How many settings that may have been meant are named."""

_EXAMPLES = {"base": "mobilevitv2_050@64"}
"""A value of settings that hold a name of no fixed list."""

_MUST_BE = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "path_type": "a path",
    "tuple_type": "a list",
    "byte_size": "a number of bytes, such as 4GiB",
}
"""What must hold where a value is of another kind, by pydantic's name of the fault."""


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
    if fault["type"] in ("model_type", "model_attributes_type"):
        return f"`{where}` must hold settings. Got {_got(fault['input'])}. {_sections(model, fault)}"
    if fault["type"] == "string_type":
        return _no_name(where, fault["input"])
    rule = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "value_error":
        # a rule that opens with a name of its own says already which setting it is about
        return f"`{where}`: {rule}" if fault["loc"] and not rule.startswith(f"`{where}") else rule
    if fault["type"] == "literal_error":
        must = fault["ctx"]["expected"].replace("'", "")
    elif fault["type"] == "too_short":
        must = f"a list of at least {fault['ctx']['min_length']}"
    else:
        must = _MUST_BE.get(fault["type"], rule.removeprefix("Input should be "))
    said = f"`{where}` must be {must}" if must != rule else f"`{where}`: {rule}"
    return f"{said}. Got {_got(fault['input'])}. Correct it in the {kind}."


def _got(value: object) -> str:
    return "nothing" if value is None else repr(value)


def _no_name(where: str, value: object) -> str:
    """Say that a setting must be a name; YAML reads 050 as the number 40."""
    example = f" such as {_EXAMPLES[where]}" if where in _EXAMPLES else ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"`{where}` must be a name{example}. Got the number {value}. Put it in quotes."
    return f"`{where}` must be a name{example}. Got {_got(value)}. Write one, in quotes if it is a word of YAML."


def _sections(model: type[BaseModel], fault: Any) -> str:
    """Say how to write the section for which a single value was given."""
    names = [part for part in fault["loc"] if isinstance(part, str)]
    name = names[-1] if names else ""
    by_name = {"sampler": ("name", sampling.names()), "data": ("source", sources.names())}
    if name in by_name:
        key, known = by_name[name]
        nearest = difflib.get_close_matches(str(fault["input"]), known, n=1)
        section = subsection(model, name)
        default = section.model_fields[key].default if section else known[0]
        return f"Write `{name}: {{{key}: {nearest[0] if nearest else default}}}`; known: {', '.join(known)}."
    section = _section(model, fault["loc"])
    return f"Write `{name}:` and below it one KEY: VALUE a line; known keys: {', '.join(section.model_fields)}."


def _section(model: type[BaseModel], path: Sequence[str | int]) -> type[BaseModel]:
    """Return the innermost section on a path."""
    for part in path:
        if str(part) in model.model_fields:
            model = subsection(model, str(part)) or model
    return model


def _known(model: type[BaseModel], path: Sequence[str | int]) -> str:
    """Say which keys the section of an unknown key has, and which key was probably meant, there or in another."""
    section = _section(model, path[:-1])
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
