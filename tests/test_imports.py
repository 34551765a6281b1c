"""What is loaded, and what is not: a command line that answers at once, a recommendation without torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import gpscale

REPOSITORY = Path(__file__).parent.parent


def loaded_after(code: str, *heavy: str) -> set[str]:
    """Run code in a fresh interpreter and say which of the modules `heavy` it has loaded."""
    report = f"import sys\nfor name in {heavy}:\n    print('LOADED', name, name in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    answers = [line.split() for line in result.stdout.splitlines() if line.startswith("LOADED")]
    assert [name for _, name, _ in answers] == list(heavy)
    return {name for _, name, answer in answers if answer == "True"}


def test_importing_the_package_loads_no_library() -> None:
    libraries = ("numpy", "torch", "pandas", "pydantic", "scipy", "matplotlib", "yaml", "typer", "gpytorch")
    assert loaded_after("import gpscale", *libraries) == set()


def test_help_loads_neither_numpy_nor_rich_nor_anything_heavier() -> None:
    code = (
        "import sys\nsys.argv = ['gpscale', '--help']\nfrom gpscale.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0, end.code\n"
        "else:\n    raise AssertionError('main must exit')"
    )
    libraries = ("typer", "numpy", "rich", "yaml", "pydantic", "pandas", "torch", "scipy", "matplotlib")
    assert loaded_after(code, *libraries) == {"typer"}


@pytest.mark.parametrize("method", ["rule", "surface"])
def test_recommend_loads_numpy_alone(method: str) -> None:
    code = f"import gpscale\nassert gpscale.recommend('20M', method={method!r}).macs <= 20_000_000"
    libraries = ("numpy", "torch", "pandas", "scipy", "pydantic", "matplotlib", "gpytorch", "pymoo")
    assert loaded_after(code, *libraries) == {"numpy"}


@pytest.mark.parametrize("macs", ["20M", "500M"])
def test_recommend_loads_no_slow_module_beside_numpy(macs: str) -> None:
    # each of them takes milliseconds; numpy.ma takes longer than enumerating the space
    slow = ("numpy.ma", "numpy.random", "hashlib", "tempfile", "concurrent.futures", "logging", "difflib", "email")
    of_numpy = loaded_after("import numpy", *slow)
    assert loaded_after(f"import gpscale\ngpscale.recommend({macs!r})", *slow) == of_numpy


def test_reading_a_search_space_loads_no_torch() -> None:
    code = "from gpscale import SearchSpace\nSearchSpace.enumerate('mobilevitv2_050@64').params"
    assert loaded_after(code, "numpy", "torch", "timm", "pydantic", "pandas") == {"numpy"}


@pytest.mark.parametrize("name", gpscale.__all__)
def test_every_public_name_can_be_had_and_is_listed(name: str) -> None:
    assert getattr(gpscale, name).__name__ == name
    assert name in dir(gpscale)


@pytest.mark.parametrize("name", ["explore", "plotting", "sampling", "pareto"])
def test_a_room_is_an_attribute_of_the_package(name: str) -> None:
    code = f"import gpscale\nassert gpscale.{name}.__name__ == 'gpscale.{name}'"
    assert loaded_after(code, "torch", "matplotlib", "ipywidgets") == set()


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'recomend'"):
        _ = gpscale.recomend  # type: ignore[attr-defined]
