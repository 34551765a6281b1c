from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import gpscale
from gpscale.errors import SweepFileError
from gpscale.factors import PAPER_BOUNDS, Bounds
from gpscale.sampling.fixed_macs import Grid, Line
from gpscale.sampling.sobol import Sobol
from gpscale.sweep import SweepConfig, fewest_trials
from gpscale.sweep.config import FREE_TO_CHANGE
from gpscale.sweep.file import flat

BASE = "mobilevitv2_050@64"
NOT_RUN = ("paper_imagenet100", "paper_cifar100", "paper_tieredimagenet", "paper_cub200", "paper_car_parts")
SWEEPS = sorted((Path(gpscale.__file__).parents[1] / "sweeps").glob("*.yaml"))
SWEEPS = [file for file in SWEEPS if not file.name.startswith("compare_")]


def config(**values: Any) -> SweepConfig:
    return SweepConfig.from_values({"base": BASE, **values})


def load(directory: Path, text: str, *overrides: str) -> SweepConfig:
    file = directory / "x.yaml"
    file.write_text(text)
    return SweepConfig.load(file, overrides)


def test_the_public_name_is_the_sweep_config() -> None:
    assert gpscale.SweepConfig is SweepConfig


def test_a_base_is_all_that_a_sweep_file_needs(tmp_path: Path) -> None:
    found = load(tmp_path, f"base: {BASE}\n")
    assert found == config()
    assert (found.trials, found.data.source, found.seed) == (24, "digits", 0)
    assert found.space.bounds == Bounds()
    assert isinstance(found.sampler.make(), Sobol)
    assert (found.sampling_band.low, found.sampling_band.high) == (0.2, 1.1)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {
            "num_classes": 10,
            "space": {"preset": "paper", "width": {"low": 0.5, "high": 1}, "pixel_step": 16},
            "sampler": {"name": "grid", "factors": ["width", "resolution"], "shape": [3, 4], "c": 0.5},
            "data": {"source": "folder", "root": "some/where", "memory_cap": "10MB"},
            "recipe": {"epochs": 3, "randaugment": {"magnitude": 5}, "gradient_clip": None},
            "fit": {"accuracy_floor": 0.25},
        },
    ],
)
def test_a_sweep_survives_being_written_with_every_default(values: dict[str, Any], tmp_path: Path) -> None:
    first = config(**values)
    text = first.to_yaml()
    assert load(tmp_path, text) == first
    assert load(tmp_path, text).to_yaml() == text
    written = yaml.safe_load(text)
    assert set(written) == set(SweepConfig.model_fields)
    assert written["recipe"]["label_smoothing"] == 0.1


def test_the_opening_comment_is_kept_when_a_sweep_is_written(tmp_path: Path) -> None:
    opening = "# How small?\n#\n# Costs an hour.\n"
    found = load(tmp_path, f"# yaml-language-server: $schema=x.json\n{opening}base: {BASE}  # not this\n# nor this\n")
    assert found.question == "How small?\n\nCosts an hour."
    assert found.resolved().to_yaml().startswith(f"{opening}base: {BASE}\n")
    assert load(tmp_path, found.resolved().to_yaml()).question == found.question
    assert config().question == ""
    # and it makes no other sweep
    assert not found.differences(config())


@pytest.mark.parametrize("file", SWEEPS, ids=lambda file: file.stem)
def test_every_sweep_file_of_the_project_can_be_read_and_fitted_and_says_what_it_asks(file: Path) -> None:
    config = SweepConfig.load(file)
    assert config.trials >= fewest_trials(config)
    assert "?" in config.question


def test_the_sweep_files_are_there() -> None:
    assert {"quickstart", "cifar10", "figure4", "figure6", "figure7", *NOT_RUN} <= {file.stem for file in SWEEPS}


@pytest.mark.parametrize("name", NOT_RUN)
def test_a_sweep_of_the_papers_own_has_its_base_ranges_and_batch_and_says_that_it_was_not_run(name: str) -> None:
    config = SweepConfig.load(next(file for file in SWEEPS if file.stem == name))
    assert config.base == "mobilevitv2_200@128"
    assert config.space.bounds == PAPER_BOUNDS
    assert (config.recipe.batch_size, config.recipe.epochs) == (64, 100)
    assert "Not run here." in " ".join(config.question.split())


