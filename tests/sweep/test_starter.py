from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from gpscale import families, sampling
from gpscale.errors import DataError, SweepFileError
from gpscale.stored import opening_comment
from gpscale.sweep import SweepConfig
from gpscale.sweep.file import flat
from gpscale.sweep.schema import SCHEMA_FILE, schema_text, sweep_schema
from gpscale.sweep.starter import Starter, starter, write_starter
from gpscale.training.data.survey import Survey
from tests.training.data.made_images import encoded, picture, write_folder, write_parquet


def read(made: Starter) -> SweepConfig:
    return SweepConfig.from_values(yaml.safe_load(made.text))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "photos", per_class=40, kind="JPEG", width=150, height=120)


def test_a_starter_reads_as_the_sweep_that_it_describes(photos: Path) -> None:
    for made in (starter(), starter(photos), starter(photos, "mobilevitv2_075@64")):
        assert read(made) == made.config
        assert list(jsonschema.Draft7Validator(sweep_schema()).iter_errors(yaml.safe_load(made.text))) == []


def test_a_starter_without_images_differs_from_the_defaults_only_where_the_digits_call_for_it() -> None:
    made = starter()
    written, default = made.config, SweepConfig(base=made.config.base)
    values, defaults = (flat(config.model_dump(mode="json")) for config in (written, default))
    differing = {name for name in values.keys() | defaults.keys() if values.get(name) != defaults.get(name)}
    assert differing == {"num_classes", "recipe.batch_size", "data.stored_pixels"}
    assert (written.num_classes, written.data.stored_pixels, written.base) == (10, 8, "mobilevitv2_050@32")


def test_every_setting_has_a_line_of_its_own_below_its_meaning() -> None:
    lines = starter().text.splitlines()
    bare = [line.strip().removeprefix("# ") for line in lines]
    for name in flat(SweepConfig(base="mobilevitv2_050@32").resolved().model_dump(mode="json")):
        # a span stands on one line
        key = name.removesuffix(".low").removesuffix(".high") if name.startswith("space.") else name
        [*_, last] = key.split(".")
        places = [place for place, line in enumerate(bare) if line.startswith(f"{last}: ")]
        assert places, name
        assert all(lines[place - 1].strip().startswith("# ") for place in places), name
    for sampler in sampling.names():
        assert f"name: {sampler}" in bare


def test_taking_the_mark_away_fixes_what_follows_from_other_settings(photos: Path) -> None:
    made = starter(photos)
    text = made.text.replace("  # pixel_step:", "  pixel_step:").replace("  # width:", "  width:")
    found = SweepConfig.from_values(yaml.safe_load(text))
    assert found != made.config
    assert found.resolved() == made.config.resolved()


def test_another_sampler_can_be_taken_by_its_lines() -> None:
    text = starter().text.replace("  name: sobol\n", "").replace("  # name: line\n", "  name: line\n")
    text = text.replace("  # factor: resolution", "  factor: resolution")
    assert SweepConfig.from_values(yaml.safe_load(text)).sampler.make() == sampling.make("line")


def test_photos_get_a_base_pixels_and_a_recipe_that_suit_them(photos: Path) -> None:
    made = starter(photos)
    config = made.config
    assert (config.data.source, config.data.root, config.num_classes) == ("folder", photos, 2)
    assert config.base == "mobilevitv2_100@128"
    assert config.data.stored_pixels == 120
    assert (config.recipe.crop, config.recipe.batch_size) == ("resized", 8)
    assert "64 images to train and 16 to validate" in " ".join(made.text.replace("#", "").split())
    assert "shorter sides of 120 pixels in the 80 images" in " ".join(made.text.replace("#", "").split())


def test_no_more_pixels_are_stored_than_the_sweep_trains_at(photos: Path) -> None:
    assert starter(photos, "mobilevitv2_050@32").config.data.stored_pixels == 64


def cost(made: Starter) -> float:
    """Multiply-accumulates forwards of all trainings, as if all trials were as large as the base."""
    config, base = made.config, families.parse_base(made.config.base)
    family = families.get(base.family)
    macs = family.count(family.row(base.architecture)[None], len(made.images.classes))[0][0]
    images = config.data.train_images or made.images.train_images
    return config.trials * images * config.recipe.epochs * float(macs)


