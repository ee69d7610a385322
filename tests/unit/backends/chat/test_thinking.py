"""Answers told from the thinking before them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.backends.chat.thinking import answer_place, answer_span


def answer(content):
    start, end = answer_span(content)
    return content[start:end]


@pytest.mark.parametrize(
    "content",
    [
        "B",
        "\n B \n",
        "<think>A?</think>B",
        "<think>\n\n</think>\n\nB",
        "<thinking>A?</thinking> B",
        "<thought>A?</thought>B",
        "<seed:think>A?</seed:think>B",
        "[THINK]A?[/THINK]B",
        "◁think▷A?◁/think▷B",
        "<|begin_of_thought|>A?<|end_of_thought|>B",
        "<|START_THINKING|>A?<|END_THINKING|>B",
        "A? C?</think>B",
        "<think>A?</think>A<think>no</think>B",
        "B<think>sure?</think>",
        "B<think>sure",
        "<|channel|>analysis<|message|>A?<|end|><|start|>assistant<|channel|>final<|message|>B<|return|>",
        "<|channel|>final <|constrain|>json<|message|>B<|end|>",
        "analysisWe see A.assistantfinalB",
        "Here is my thought process: A? Here is my response: B",
        "B</s>",
        "B<|im_end|>\n<|endoftext|>",
    ],
)
def test_the_answer_is_what_is_not_thought(content):
    assert answer(content) == "B"


@pytest.mark.parametrize(
    "content",
    [
        "",
        " \n",
        "<think>B",
        "<think>B</think>",
        "[THINK]B or",
        "<|channel|>analysis<|message|>B",
        "analysisThe answer is B",
        "The answer is B</think>",
        "<|im_end|>",
    ],
)
def test_thinking_alone_holds_no_answer(content):
    assert answer(content) == ""


@given(
    st.lists(
        st.sampled_from(["<think>", "</think>", "[THINK]", "[/THINK]", "B", " ", "\n", "</s>", "analysis"])
    )
)
def test_whatever_marks_there_are_an_answer_is_a_piece_without_space_around(pieces):
    content = "".join(pieces)
    start, end = answer_span(content)
    assert 0 <= start <= end <= len(content)
    assert content[start:end] == content[start:end].strip()
    assert not any(mark in content[start:end] for mark in ("<think>", "</think>", "[THINK]", "[/THINK]"))


@pytest.mark.parametrize(
    ("prompt", "written", "answer"),
    [
        ("<|im_start|>assistant\n<think>\n", "A dog, so\n</think>\n\nA dog.", "A dog."),
        ("<|im_start|>assistant\n<think>\n", "A dog, so I", ""),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", "A dog.", "A dog."),
        ("Use <think> if you must.\nassistant\n", "A dog.", "A dog."),
        ("[INST] Look. [/INST][THINK]", "hm[/THINK]A dog.", "A dog."),
        ("USER: Look. ASSISTANT:", "<think>hm</think> A dog. ", "A dog."),
    ],
)
def test_thinking_that_begins_in_the_prompt_is_told_apart_too(prompt, written, answer):
    assert written[slice(*answer_place(prompt, written))] == answer
