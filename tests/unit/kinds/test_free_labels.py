"""What a labeller wrote, read as a question with a free answer, or as a caption."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.kinds import KINDS
from blip_core.kinds.label_text import MAX_DESCRIPTION_CHARS, MAX_TEXT_CHARS, ParsedLabel, Refusal

VQA, CAPTION = KINDS["vqa"], KINDS["caption"]
OPTIONS = "A. a bus\nB. a tram\nC. a car\nD. a van\n"
PIECES = [
    "Description:",
    "Question:",
    "Answer:",
    "A.",
    "B. a bus",
    "\n",
    "**",
    "a red bus",
    "[option A]",
    "\x00",
    "é",
]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Question: What is it?\nAnswer: a tram", "a tram"),
        ("Description: A tram.\n\nQuestion: What is it?\n\nAnswer: a tram", "a tram"),
        (f"Question: What is it?\n{OPTIONS}Answer: B", "a tram"),
        (f"Question: What is it?\n{OPTIONS}Answer: (b) a tram", "a tram"),
        (f"Question: What is it?\n{OPTIONS}Answer: A tram, I think", "A tram, I think"),
        ("**Question**: What is it?\n**Answer**: B", "B"),
    ],
)
def test_a_free_answer_is_read_in_words(text, answer):
    parsed = VQA.parse_label(text)
    assert (parsed.question, parsed.answer, parsed.options) == ("What is it?", answer, ())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "missing-question"),
        ("Answer: a tram", "missing-question"),
        ("Question: What is it?", "missing-answer"),
        ("Question: What is it?\nAnswer:   ", "missing-answer"),
        ("Question: What?\nQuestion: Where?\nAnswer: here", "repeated-part"),
        ("Question: What is it?\nAnswer: [the answer]", "template-echo"),
        ("Question: What is it?\nAnswer: " + "x" * (MAX_DESCRIPTION_CHARS + 1), "too-long"),
    ],
)
def test_a_free_answer_that_cannot_be_read_is_refused(text, reason):
    assert VQA.parse_label(text).reason == reason


@pytest.mark.parametrize(
    "text",
    [
        "A red bus in the rain.",
        "Description: A red bus\nin the rain.",
        f"Description: A red bus in the rain.\n\nQuestion: What is it?\n{OPTIONS}\nAnswer: A",
        "  **Description:** A red bus   in the rain. ",
    ],
)
def test_a_caption_is_what_describes_or_all_that_was_written(text):
    assert CAPTION.parse_label(text).description.rstrip(".") == "A red bus in the rain"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (" \n ", "missing-description"),
        ("Question: What is it?\nAnswer: a bus", "missing-description"),
        ("[what the image shows]", "template-echo"),
        ("x" * (MAX_DESCRIPTION_CHARS + 1), "too-long"),
        ("x" * (MAX_TEXT_CHARS + 1), "too-long"),
    ],
)
def test_a_caption_that_cannot_be_read_is_refused(text, reason):
    assert CAPTION.parse_label(text).reason == reason


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
@given(st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join) | st.text(max_size=60))
def test_any_text_is_a_label_or_a_refusal(kind, text):
    read = kind.parse_label(text)
    assert isinstance(read, ParsedLabel | Refusal)
    if isinstance(read, ParsedLabel):
        assert read.description or read.question


@pytest.mark.parametrize("task", ["caption", "vqa"])
def test_labels_without_options_are_not_shuffled(task):
    label = ParsedLabel("A bus.", "What?", answer="a bus")
    assert KINDS[task].shuffled(label, seed=3) == label
