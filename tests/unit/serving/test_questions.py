"""Somebody's own words: a question, its options, or a picture alone."""

import pytest

from blip_core.errors import RequestRefused
from blip_core.serving.questions import listed_options
from blip_core.serving.reading import ChatRequest

PICTURE = b"a picture"


def asked(asking, text: str, picture: bytes = PICTURE):
    return asking.understand(ChatRequest("m", text, picture))


@pytest.mark.parametrize("form", ["{}. {}", "{}) {}", "({}) {}", "{}: {}", "  {}.  {}  "])
def test_options_are_found_in_the_forms_that_people_write(form):
    lines = "\n".join(
        form.format(letter, text) for letter, text in zip("ABC", ("a dog", "a cat", "D. B."), strict=True)
    )
    question, options = listed_options(f"Question: What is it?\n{lines}\n\nAnswer with the letter alone.")
    assert (question, options) == ("What is it?", ["a dog", "a cat", "D. B."])


@pytest.mark.parametrize("text", ["What is it?", "A. one option", "B. x\nC. y", "A. x\nC. y", "a. x\nb. y"])
def test_a_text_without_a_run_of_options_has_none(text):
    assert listed_options(text) == (text, [])


def test_a_question_is_described_first_and_then_answered_by_a_letter(asking):
    task, request = asked(asking, "What is it?\nA. a dog\nB. a cat\nC. a cup\nD. a bus\nE. a boat")
    assert (task, request.mode, request.description, request.is_stage_one) == ("mcq", "both", None, False)
    assert request.example.question == "What is it?"
    assert request.example.offered == 5


def test_without_options_it_is_answered_freely_and_without_words_described(asking):
    assert asked(asking, "What is it?")[0] == "vqa"
    assert asked(asking, " ")[0] == "caption"


@pytest.mark.parametrize(
    ("text", "picture", "words"),
    [
        ("What is it?", b"", "shows no picture"),
        ("A. a dog\nB. a cat", PICTURE, "nothing is asked"),
        ("What?\n" + "\n".join(f"{letter}. x" for letter in "ABCDEFGHIJK"), PICTURE, "more than 10 options"),
    ],
)
def test_what_cannot_be_answered_is_told_in_a_sentence(asking, text, picture, words):
    with pytest.raises(RequestRefused, match=words):
        asked(asking, text, picture)