@pytest.mark.parametrize(("classes", "per_class"), [(10, 6_000), (100, 1_300), (2, 100_000)])
def test_many_images_are_cut_down_to_a_sweep_of_hours(
    classes: int, per_class: int, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, validation = int(0.8 * classes * per_class), int(0.2 * classes * per_class)
    names = tuple(str(label) for label in range(classes))
    monkeypatch.setattr("gpscale.sweep.starter.survey", lambda data: Survey(names, train, validation, (((32, 32), 9),)))
    made = starter(photos)
    data, recipe = made.config.data, made.config.recipe
    assert read(made) == made.config
    assert data.train_images is not None
    assert data.train_images < train
    assert data.validation_images is not None
    assert 10 * classes <= data.validation_images < validation
    assert recipe.epochs >= 4
    assert 5e13 < cost(made) <= 1e14
    words = " ".join(made.text.replace("#", "").split())
    assert f"{made.config.trials} trials x {data.train_images:,} images x {recipe.epochs} epochs x " in words
    assert "of the order of hours on two cores" in words
    assert "Fewer than there are, so that the sweep does not take days" in words


def test_the_epochs_are_cut_before_the_images(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = Survey(("a", "b"), 10_000, 2_000, (((32, 32), 9),))
    monkeypatch.setattr("gpscale.sweep.starter.survey", lambda data: few)
    config = starter(photos).config
    assert (config.data.train_images, config.data.validation_images) == (None, None)
    assert 4 <= config.recipe.epochs < SweepConfig(base=config.base).recipe.epochs


def test_a_class_keeps_some_images_however_dear_the_sweep(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = Survey(tuple(str(label) for label in range(1000)), 1_000_000, 200_000, (((400, 400), 9),))
    monkeypatch.setattr("gpscale.sweep.starter.survey", lambda data: many)
    made = starter(photos, "mobilevitv2_200@256")
    assert (made.config.data.train_images, made.config.recipe.epochs) == (10_000, 4)
    assert "of the order of days on two cores" in " ".join(made.text.replace("#", "").split())


def test_a_small_sweep_is_left_as_it_is_and_said_to_be_small() -> None:
    made = starter()
    assert (made.config.data.train_images, made.config.recipe.epochs) == (None, 10)
    assert "of the order of minutes on two cores" in " ".join(made.text.replace("#", "").split())


def test_small_images_in_parquet_get_a_small_base(tmp_path: Path) -> None:
    images = [encoded(picture(seed, 32, 32)) for seed in range(12)]
    write_parquet(tmp_path / "train.parquet", images, [0, 1, 2] * 4, ["cat", "dog", "owl"])
    config = starter(tmp_path).config
    assert (config.base, config.num_classes) == ("mobilevitv2_050@96", 3)
    assert (config.data.source, config.data.stored_pixels, config.recipe.crop) == ("parquet", 32, "pad")
    assert config.recipe.batch_size == 8


def test_the_opening_comment_is_the_question(photos: Path) -> None:
    made = starter(photos)
    assert opening_comment(made.text) == f"How should {made.config.base} shrink on the images in {photos}?"


def test_an_unknown_base_is_refused(photos: Path) -> None:
    with pytest.raises(SweepFileError, match="'mobilevitv2_20@64'.*Did you mean"):
        starter(photos, "mobilevitv2_20@64")


def test_images_that_cannot_be_trained_on_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "one", classes=("cat",))
    with pytest.raises(DataError, match="at least two classes"):
        starter(tmp_path / "one")
    write_folder(tmp_path / "few", per_class=1)
    with pytest.raises(DataError, match="at least 2 images"):
        starter(tmp_path / "few")


def test_a_starter_is_written_with_its_schema_and_never_over_a_file(tmp_path: Path) -> None:
    made, file = starter(), tmp_path / "sweeps" / "x.yaml"
    assert write_starter(made, file) == [file, file.with_name(SCHEMA_FILE)]
    assert file.read_text() == made.text
    assert file.with_name(SCHEMA_FILE).read_text() == schema_text()
    file.write_text("mine")
    with pytest.raises(SweepFileError, match=r"must be a new file\. .*x\.yaml exists\. Choose another"):
        write_starter(made, file)
    assert file.read_text() == "mine"


def test_a_schema_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / SCHEMA_FILE).write_text("mine")
    assert write_starter(starter(), tmp_path / "x.yaml") == [tmp_path / "x.yaml"]
    assert (tmp_path / SCHEMA_FILE).read_text() == "mine"
