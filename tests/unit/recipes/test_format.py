"""Recipes tell their format, so that one of a newer version is refused as such."""

import pytest

from blip_core.errors import RecipeError
from blip_core.recipes import load_recipe, show_recipe

RECIPE = show_recipe("gallery-vqa")


def test_the_format_that_is_known_changes_nothing(tmp_path):
    plain, told = tmp_path / "plain.toml", tmp_path / "told.toml"
    plain.write_text(RECIPE)
    told.write_text("format = 1\n" + RECIPE)
    assert load_recipe(str(told)).digest() == load_recipe(str(plain)).digest()


@pytest.mark.parametrize("written", ["2", "0", "true", '"one"'])
def test_another_format_is_refused_in_a_sentence(tmp_path, written):
    path = tmp_path / "newer.toml"
    path.write_text(f"format = {written}\n{RECIPE}")
    with pytest.raises(RecipeError, match="this blip-foundry reads up to 1"):
        load_recipe(str(path))
