"""What stands in a prompt: the context of a question where there is one, and no trace of it elsewhere."""

from dataclasses import replace

import pytest

from blip_core.errors import RecipeError
from blip_core.inference.prompting import Question, answer_prompt, describe_prompt, undescribed
from blip_core.modeling.text import PICTURE_PLACE, Prompt
from blip_core.recipes import Inference, load_recipe
from blip_core.records import Mode
from tests.unit.examples import example

PLAIN = Inference(
    describe_prompt="Look.\nQuestion: {question}\n",
    answer_prompt="Seen: {description}\nQuestion: {question}\nA. {a}\nB. {b}\nC. {c}\nD. {d}\nAnswer:",
)
WITH_CONTEXT = PLAIN.model_copy(
    update={
        "describe_prompt": PLAIN.describe_prompt.replace("Question", "Hint: {context}\nQuestion"),
        "answer_prompt": PLAIN.answer_prompt.replace("Question", "Hint: {context}\nQuestion"),
    }
)
BARE = example(0)
HINTED = replace(BARE, context="The {frog} is green.\nIt sits.")


def test_a_context_stands_where_the_prompts_have_a_place_for_it():
    for prompt in (describe_prompt(WITH_CONTEXT, HINTED), answer_prompt(WITH_CONTEXT, HINTED, "a frog")):
        assert f"Hint: {HINTED.context}\nQuestion: {BARE.question}" in prompt


def test_a_row_without_a_context_is_asked_as_if_the_prompt_had_no_place_for_one():
    assert describe_prompt(WITH_CONTEXT, BARE) == describe_prompt(PLAIN, BARE)
    assert answer_prompt(WITH_CONTEXT, BARE, "a frog") == answer_prompt(PLAIN, BARE, "a frog")


def test_a_prompt_without_a_place_asks_the_same_with_and_without_a_context():
    assert answer_prompt(PLAIN, HINTED, "a frog") == answer_prompt(PLAIN, BARE, "a frog")


def test_a_line_that_holds_more_than_the_context_stays():
    one_line = PLAIN.model_copy(update={"describe_prompt": "{context} {question}"})
    assert describe_prompt(one_line, BARE) == f" {BARE.question}"


@pytest.mark.parametrize("count", [2, 3, 7])
def test_a_context_goes_with_any_number_of_options(count: int):
    row = HINTED.with_options([*"abcdefghij"[:count], *[""] * (4 - count)])
    prompt = answer_prompt(undescribed(WITH_CONTEXT), row, "")
    assert HINTED.context in prompt
    assert prompt.count("\n") == answer_prompt(undescribed(PLAIN), row, "").count("\n") + 2


@pytest.mark.parametrize("field", ["describe_prompt", "answer_prompt"])
def test_a_recipe_may_have_a_place_for_a_context_in_either_prompt(field: str):
    shipped = load_recipe("gallery-vqa")
    assert not shipped.inference.reads_context
    prompt = getattr(shipped.inference, field).replace("Question:", "{context}\nQuestion:")
    changed = load_recipe("gallery-vqa", overrides=[f"inference.{field}='''{prompt}'''"])
    assert changed.inference.reads_context


def test_another_place_is_still_refused():
    with pytest.raises(RecipeError, match="contexts"):
        load_recipe("gallery-vqa", overrides=["inference.describe_prompt='{question} {contexts}'"])


@pytest.mark.parametrize(
    ("mode", "rotation", "main", "picture", "description"),
    [
        ("both", 0, True, True, True),
        ("both", 1, False, True, True),
        ("one-stage", 0, False, True, False),
        ("description-only", 0, False, False, True),
        ("blind", 0, False, False, False),
        ("blind", 2, False, False, False),
    ],
)
def test_what_a_way_of_asking_shows_and_which_one_is_the_row_as_it_stands(
    mode: Mode, rotation: int, main: bool, picture: bool, description: bool
):
    question = Question(0, mode, rotation, Prompt(ids=[], is_cut=False), BARE)
    assert (question.is_main, question.has_picture, question.has_description) == (main, picture, description)


def test_a_prompt_alone_says_where_the_picture_stands():
    settings = Inference(answer_prompt="See <image>: {question}\n{description}")
    asked = replace(BARE, question=f"What is <image> and {PICTURE_PLACE} here?")

    text = answer_prompt(settings, asked, f"A{PICTURE_PLACE} dog.")

    assert text == f"See {PICTURE_PLACE}: What is <image> and  here?\nA dog."
    blind = answer_prompt(undescribed(settings), asked, "")
    assert blind == f"See {PICTURE_PLACE}: What is <image> and  here?"
