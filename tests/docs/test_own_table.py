"""The table that the page shows is read by the commands beside it."""

import json

import pytest
from PIL import Image
from typer.testing import CliRunner

from flows.cli.app import app
from tests.docs.documents import ROOT, blocks, commands

PAGE = ROOT / "docs/how-to/own-table.md"
DRY = [one.words for one in commands(PAGE) if one.words[:1] == ("predict",) and "--dry-run" in one.words]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The page's table with pictures of the names that it holds."""
    (text,) = blocks(PAGE, "csv")
    (tmp_path / "questions.csv").write_text(text, encoding="utf-8")
    (tmp_path / "photos").mkdir()
    for number, line in enumerate(text.splitlines()[1:]):
        Image.new("RGB", (48, 48), (40 * number, 90, 160)).save(tmp_path / "photos" / line.split(",")[1])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("words", DRY, ids=" ".join)
def test_the_table_shown_can_be_used(words, folder):
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    assert "2 can be used" in done.stdout
    assert "image='picture'" in done.stdout


def test_the_object_shown_is_what_a_program_gets(folder):
    (shown,) = blocks(PAGE, "json")
    done = CliRunner().invoke(app, [*DRY[0], "--json"])
    assert json.loads(done.stdout) == json.loads(shown)


def test_the_recipe_shown_learns_from_one_table_and_is_judged_on_another(folder):
    recipe, _ = blocks(PAGE, "toml")
    heading, first, second = (folder / "questions.csv").read_text(encoding="utf-8").splitlines()
    for name, content in (("my-questions.toml", recipe), ("learn.csv", first), ("judge.csv", second)):
        text = content if name.endswith(".toml") else f"{heading}\n{content}\n"
        (folder / name).write_text(text, encoding="utf-8")
    done = CliRunner().invoke(app, ["run", "my-questions.toml", "--dry-run"])
    assert done.exit_code == 0, done.output
    assert "predict finetuned" in done.stdout
    assert "scenes" not in done.stdout


def test_the_recipe_of_captions_shown_can_be_run_and_its_pictures_captioned(folder):
    _, recipe = blocks(PAGE, "toml")
    photos = sorted(path.name for path in (folder / "photos").iterdir())
    (folder / "my-captions.toml").write_text(recipe, encoding="utf-8")
    for name, photo in zip(("learn.csv", "judge.csv"), photos, strict=True):
        (folder / name).write_text(f"image,caption\n{photo},a thing\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["run", "my-captions.toml", "--dry-run"])
    assert done.exit_code == 0, done.output
    given = ["predict", "photos", "--recipe", "my-captions.toml", "--dry-run"]
    captioned = CliRunner().invoke(app, given)
    assert "2 can be used" in captioned.stdout


def test_the_page_asks_before_it_answers():
    assert len(DRY) >= 2
