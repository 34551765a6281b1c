import pytest
from pydantic import ValidationError

from gpscale.training.recipe import Recipe


def test_a_recipe_survives_json():
    recipe = Recipe(epochs=3, randaugment={"num_ops": 1, "magnitude": 5}, gradient_clip=None)
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


@pytest.mark.parametrize(
    "values",
    [
        {"epoch": 3},
        {"epochs": 0},
        {"batch_size": 1},
        {"learning_rate": 0.0},
        {"label_smoothing": 1.0},
        {"crop": "centre"},
        {"precision": "float16"},
        {"randaugment": {"strength": 3}},
    ],
)
def test_an_illegal_recipe_is_refused_with_the_name_of_the_field(values):
    with pytest.raises(ValidationError, match=next(iter(values))):
        Recipe(**values)


def test_every_field_is_described_for_the_schema():
    properties = Recipe.model_json_schema()["properties"]
    assert [name for name, entry in properties.items() if not entry.get("description")] == []
