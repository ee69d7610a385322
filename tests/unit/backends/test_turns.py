"""A recipe's prompt as the messages of a chat."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.backends.turns import IMAGE_MARK, continued, has_turns, messages_of

PICTURE = {"type": "image"}


def said(text):
    return {"type": "text", "text": text}


@pytest.mark.parametrize(
    ("prompt", "messages", "opening"),
    [
        ("Write a list.\n", [("user", [said("Write a list.")])], ""),
        ("<image>\nUSER: Look.\n\nASSISTANT:", [("user", [PICTURE, said("Look.")])], ""),
        ("USER: <image>\nLook. ASSISTANT:", [("user", [PICTURE, said("Look.")])], ""),
        ("USER: Look at <image> well. ASSISTANT:", [("user", [said("Look at"), PICTURE, said("well.")])], ""),
        ("USER: Look. ASSISTANT: It shows", [("user", [said("Look.")])], "It shows"),
        ("Be kind. USER: Look. ASSISTANT:", [("system", [said("Be kind.")]), ("user", [said("Look.")])], ""),
        ("SYSTEM: Be kind.\nUSER: Look.", [("system", [said("Be kind.")]), ("user", [said("Look.")])], ""),
        (
            "USER: One? ASSISTANT: Two. USER: Three? ASSISTANT:",
            [("user", [said("One?")]), ("assistant", [said("Two.")]), ("user", [said("Three?")])],
            "",
        ),
        (
            "<image>\nSYSTEM: Be kind.\nUSER: Look.",
            [("system", [said("Be kind.")]), ("user", [PICTURE, said("Look.")])],
            "",
        ),
        ("What is a SUPERUSER: a name? ", [("user", [said("What is a SUPERUSER: a name?")])], ""),
    ],
)
def test_turns_are_told_apart(prompt, messages, opening):
    found, begun = messages_of(prompt)
    assert [(one["role"], one["content"]) for one in found] == messages
    assert begun == opening


@given(
    st.lists(st.sampled_from(["SYSTEM:", "USER:", "ASSISTANT:", IMAGE_MARK, "word", "\n", " "]), max_size=12)
)
def test_a_picture_is_asked_about_as_often_as_the_prompt_places_it(pieces):
    prompt = "".join(pieces)
    messages, opening = messages_of(prompt)
    pictures = [part for one in messages for part in one["content"] if part == PICTURE]
    assert len(pictures) + opening.count(IMAGE_MARK) == prompt.count(IMAGE_MARK)


@pytest.mark.parametrize(
    ("prompt", "has"), [("USER: Look. ASSISTANT: ", True), ("ASSISTANT: x", False), ("Look", False)]
)
def test_a_prompt_that_ends_with_the_models_turn_has_turns(prompt, has):
    assert has_turns(prompt) is has


@pytest.mark.parametrize(("framed", "whole"), [("model\n", "model\nIt"), ("Assistant:", "Assistant: It")])
def test_an_opening_stands_apart_from_what_precedes_it(framed, whole):
    assert continued(framed, "It") == whole
    assert continued(framed, "") == framed
