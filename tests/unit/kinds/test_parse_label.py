import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.kinds.four_options import format_label, parse_label, shuffle_options
from blip_core.kinds.label_text import (
    MAX_DESCRIPTION_CHARS,
    MAX_OPTION_CHARS,
    MAX_TEXT_CHARS,
    ParsedLabel,
    Refusal,
)
from blip_core.records import LETTERS

DOG = ParsedLabel(
    "A dog lies on the grass.", "What colour is its collar?", ("Pink", "Black", "Blue", "Green"), "A"
)
TEXT = format_label(DOG)
WORDS = [
    "Description:",
    "Question:",
    "Answer:",
    "A.",
    "B)",
    "C:",
    "D.",
    "\n",
    " ",
    "**",
    "(",
    "[x]",
    "...",
    "dog",
    "A",
]


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.lower().replace("a dog", "A dog").replace("what", "What"),
        TEXT.replace("\n", "\r\n"),
        "Here you are.\n" + TEXT + "\n\nDescription: another one",
        TEXT.replace("A. ", "A) ").replace("B. ", "(B) ").replace("C. ", "c: "),
        TEXT.replace("Description:", "**Description:**").replace("Answer: A", "**Answer:** **A**"),
        TEXT.replace("Question: ", "  question :\n   "),
        TEXT.replace("lies on", "lies\non"),
        TEXT.replace("Answer: A", "Answer:\n\nA. Pink"),
        TEXT.replace("Answer: A", "Answer: (a)"),
    ],
)
def test_reads_the_form_and_its_variants(text):
    parsed = parse_label(text)
    assert isinstance(parsed, ParsedLabel)
    assert [option.lower() for option in parsed.options] == ["pink", "black", "blue", "green"]
    assert parsed.description.lower() == DOG.description.lower()
    assert parsed.question.lower() == DOG.question.lower()
    assert parsed.answer == "A"


@pytest.mark.parametrize(
    "options", [("FF", "Ff", "ff", "fF"), ("5 mW", "5 MW", "5 kW", "5 W"), ("Co", "CO", "C", "O")]
)
def test_options_that_differ_in_case_are_different(options):
    text = TEXT
    for old, new in zip(DOG.options, options, strict=True):
        text = text.replace(f". {old}\n", f". {new}\n")
    for letter, option in zip("ABCD", options, strict=True):
        parsed = parse_label(text.replace("Answer: A", f"Answer: {letter}. {option}"))
        assert isinstance(parsed, ParsedLabel)
        assert (parsed.options, parsed.answer) == (options, letter)
    wrong = parse_label(text.replace("Answer: A", f"Answer: A. {options[1]}"))
    assert isinstance(wrong, Refusal)


@pytest.mark.parametrize("spelt", ["pink", "PINK.", " Ｐｉｎｋ"])
def test_an_answer_may_spell_its_option_otherwise_where_that_fits_one_alone(spelt):
    parsed = parse_label(TEXT.replace("Answer: A", f"Answer: A. {spelt}"))
    assert isinstance(parsed, ParsedLabel)


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("missing-description", ""),
        ("missing-description", TEXT.replace("Description:", "")),
        ("missing-description", TEXT.replace(DOG.description, "")),
        ("missing-question", TEXT.replace("Question:", "")),
        ("missing-option", TEXT.replace("C. Blue\n", "")),
        ("missing-option", TEXT.replace("Blue", "")),
        ("missing-answer", TEXT.replace("Answer: A", "")),
        ("missing-answer", TEXT.removesuffix("A")),
        ("answer-not-a-letter", TEXT.replace("Answer: A", "Answer: E")),
        ("answer-not-a-letter", TEXT.replace("Answer: A", "Answer: Pink")),
        ("answer-not-a-letter", TEXT.replace("Answer: A", "Answer: A or B")),
        ("answer-not-a-letter", TEXT.replace("Answer: A", "Answer: A. Black")),
        ("repeated-part", TEXT.replace("D. Green", "C. Green")),
        ("repeated-part", TEXT.replace("Question:", "Question: Why?\nQuestion:")),
        ("repeated-option", TEXT.replace("Green", " Pink ")),
        ("option-names-letters", TEXT.replace("Green", "Both A and B")),
        ("option-names-letters", TEXT.replace("Green", "All of the above")),
        ("template-echo", TEXT.replace(DOG.description, "[what the image shows, in detail]")),
        ("template-echo", TEXT.replace("Green", "[option D]")),
        ("template-echo", TEXT.replace("Green", "option D")),
        ("template-echo", TEXT.replace("Answer: A", "Answer: [A/B/C/D]")),
        ("too-long", TEXT.replace("Green", "g" * (MAX_OPTION_CHARS + 1))),
        ("too-long", TEXT.replace(DOG.description, "d" * (MAX_DESCRIPTION_CHARS + 1))),
        ("too-long", " " * (MAX_TEXT_CHARS + 1) + TEXT),
    ],
)
def test_refuses_with_a_stable_reason(reason, text):
    parsed = parse_label(text)
    assert isinstance(parsed, Refusal)
    assert parsed.reason == reason


def test_a_description_may_hold_what_looks_like_an_option():
    parsed = parse_label(TEXT.replace(DOG.description, "A sign says:\nA. Bakery"))
    assert isinstance(parsed, ParsedLabel)
    assert parsed.description == "A sign says: A. Bakery"


def test_ten_thousand_scrambled_texts_are_read_or_refused():
    rng = random.Random(0)
    for _ in range(10_000):
        text = "".join(rng.choices(WORDS, k=rng.randint(0, 60)))
        assert isinstance(parse_label(text), ParsedLabel | Refusal)


@pytest.mark.parametrize("piece", ["\n", " ", "A. ", "Answer:\n", "Description:", "*", "(", "[", "A and "])
def test_long_repetitions_are_read_in_linear_time(piece):
    head = "Description: d\nQuestion: q\n"
    text = (head + piece * MAX_TEXT_CHARS)[:MAX_TEXT_CHARS]
    assert isinstance(parse_label(text), Refusal)


@given(st.text())
def test_no_text_breaks_it(text):
    assert isinstance(parse_label(text), ParsedLabel | Refusal)


@given(
    st.lists(st.text(alphabet="abcdefg xyz", min_size=1).filter(str.strip), min_size=4, max_size=4),
    st.sampled_from(LETTERS),
)
def test_it_reads_its_own_form_back(options, letter):
    marked = tuple(f"{index} {' '.join(option.split())}" for index, option in enumerate(options))
    label = ParsedLabel("A dog.", "Why?", marked, letter)
    assert parse_label(format_label(label)) == label


@given(st.integers(0, 2**48 - 1), st.sampled_from(LETTERS))
def test_the_letter_follows_its_text_through_a_shuffle(seed, letter):
    label = ParsedLabel(DOG.description, DOG.question, DOG.options, letter)
    shuffled = shuffle_options(label, seed)
    assert shuffled.answer_text == label.answer_text
    assert sorted(shuffled.options) == sorted(label.options)
    assert shuffle_options(label, seed) == shuffled


def test_shuffling_spreads_answers_evenly_over_the_letters():
    letters = [shuffle_options(DOG, seed).answer for seed in range(4_000)]
    assert all(900 < letters.count(letter) < 1_100 for letter in LETTERS)
