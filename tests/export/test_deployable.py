"""What is exported: which architecture, which weights, how many classes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from gpscale import recommend
from gpscale.errors import ExportError, ImageSizeError, ModelFileError, UnknownNameError
from gpscale.export.deployable import CLASSES, find_deployable
from gpscale.training.weights import load_model
from tests.export.made_weights import CLASS_NAMES, MEAN, MODEL, STD, write_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "model.safetensors")


def test_random_weights_are_the_same_every_time_and_leave_the_callers_numbers_alone() -> None:
    state = torch.random.get_rng_state()
    first, second = (find_deployable(MODEL, None, 5).build() for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    images = torch.ones(1, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(first(images), second(images))
        assert first(images).shape == (1, 5)


def test_trained_weights_are_those_of_the_file(weights: Path) -> None:
    found = find_deployable(MODEL, weights, None)
    assert found.num_classes == len(CLASS_NAMES)
    built, (expected, _) = found.build(), load_model(weights)
    with torch.inference_mode():
        images = torch.ones(1, 3, 32, 32)
        assert torch.equal(built(images), expected(images))


def test_a_deployer_is_told_what_the_weights_need(weights: Path) -> None:
    facts = find_deployable(MODEL, weights, None).facts()
    assert (facts["model"], facts["weights"]) == (MODEL, "t0")
    assert tuple(json.loads(facts["class_names"])) == CLASS_NAMES
    assert (tuple(json.loads(facts["mean"])), tuple(json.loads(facts["std"]))) == (MEAN, STD)
    assert json.loads(facts["architecture"])["pixels"] == 32
    assert "1 x 3 x 32 x 32, RGB" in facts["input"]
    random = find_deployable(MODEL, None, None).facts()
    assert random["weights"] == "random"
    assert not {"mean", "std", "class_names"} & random.keys()


def test_the_number_of_classes_is_the_one_asked_for_else_the_recommendations(tmp_path: Path) -> None:
    file = tmp_path / "pick.json"
    file.write_text(json.dumps(recommend("15M", num_classes=7).to_dict()))
    assert find_deployable(str(file), None, None).num_classes == 7
    assert find_deployable(str(file), None, 3).num_classes == 3
    assert find_deployable(MODEL, None, None).num_classes == CLASSES


def test_a_recommendation_is_called_by_family_and_pixels_wherever_its_file_lay(tmp_path: Path) -> None:
    pick, file = recommend("15M", num_classes=7), tmp_path / "pick.json"
    file.write_text(json.dumps(pick.to_dict()))
    facts = find_deployable(str(file), None, None).facts()
    assert facts["model"] == f"mobilevitv2@{pick.architecture.pixels}"
    assert not any(str(tmp_path) in value or "pick" in value for value in facts.values())


def test_weights_of_another_model_are_refused_and_both_are_named(weights: Path) -> None:
    with pytest.raises(ExportError) as raised:
        find_deployable("mobilenetv1_025@32", weights, None)
    said = str(raised.value)
    assert "mobilenetv1_025@32, a mobilenetv1 of 32 px" in said
    assert f"{weights}, which holds a mobilevitv2 of 32 px" in said
    with pytest.raises(ExportError, match="Weights must be those of the model"):
        find_deployable("mobilevitv2_050@64", weights, None)
    with pytest.raises(ExportError, match="Got 10, and .* with 3"):
        find_deployable(MODEL, weights, 10)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(b"no tensors")
    with pytest.raises(ModelFileError, match=r"Weights must be a file that `gpscale train` wrote. Got .*torn"):
        find_deployable(MODEL, torn, None)
    with pytest.raises(ModelFileError, match="absent"):
        find_deployable(MODEL, tmp_path / "absent.safetensors", None)
    with pytest.raises(ImageSizeError, match="Take 96 or 128"):
        find_deployable("edgevit_xxs@100", None, None)
    with pytest.raises(UnknownNameError, match="one of our families"):
        find_deployable("timm:resnet18", None, None)
