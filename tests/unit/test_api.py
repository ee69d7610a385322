"""The public face of the library: these names, and a picture answered with no more than them."""

import subprocess
import sys
from dataclasses import replace

import pytest

import blip_core
from blip_core import Model, load_model, load_recipe
from blip_core.errors import PictureError, RecipeError, UserMistake
from tests.unit.examples import png, world_pixels

OPTIONS = ["a cup", "a dog"]


def test_the_public_names_are_these():
    assert sorted(blip_core.__all__) == [
        "Model",
        "label_pictures",
        "load_model",
        "load_recipe",
        "paint_pictures",
        "read_split",
        "write_scenes",
    ]
    assert all(callable(getattr(blip_core, name)) for name in blip_core.__all__)


def test_another_name_is_no_part_of_it():
    with pytest.raises(AttributeError, match="'grow'"):
        blip_core.grow  # noqa: B018


def test_importing_a_room_loads_no_other():
    program = (
        "import sys, blip_core.texts; sys.exit(any(name.startswith('blip_core.w') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(load_recipe("gallery-vqa"), "flan-t5")


def test_a_picture_is_answered_by_one_of_its_options(model, tmp_path):
    picture = tmp_path / "mine.png"
    picture.write_bytes(png(world_pixels(3)))

    said = model.answer(picture, "What is it?", OPTIONS)

    assert (said.id, said.variant, said.offered) == ("mine.png", "flan-t5", len(OPTIONS))
    assert said.ranked in ("A", "B")
    assert sum(said.probabilities) == pytest.approx(1.0)


@pytest.fixture
def picture(tmp_path):
    (tmp_path / "mine.png").write_bytes(png(world_pixels(3)))
    return tmp_path / "mine.png"


def test_a_question_without_options_is_answered_in_words(model, picture):
    said = model.answer(picture, "What place is it?")

    assert (said.ranked, said.offered) == ("", 0)
    assert said.generated


def test_a_picture_that_nothing_is_asked_about_is_captioned(model, picture):
    said = model.answer(picture)

    assert len(said.generated.split()) > 1


def test_a_prompt_of_a_variants_own_is_for_rows_of_the_recipes_kind_alone(model, picture):
    terse = replace(model, prompt="{question} A. {a} B. {b}")

    def differs(*asked):
        return terse.answer(picture, *asked).to_row() != model.answer(picture, *asked).to_row()

    assert differs("What is it?", OPTIONS)
    assert not differs("What place is it?")
    assert not differs()


@pytest.mark.parametrize(("question", "options"), [("", OPTIONS), ("What?", ["one"]), ("What?", ["x"] * 11)])
def test_options_belong_to_a_question_and_are_two_to_ten(model, picture, question, options):
    with pytest.raises(UserMistake, match="options belong to a question, and there are 2 to 10 of them"):
        model.answer(picture, question, options)


def test_a_variant_that_carries_an_adapter_is_not_loaded_without_one():
    with pytest.raises(RecipeError, match="finetuned carries an adapter: name its folder"):
        load_model(load_recipe("gallery-vqa"))


def test_a_file_that_is_no_picture_is_named(model, tmp_path):
    (tmp_path / "mine.png").write_text("words")
    with pytest.raises(PictureError, match=r"mine\.png"):
        model.answer(tmp_path / "mine.png", "What is it?", OPTIONS)


def test_a_variant_that_is_unknown_is_named_with_those_there_are():
    with pytest.raises(RecipeError, match="'mine'; allowed: baseline, flan-t5, finetuned"):
        load_model(load_recipe("gallery-vqa"), "mine")
