"""The figures that are shipped beside a study are those that it has: a study that is fitted again is drawn again."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import numpy as np
import pytest

from gpscale.plotting.catalogue import FIGURES, every, figure
from gpscale.plotting.files import FORMATS, write_figure
from gpscale.run_dir import SHIPPED_STUDIES, shipped_studies
from gpscale.study import Study

_WORDS = re.compile(r"<!-- (.*?) -->", re.DOTALL)
_PLACES = re.compile(r'(?: d|x|y)="([^"]*)"')
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def said(svg: str) -> list[str]:
    """Return all that is written on a figure, which its paths are commented with."""
    return _WORDS.findall(svg)


def places(svg: str) -> np.ndarray:
    """Return the coordinates of all that is drawn, points."""
    return np.array([float(number) for place in _PLACES.findall(svg) for number in _NUMBER.findall(place)])


@pytest.fixture(scope="module", params=shipped_studies())
def shipped(request: pytest.FixtureRequest) -> Study:
    """A study that ships with the package."""
    return Study(request.param)


@pytest.fixture(scope="module")
def drawn(shipped: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its figures, drawn now."""
    directory = tmp_path_factory.mktemp(shipped.name)
    for name, found in every(functools.partial(figure, shipped), FIGURES)[0].items():
        write_figure(found, directory / name, ["svg"])
    return directory


def test_every_figure_that_the_study_has_is_shipped_in_every_format(shipped: Study, drawn: Path) -> None:
    expected = {f"{file.stem}.{kind}" for file in drawn.iterdir() for kind in FORMATS}
    assert {file.name for file in (SHIPPED_STUDIES / shipped.name / "figures").iterdir()} == expected


def test_a_shipped_figure_is_what_its_study_draws_now(shipped: Study, drawn: Path) -> None:
    for file in drawn.iterdir():
        fresh, stored = file.read_text(), (SHIPPED_STUDIES / shipped.name / "figures" / file.name).read_text()
        advice = f"{file.name} of {shipped.name} is out of date: run `gpscale fit` on the shipped directory"
        assert said(stored) == said(fresh), advice
        assert len(places(stored)) == len(places(fresh)), advice
        np.testing.assert_allclose(places(stored), places(fresh), atol=0.5, err_msg=advice)