def test_overrides_are_applied_in_order_and_read_as_yaml(tmp_path: Path) -> None:
    text = f"base: {BASE}\nrecipe:\n  epochs: 3\n"
    found = load(
        tmp_path, text, "recipe.epochs=5", "recipe.epochs=7", "recipe.ema=false", "space.width={low: 0.5, high: 1.0}",
        "data.root=a=b", "sampler.name=line", "sampler.factor=width", "sampler.compensate=[resolution, ir_depth]",
        "recipe.learning_rate=1e-3",
    )  # fmt: skip
    assert (found.recipe.epochs, found.recipe.ema, found.recipe.learning_rate) == (7, False, 0.001)
    assert found.space.bounds.width == (0.5, 1.0)
    assert str(found.data.root) == "a=b"
    assert found.sampler.make() == Line("width", ("resolution", "ir_depth"))


def test_the_paper_preset_has_the_papers_ranges_and_own_bounds_win() -> None:
    assert config(space={"preset": "paper"}).space.bounds == PAPER_BOUNDS
    mixed = config(space={"preset": "paper", "width": {"low": 0.9, "high": 1.0}}).space.bounds
    assert mixed.width == (0.9, 1.0)
    assert mixed.ir_depth == PAPER_BOUNDS.ir_depth == (1.3, 2.3)


@pytest.mark.parametrize(
    ("options", "sampler"),
    [
        ({"name": "line", "factor": "width", "compensate": "resolution"}, Line("width", "resolution")),
        ({"name": "grid", "shape": [2, 3], "tolerance": 0.05}, Grid(shape=(2, 3), tolerance=0.05)),
    ],
)
def test_options_of_a_sampler_reach_it(options: dict[str, Any], sampler: object) -> None:
    assert config(sampler=options).sampler.make() == sampler


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"space": {"width": {"low": 2, "high": 1}}}, "`space.width`: `low` must not exceed `high`"),
        ({"sampler": {"name": "grid", "shape": [6, "x"]}}, "`sampler.shape.1` must be a whole number"),
        ({"sampler": {"name": "grid", "shape": [1, 6]}}, "`sampler`: `shape` must be two"),
        ({"fit": {"pareto_share": 0}}, "`fit.pareto_share` must be greater than 0. Got 0"),
        ({"fit": {"bootstrap": 1}}, "`fit.bootstrap`"),
        ({"data": {"validation": 1.0}}, "`data.validation` must be less than 1"),
        ({"seed": -1}, "`seed`"),
        ({"num_classes": 1}, "`num_classes` must be greater than or equal to 2"),
        ({"space": {"pixel_step": 0}}, "`space.pixel_step`"),
    ],
)
def test_what_is_not_legal_is_named_as_it_was_written(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SweepFileError) as caught:
        config(**values)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_only_what_makes_another_sweep_counts_as_a_difference() -> None:
    own = config()
    assert own.differences(config(trials=99, fit={"bootstrap": 7}, data={"root": "x", "download": True})) == {}
    assert own.differences(config(seed=3)) == {"seed": (0, 3)}
    assert own.differences(config(recipe={"epochs": 2}, band={"low": 0.3, "high": 1.1})) == {
        "band.low": (0.2, 0.3),
        "recipe.epochs": (10, 2),
    }
    line = own.differences(config(sampler={"name": "line"}))
    assert line.pop("sampler.name") == ("sobol", "line")
    assert line == {
        "sampler.factor": (None, "resolution"),
        "sampler.compensate": (None, "width"),
        "sampler.c": (None, 1.0),
        "sampler.tolerance": (None, 0.03),
    }


def test_a_default_written_out_is_no_difference() -> None:
    own = config(sampler={"name": "line"})
    assert own.differences(SweepConfig.from_values(own.resolved().model_dump(mode="json"))) == {}
    written = own.resolved()
    assert (written.space.pixel_step, written.space.width.low) == (16, 0.4)  # type: ignore[union-attr]


def test_half_a_span_takes_its_other_end_from_the_preset() -> None:
    assert config(space={"width": {"low": 0.3}}).space.bounds.width == (0.3, 1.4)
    assert config(space={"preset": "paper", "width": {"low": 0.3}}).space.bounds.width == (0.3, 1.2)
    assert config(band={"low": 0.3}).band.high == 1.1


def test_the_settings_that_may_change_exist() -> None:
    known = {*flat(config().model_dump(mode="json")), *SweepConfig.model_fields}
    assert set(FREE_TO_CHANGE) <= known
