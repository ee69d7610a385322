"""`foundry recipes`: what can be named, and copies of what ships."""

import pytest

from blip_core.plugins import GROUPS
from blip_core.recipes import load_recipe, recipe_names
from tests.flows.test_cli import foundry
from tests.packages import install


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_parts_are_listed_by_group_with_those_of_packages(monkeypatch, capsys, tmp_path):
    made = "SHORT = Measure('short', 'share of short texts', None)"
    code = f"from blip_core.scoring.measures import Measure\n{made}"
    parts = {"measures": {"short": "brief_parts:SHORT"}, "painters": {"gone": "brief_parts:GONE"}}
    install(tmp_path / "site", "brief", {"brief_parts.py": code}, parts)
    monkeypatch.syspath_prepend(tmp_path / "site")

    assert foundry(monkeypatch, "recipes", "--parts") == 0

    said = capsys.readouterr().out
    assert [line.removesuffix(":") for line in said.splitlines() if not line.startswith(" ")] == list(GROUPS)
    assert "  short                  share of short texts (brief 1.0)\n" in said
    assert "  gone                   cannot be used: the painter gone of brief 1.0 cannot be loaded" in said


@pytest.mark.parametrize("name", recipe_names())
def test_a_copied_recipe_is_sparse_and_the_same(monkeypatch, capsys, here, name):
    assert foundry(monkeypatch, "recipes", "--copy", name) == 0

    copied = here / f"{name}.toml"
    assert f"foundry run {name}.toml" in capsys.readouterr().out
    assert load_recipe(str(copied)) == load_recipe(name)
    assert len(copied.read_text()) < len(load_recipe(name).to_toml())


def test_a_copy_overwrites_nothing(monkeypatch, capsys, here):
    (here / "gallery-vqa.toml").write_text("mine")
    assert foundry(monkeypatch, "recipes", "--copy", "gallery-vqa") == 2
    assert "gallery-vqa.toml is there already" in capsys.readouterr().err
    assert (here / "gallery-vqa.toml").read_text() == "mine"


@pytest.mark.parametrize("name", ["galery-vqa", "pocket", "../gallery-vqa", "gallery-vqa.toml"])
def test_what_does_not_ship_is_not_copied(monkeypatch, capsys, here, name):
    assert foundry(monkeypatch, "recipes", "--copy", name) == 2
    assert "there is no shipped recipe" in capsys.readouterr().err
    assert list(here.iterdir()) == []
