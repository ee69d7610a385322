"""Recipes that name tables of one's own."""

import pytest

from blip_core.errors import RecipeError
from blip_core.recipes import load_recipe

RECIPE = """
name = "mine"
title = "A recipe of tables"
task = "mcq"
labels = { prompt = "<image> ask" }
inference = { answer_prompt = "{question} {a} {b} {c} {d}" }
variants = [{ name = "base", role = "base" }]
source = { kind = "table", path = "train.csv", images = "pictures", columns = { image = "file_name" } }
evaluation = { kind = "table", path = "test.parquet" }
"""


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(RECIPE)
    return path


def test_tables_are_named_with_their_folders_and_columns(own):
    recipe = load_recipe(str(own))
    assert (recipe.source.path, recipe.source.images) == ("train.csv", "pictures")
    assert recipe.source.columns.given() == {"image": "file_name"}
    assert recipe.source.questions == "table"
    assert recipe.evaluation.columns.given() == {}


def test_a_column_can_be_mapped_on_the_command_line(own):
    recipe = load_recipe(str(own), overrides=["evaluation.columns.answer=label", 'source.columns.id=""'])
    assert recipe.evaluation.columns.given() == {"answer": "label"}
    assert recipe.source.columns.given() == {"id": "", "image": "file_name"}


def test_the_resolved_recipe_reproduces_its_tables(own, tmp_path):
    recipe = load_recipe(str(own), overrides=["source.columns.answer=label"])
    (tmp_path / "again.toml").write_text(recipe.to_toml())
    assert load_recipe(str(tmp_path / "again.toml")).source == recipe.source


def test_a_field_that_no_table_has_is_refused(own):
    with pytest.raises(RecipeError, match=r"columns\.colour.*there is no such field; allowed: a,"):
        load_recipe(str(own), overrides=["evaluation.columns.colour=x"])


def test_a_labellers_options_need_no_shuffling(own):
    with pytest.raises(RecipeError, match="questions is labeller"):
        load_recipe(str(own), overrides=["source.questions=labeller", "source.shuffle_options=true"])
