from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gpscale.comparison.side_by_side.settings import ComparisonConfig
from gpscale.errors import SweepFileError
from gpscale.sweep.yaml_text import read_yaml


@pytest.mark.parametrize(
    "text", ["", "a: 1", "[1, {b: 2}]", "a: &x {b: 1}\nc: *x\nd: {<<: *x, b: 2}", "a: {b: 1}\nb: 2"]
)
def test_yaml_without_repetition_is_read_as_by_pyyaml(text: str) -> None:
    assert read_yaml(text) == yaml.safe_load(text)


def test_every_key_that_stands_twice_is_named_with_its_lines() -> None:
    with pytest.raises(SweepFileError) as caught:
        read_yaml("a: 1\nb:\n- c: 1\n  c: 2\na: 2\na: 3\n")
    assert str(caught.value).splitlines() == [
        "`b.c` must be set once. Got it on lines 3 and 4. Remove one.",
        "`a` must be set once. Got it on lines 1, 5 and 6. Remove one.",
    ]


def test_what_an_anchor_names_is_blamed_once() -> None:
    with pytest.raises(SweepFileError) as caught:
        read_yaml("a: &x\n  b: 1\n  b: 2\nc: *x\n")
    assert str(caught.value) == "`a.b` must be set once. Got it on lines 2 and 3. Remove one."


def test_a_comparison_file_may_not_set_a_key_twice(tmp_path: Path) -> None:
    file = tmp_path / "compare.yaml"
    file.write_text("budgets: [20M]\nseeds: 1\nseeds: 2\n")
    with pytest.raises(SweepFileError, match="`seeds` must be set once. Got it on lines 2 and 3"):
        ComparisonConfig.load(file)
