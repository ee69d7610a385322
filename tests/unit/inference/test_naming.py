"""Answers as models write them: the letter they decide for, or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.inference.naming import named_letter
from blip_core.records import LETTERS, OPTION_LETTERS

NAMED = {
    "alone": [
        "B",
        " B \n",
        "(B)",
        "[B]",
        "**B**",
        "`B`",
        "$B$",
        '"B"',
        "> B",
        "- B",
        "Ｂ",
        "(b)",
        "b)",
        "「B」",
    ],
    "with its option": [
        "B. a boat",
        "B) a boat",
        "B: a boat",
        "B - a boat",
        "B – a boat",
        "B\na boat",
        "**B** a boat",
        "**B. a boat**",
        "(B) a boat or a ship",
        "Option B",
        "Option B: a boat",
        "Choice (B)",
    ],
    "a sentence": [
        "The answer is B.",
        "the answer is B",
        'The answer is "B".',
        "The answer is **B. a boat**",
        "The correct answer is option (B) a boat.",
        "The best answer would be B.",
        "The answer to the question is B.",
        "Based on the picture, the answer is B) a boat.",
        "The answer is most likely B",
        "B is correct.",
        "(B) is the correct answer.",
        "I choose B",
        "I'd say B.",
        "I would go with (B).",
        "It's B.",
        "I think it is B",
        "So, the answer is therefore B!",
    ],
    "a field": [
        "Answer: B",
        "**Answer:** B",
        "Answer: **B**",
        "**Answer: B) a boat**",
        "Answer:\n\nB",
        "## Answer\nB",
        "answer=B",
        "Answer (A, B, C or D): B",
        '{"answer": "B"}',
        '{"answer": "b"}',
        '```json\n{"answer": "B"}\n```',
        '{"reasoning": "A is tempting", "answer": "B"}',
        '{"answer": {"letter": "B"}}',
        '["B"]',
    ],
    "a mark": [
        "\\boxed{B}",
        "$\\boxed{\\text{B}}$",
        "\\boxed{B. a boat}",
        "<answer>B</answer>",
        "<answer>\nB\n</answer>",
        "<|begin_of_box|>B<|end_of_box|>",
        "There is water. #### B",
        "Final answer: B",
        "Final Answer: The final answer is (B).",
    ],
    "reasons around it": [
        "B. Because A is wrong.",
        "B\n\nExplanation:\nA. is no boat\nC. is none either",
        "The picture shows a boat.\n\nB",
        "The picture shows water.\n\nAnswer: B",
        "A. dog\nB. boat\nC. cat\nD. car\n\nB",
        "It's not A, so the answer is B.",
        "The answer is B, not C.",
        "The answer is A. No.\nFinal answer: B",
        "The answer is B because the others are on land",
    ],
    "other languages": ["答案是B", "答案：B", "정답은 B입니다", "정답: B", "Antwort: B", "La réponse : B"],
}
UNDECIDED = {
    "nothing": ["", " \n", "...", "I cannot answer.", "None of the above", "All of the above"],
    "words that begin like letters": [
        "Apple",
        "A dog",
        "a",
        "b",
        "a dog",
        "I think so",
        "I'm not sure",
        "C++",
        "The answer is C++",
        "B-52",
        "A-frame",
        "elephant C",
        "The answer is A dog",
        "Answer: A dog on the beach",
        "It is A dog",
    ],
    "two letters": [
        "A or B",
        "B or C.",
        "A/B",
        "A and C",
        "B, C",
        "B (or possibly C)",
        "The answer is A or B",
        "The answer could be A, B or C.",
        "Answer: B or C",
        "Either A or B.",
        "Both A and B are right",
        "A) a dog or B) a boat",
        '["A", "C"]',
        '{"answer": ["B", "C"]}',
        "\\boxed{A, C}",
        "\\boxed{A} or \\boxed{B}",
        "The answer is A. Wait, the answer is B.",
        "A\nB",
    ],
    "the options again": [
        "A. dog\nB. boat\nC. cat\nD. car",
        "A) dog B) boat C) cat D) car",
        "A: dog B: boat C: cat",
    ],
    "a denial": [
        "The answer is not B.",
        "The answer isn't B",
        "I don't think the answer is B.",
        "If it rains the answer is B",
        "Neither the answer is B",
    ],
    "a letter that is not offered": ["E", "E. a ship", "The answer is E.", '{"answer": "F"}'],
}


def cases(table):
    return [pytest.param(text, id=f"{kind}: {text!r}") for kind, texts in table.items() for text in texts]


@pytest.mark.parametrize("text", cases(NAMED))
def test_an_answer_that_decides_names_its_letter_and_where_it_stands(text):
    named = named_letter(text)
    assert named is not None
    assert named.letter == "B"
    assert text[named.place] in "BbＢ"


@pytest.mark.parametrize("text", cases(UNDECIDED))
def test_an_answer_that_does_not_decide_names_none(text):
    assert named_letter(text) is None


def test_a_letter_far_in_the_alphabet_is_one_where_as_many_are_offered():
    assert named_letter("J", 10).letter == "J"
    assert named_letter("I", 10).letter == "I"
    assert named_letter("J", 9) is None
    assert named_letter("I, for one, see a boat", 10) is None


@given(st.text(), st.integers(2, 10))
def test_whatever_is_said_a_letter_that_is_named_stands_where_it_is_said_to(text, offered):
    named = named_letter(text, offered)
    if named:
        assert named.letter in OPTION_LETTERS[:offered]
        assert text[named.place].upper() in (named.letter, chr(ord(named.letter) - ord("A") + 0xFF21))


@given(
    st.sampled_from(LETTERS), st.sampled_from(["{}", "({})", "**{}**", "The answer is {}.", "\\boxed{{{}}}"])
)
def test_every_letter_is_read_from_every_form(letter, form):
    assert named_letter(form.format(letter)).letter == letter


@given(st.permutations(LETTERS), st.sampled_from([" or ", "/", ", ", " and "]))
def test_the_order_of_two_letters_decides_nothing(letters, between):
    assert named_letter(between.join(letters[:2])) is None
