"""Parts of installed packages in a recipe: written where one is taken, and no trace of them elsewhere."""

import sys

import pytest

from blip_core.recipes import load_recipe
from tests.packages import install

CODE = """
from blip_core.ports import Backend
from blip_core.recipes import Section
class Dials(Section):
    least: int = 3
BACKEND = Backend(Dials, None)
"""
TAKEN = {"scenes": "writers", "pictures": "painters", "labels": "labellers"}


@pytest.fixture
def package(monkeypatch, tmp_path):
    """Brings a writer, a painter and a labeller, all of the name `own`."""
    parts = {group: {"own": "own_parts:BACKEND"} for group in TAKEN.values()}
    install(tmp_path / "site", "own", {"own_parts.py": CODE}, parts)
    monkeypatch.syspath_prepend(tmp_path / "site")
    yield
    sys.modules.pop("own_parts", None)


@pytest.mark.parametrize("section", TAKEN)
def test_a_part_that_is_taken_comes_back_from_the_text_of_the_recipe(section, package, tmp_path):
    recipe = load_recipe("gallery-vqa", "pocket", [f"{section}.plugin={{name='own', settings={{least=5}}}}"])
    (tmp_path / "again.toml").write_text(recipe.to_toml(), encoding="utf-8")
    again = load_recipe(str(tmp_path / "again.toml"))
    assert again == recipe
    assert getattr(again, section).plugin.settings == {"least": 5}
    assert again.digest(section) == recipe.digest(section) != load_recipe("gallery-vqa").digest(section)


@pytest.mark.parametrize("section", TAKEN)
def test_where_none_is_taken_the_section_does_not_speak_of_parts(section):
    assert "plugin" not in load_recipe("gallery-vqa", "pocket").model_dump()[section]
