"""Every public name is shown in use; pytest runs the examples with the modules (`--doctest-modules`)."""

from __future__ import annotations

import ast
import doctest
import importlib.util
import inspect
import pkgutil
from pathlib import Path

import pytest

import gpscale

MODULES = [gpscale.__name__, *(found.name for found in pkgutil.walk_packages(gpscale.__path__, "gpscale."))]


def public_names(module: str) -> list[str]:
    """Return a module's `__all__` without importing it; empty where it has none."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    for node in ast.parse(Path(spec.origin).read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    return []


PUBLIC = [(module, name) for module in MODULES for name in public_names(module)]


def examples(docstring: str | None) -> list[str]:
    return [example.source for example in doctest.DocTestParser().get_examples(docstring or "")]


def test_the_rooms_have_public_names() -> None:
    assert {"gpscale", "gpscale.sampling", "gpscale.plotting", "gpscale.sweep"} <= {module for module, _ in PUBLIC}


@pytest.mark.parametrize(("module", "name"), PUBLIC, ids=[f"{module}.{name}" for module, name in PUBLIC])
def test_every_public_name_has_an_example(module: str, name: str) -> None:
    room = importlib.import_module(module)
    thing = getattr(room, name)
    if inspect.isclass(thing) or inspect.isfunction(thing):
        assert examples(thing.__doc__), f"{thing.__module__}.{name} has no example"
    else:
        # a constant or the name of a type has no docstring of its own
        assert any(name in source for source in examples(room.__doc__)), f"no example of {module} uses {name}"
