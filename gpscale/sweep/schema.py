"""The JSON schema of the sweep file, by which editors complete, explain and check it while it is written.

It is made from the settings themselves and from the samplers' options, so that it cannot differ from what `SweepConfig`
reads. What it cannot say (`low` below `high`, factors that must differ) is checked when the file is read.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from gpscale import families, sampling
from gpscale.sweep.config import SweepConfig
from gpscale.training.data import sources

SCHEMA_FILE = "sweep.schema.json"
"""Name of the schema where it lies beside sweep files."""

MODELINE = f"# yaml-language-server: $schema={SCHEMA_FILE}"
"""First line of a sweep file; editors with YAML support follow it."""


def sweep_schema() -> dict[str, Any]:
    """Return the JSON schema of the sweep file, every default and every sampler's options included.

    Example:
        >>> sweep_schema()["properties"]["trials"]["description"]
        'Trials in all; raising it continues the sweep.'
    """
    schema = SweepConfig.model_json_schema(schema_generator=_Generator)
    parts = schema["$defs"]
    for part in (schema, *parts.values()):
        # the first line of a docstring says what it is; the rest is for programmers
        part["description"] = part["description"].partition("\n")[0]
        part.pop("title")
    # what is left out of a span comes from the preset
    del parts["Span"]["required"]
    parts["SamplerConfig"] = {
        "description": parts["SamplerConfig"]["description"],
        "oneOf": [_sampler(name) for name in sampling.names()],
    }
    schema["properties"]["base"]["examples"] = [
        base for name in families.names() for base in families.get(name).stock_bases
    ]
    parts["DataConfig"]["properties"]["source"]["enum"] = sources.names()
    return {"$schema": "http://json-schema.org/draft-07/schema#", **schema, "title": "gpscale sweep file"}


def schema_text() -> str:
    """Return the JSON schema of the sweep file as the text of a file."""
    return json.dumps(sweep_schema(), indent=2) + "\n"


def sampler_options(name: str) -> dict[str, tuple[str, Any]]:
    """Return the options of a sampler: (what it means, its default) by name.

    Raises:
        UnknownNameError: There is no such sampler.

    Example:
        >>> sampler_options("line")["c"]
        ("MACs to hold, over the base's.", 1.0)
    """
    sampler = sampling.make(name)
    fields = dataclasses.fields(sampler)  # type: ignore[arg-type]
    meanings = _attributes(type(sampler))
    return {field.name: (meanings[field.name], getattr(sampler, field.name)) for field in fields}


def sampler_summary(name: str) -> str:
    """Return in one line what a sampler does.

    Raises:
        UnknownNameError: There is no such sampler.
    """
    return (inspect.getdoc(type(sampling.make(name))) or "").partition("\n")[0]


class _Generator(GenerateJsonSchema):
    """Leaves out titles, which repeat the names, and says fixed lists in the way that old and new editors read."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def get_title_from_name(self, name: str) -> str:
        return name

    def tuple_schema(self, schema: Any) -> dict[str, Any]:
        made = super().tuple_schema(schema)
        items = made.pop("prefixItems", None)
        # all fixed lists are pairs of one kind
        return {**made, "items": items[0]} if items else made


def _sampler(name: str) -> dict[str, Any]:
    """Return the schema of the section `sampler` where it names this one."""
    kind = type(sampling.make(name))
    options = TypeAdapter(kind).json_schema(schema_generator=_Generator).get("properties", {})
    for option, (meaning, _) in sampler_options(name).items():
        options[option]["description"] = meaning
    default = SweepConfig.model_fields["sampler"].default.name
    return {
        "type": "object",
        "description": sampler_summary(name),
        "properties": {"name": {"const": name}, **options},
        "additionalProperties": False,
        "required": [] if name == default else ["name"],
    }


def _attributes(kind: type[Any]) -> dict[str, str]:
    """Return what the section "Attributes" of a class's docstring says of each."""
    section = (inspect.getdoc(kind) or "").partition("\nAttributes:\n")[2].partition("\n\n")[0]
    lines = re.sub(r"\n {8}", " ", section).splitlines()
    return {name.strip(): meaning.strip() for name, _, meaning in (line.partition(":") for line in lines)}
