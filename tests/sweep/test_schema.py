from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import gpscale
from gpscale import sampling
from gpscale.errors import SweepFileError
from gpscale.sweep import SweepConfig
from gpscale.sweep.schema import MODELINE, SCHEMA_FILE, sampler_options, sampler_summary, schema_text, sweep_schema

BASE = "mobilevitv2_050@64"
SWEEPS = Path(gpscale.__file__).parents[1] / "sweeps"
FILES = sorted(file for file in SWEEPS.glob("*.yaml") if not file.name.startswith("compare_"))


def faults(values: Any) -> list[str]:
    return [fault.message for fault in jsonschema.Draft7Validator(sweep_schema()).iter_errors(values)]


def test_the_schema_beside_the_sweeps_is_the_present_one() -> None:
    """`gpscale schema > sweeps/sweep.schema.json` mends it."""
    assert json.loads((SWEEPS / SCHEMA_FILE).read_text()) == json.loads(schema_text())


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(sweep_schema())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_sweep_file_of_the_project_names_the_schema_and_follows_it(file: Path) -> None:
    text = file.read_text()
    assert text.startswith(f"{MODELINE}\n# ")
    assert faults(yaml.safe_load(text)) == []


def test_a_file_with_every_setting_written_out_follows_the_schema() -> None:
    config = SweepConfig.from_values({"base": BASE, "sampler": {"name": "line"}})
    assert faults(yaml.safe_load(config.resolved().to_yaml())) == []


@pytest.mark.parametrize(
    "values",
    [
        {"space": {"width": {"low": 0.5}}},
        {"sampler": {}},
        {"sampler": {"name": "random"}},
        {"sampler": {"name": "grid", "factors": ["width", "resolution"], "shape": [3, 4], "c": 0.5}},
        {"sampler": {"name": "line", "compensate": "width"}},
        {"sampler": {"name": "line", "compensate": ["width", "ir_depth"]}},
        {"recipe": {"randaugment": {"magnitude": 3}, "gradient_clip": None}},
        {"data": {"source": "cifar10", "root": "data", "memory_cap": "4GiB"}},
    ],
)
def test_the_schema_allows_what_a_sweep_may_be(values: dict[str, Any]) -> None:
    assert faults({"base": BASE, **values}) == []
    SweepConfig.from_values({"base": BASE, **values})


@pytest.mark.parametrize(
    "values",
    [
        {"trails": 8},
        {"pixel_step": 8},
        {"trials": "many"},
        {"trials": 0},
        {"space": {"preset": "papers"}},
        {"space": {"width": {"low": 0}}},
        {"sampler": {"name": "sobel"}},
        {"sampler": {"name": "random", "c": 1}},
        {"sampler": {"factor": "width"}},
        {"sampler": {"name": "grid", "shape": [3]}},
        {"data": {"source": "cifar11"}},
        {"recipe": {"randaugment": {"strength": 3}}},
        {"fit": {"pareto_share": 0}},
    ],
)
def test_the_schema_refuses_what_a_sweep_may_not_be(values: dict[str, Any]) -> None:
    assert len(faults({"base": BASE, **values})) == 1
    with pytest.raises(SweepFileError):
        SweepConfig.from_values({"base": BASE, **values})


def test_a_base_is_required() -> None:
    assert faults({}) == ["'base' is a required property"]


def test_every_setting_says_what_it_means_and_has_its_default() -> None:
    schema = sweep_schema()
    sections = [schema, *(part for part in schema["$defs"].values() if "properties" in part)]
    settings = [(name, setting) for section in sections for name, setting in section["properties"].items()]
    silent = [name for name, setting in settings if "description" not in setting and "$ref" not in setting]
    assert silent == []
    assert [name for name, setting in settings if "default" not in setting] == ["base", "low", "high"]
    assert schema["$defs"]["Recipe"]["properties"]["epochs"]["default"] == SweepConfig(base=BASE).recipe.epochs


@pytest.mark.parametrize("name", sampling.names())
def test_every_sampler_and_each_of_its_options_is_explained(name: str) -> None:
    assert sampler_summary(name).endswith(".")
    sampler = sampling.make(name)
    for option, (meaning, default) in sampler_options(name).items():
        assert meaning.endswith(".")
        assert default == getattr(sampler, option)
    [variant] = [
        variant
        for variant in sweep_schema()["$defs"]["SamplerConfig"]["oneOf"]
        if variant["properties"]["name"]["const"] == name
    ]
    assert set(variant["properties"]) == {"name", *sampler_options(name)}
