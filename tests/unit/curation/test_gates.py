from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blip_core.curation.blank_pictures import refuse_blank_pictures
from blip_core.curation.exact_duplicates import refuse_exact_duplicates
from blip_core.curation.grounding import check_attributes
from blip_core.curation.lengths import check_texts
from blip_core.curation.letter_balance import balance_letters
from blip_core.curation.near_duplicates import tie_near_duplicates
from blip_core.recipes.curation import (
    BlankPictures,
    ExactDuplicates,
    Grounding,
    LetterBalance,
    NearDuplicates,
)
from blip_core.recipes.curation_of_texts import Lengths
from blip_core.records import Example
from tests.unit.examples import example, png, world_pixels


def reasons(rejections) -> list[str]:
    return [rejection.reason for rejection in rejections]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"question": "  "}, "empty-text"),
        ({"c": ""}, "empty-text"),
        ({"description": "a frog"}, "too-short"),
        ({"description": "frog " * 31}, "too-long"),
        ({"a": "caf\u00e9", "d": "cafe\u0301"}, "repeated-options"),
        ({"answer": "E"}, "answer-not-a-letter"),
        ({"question": "Where does a frog sit?"}, "answer-leaks"),
        ({"question": "Where does A  FROG sit?"}, "answer-leaks"),
        ({"context": "There sits a frog.", "question": "What is it?"}, "answer-leaks"),
        ({"a": "FF", "b": "Ff", "c": "ff", "target": "FF", "question": "What is FF?"}, "answer-leaks"),
    ],
)
def test_a_text_that_cannot_be_learnt_from_is_refused(changes: dict, reason: str):
    kept, refused = check_texts([example(0, **changes)], Lengths(max_words=30))

    assert (kept, reasons(refused)) == ([], [reason])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"question": "Is it a frog or a bus?"},  # names a wrong option too
        {"question": "Why are a frogs eyes big?"},  # another word
        {"a": "FF", "b": "Ff", "c": "ff", "target": "FF", "question": "What stands for Ff?"},  # a wrong one
        {"a": "5 mW", "b": "5 MW", "target": "5 mW"},
        {"context": "A frog and a bus are there."},
        {"description": ""},  # one stage only: nothing describes
        {"task": "vqa", "a": "", "b": "", "c": "", "d": "", "answer": ""},
        {"task": "caption", "question": "", "a": "", "b": "", "c": "", "d": "", "target": "a frog in a park"},
    ],
)
def test_a_sound_text_passes(changes: dict):
    row = example(0, **changes)

    assert check_texts([row], Lengths()) == ([row], [])


def test_the_first_of_two_equal_rows_is_kept():
    questions = ["What is Ff?", "What is FF?", "What is Ff?"]
    rows = [example(n, image=b"same", question=q) for n, q in enumerate(questions)]

    kept, refused = refuse_exact_duplicates(rows, ExactDuplicates())

    assert kept == rows[:2]
    assert [(r.id, r.reason) for r in refused] == [(rows[2].id, "exact-duplicate")]


def test_the_same_question_about_another_context_is_another_question():
    contexts = ["Box 1 is red.", "Box 2 is red.", ""]
    rows = [example(n, image=b"same", question="Which?", context=text) for n, text in enumerate(contexts)]

    assert refuse_exact_duplicates(rows, ExactDuplicates()) == (rows, [])


def test_two_questions_of_two_options_with_other_options_are_different():
    rows = [
        example(0, image=b"same", question="Which?", c="", d=""),
        example(1, image=b"same", question="Which?", a="red", b="blue", c="", d="", target="blue"),
    ]

    assert refuse_exact_duplicates(rows, ExactDuplicates()) == (rows, [])


def test_a_question_may_come_again_with_other_options_all_of_them():
    first = example(0, image=b"same", question="Which is true?")
    other = {"a": "it is red", "b": "it is blue", "c": "it is old", "d": "it is new", "target": "it is red"}
    rows = [
        first,
        replace(first, id="other", **other),
        replace(first, id="mixed", **(other | {"d": "a cake"})),
    ]

    kept, refused = refuse_exact_duplicates(rows, ExactDuplicates())

    assert [row.id for row in kept] == [first.id, "other"]
    assert reasons(refused) == ["exact-duplicate"]


def test_captions_of_one_picture_may_differ():
    rows = [example(n, task="caption", image=b"same", question="", target=f"caption {n}") for n in range(2)]

    assert refuse_exact_duplicates(rows, ExactDuplicates())[0] == rows


def test_blank_and_broken_pictures_are_refused():
    flat = np.full((8, 8, 3), 90, dtype=np.uint8)
    good = example(0, image=png(world_pixels(0)))
    rows = [good, example(1, image=png(flat)), example(2, image=good.image[:200]), example(3, image=b"")]

    kept, refused = refuse_blank_pictures(rows, BlankPictures())

    assert kept == [good]
    assert reasons(refused) == ["blank-picture", "unreadable-picture", "unreadable-picture"]


def noisy(seed: int) -> bytes:
    """The picture of a seed with a little grain: near, and not the same."""
    grain = np.random.default_rng(seed).normal(0, 2, (64, 64, 3))
    return png(np.clip(world_pixels(seed) + grain, 0, 255).astype(np.uint8))


def test_a_near_duplicate_that_asks_the_same_is_refused():
    rows = [
        example(0, image=png(world_pixels(0)), question="What?"),
        example(4, image=noisy(0), question="What?"),
    ]

    kept, refused, near = tie_near_duplicates(rows, NearDuplicates())

    assert kept == rows[:1]
    assert reasons(refused) == ["near-duplicate"]
    assert near == {}


def test_a_near_duplicate_that_asks_about_another_context_is_kept():
    rows = [
        example(0, image=png(world_pixels(0)), question="What?", context="one"),
        example(4, image=noisy(0), question="What?", context="two"),
    ]

    assert tie_near_duplicates(rows, NearDuplicates())[0] == rows


def test_a_near_duplicate_that_asks_something_else_is_tied_to_the_older_group():
    rows = [example(0, image=png(world_pixels(0))), example(1, image=noisy(0))]

    kept, _, near = tie_near_duplicates(rows, NearDuplicates())

    assert kept == rows
    assert near == {rows[1].id: (rows[0].group,)}


def test_the_other_rows_of_a_tied_group_follow_it():
    rows = [
        example(0, image=png(world_pixels(0))),
        example(1, image=noisy(0)),
        example(1, id="sibling", image=png(world_pixels(5)), question="Another?"),
    ]

    _, _, near = tie_near_duplicates(rows, NearDuplicates())

    assert near["sibling"] == (rows[0].group,)


def test_a_row_between_two_clusters_is_tied_to_both():
    rows = [
        example(0, image=png(world_pixels(0))),
        example(1, image=png(world_pixels(1))),
        example(2, image=png(world_pixels(2))),
        example(2, id="bridge", image=noisy(1), question="Which?"),
    ]

    _, _, near = tie_near_duplicates(rows, NearDuplicates())

    assert near == {"bridge": (rows[2].group, rows[1].group)}


def test_different_scenes_of_the_world_are_not_alike():
    rows = [example(seed, image=png(world_pixels(seed)), question="What?") for seed in range(40)]

    kept, refused, near = tie_near_duplicates(rows, NearDuplicates())

    assert (kept, refused, near) == (rows, [], {})


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.integers(0, 12))
def test_growth_changes_no_tie(seeds: list[int], before: int):
    rows = [example(n, image=noisy(seed)) for n, seed in enumerate(seeds)]

    _, _, small = tie_near_duplicates(rows[:before], NearDuplicates())
    _, _, large = tie_near_duplicates(rows, NearDuplicates())

    old = {row.id for row in rows[:before]}
    assert {name: founders for name, founders in large.items() if name in old} == small


def lettered(letters: str) -> list[Example]:
    return [example(number, answer=letter) for number, letter in enumerate(letters)]


def test_the_surplus_of_a_letter_is_refused():
    rows = lettered("A" * 20 + "BCD" * 5)

    kept, refused = balance_letters(rows, LetterBalance(max_share=0.4))

    assert Counter(row.answer for row in kept) == {"A": 10, "B": 5, "C": 5, "D": 5}
    assert reasons(refused) == ["letter-surplus"] * 10


def test_which_rows_are_surplus_does_not_depend_on_their_order():
    rows = lettered("A" * 20 + "BCD" * 5)

    forwards = balance_letters(rows, LetterBalance())[0]
    backwards = balance_letters(rows[::-1], LetterBalance())[0]

    assert {row.id for row in forwards} == {row.id for row in backwards}


@given(st.text("ABCD", max_size=60), st.floats(0.26, 1.0))
def test_no_letter_has_more_than_its_share_and_some_row_stays(letters: str, max_share: float):
    kept, _ = balance_letters(lettered(letters), LetterBalance(max_share=max_share))

    most = max(Counter(row.answer for row in kept).values(), default=0)
    assert most <= max_share * len(kept) + 1
    assert bool(kept) is bool(letters)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Two kites and one bus on the beach.", None),
        ("BUSES, and a kite: at the Beach!", None),
        ("Two kites on the beach.", "not-named"),
        ("A kite and a bus.", "not-named"),
        ("A kite, a bus and a teddy bear on the beach.", "named-wrongly"),
        ("A kite and a bus on the beach, not in the city.", "named-wrongly"),
        ("A kite and a busy bear on the beach.", "not-named"),
    ],
)
def test_a_text_says_what_is_known_of_its_row_and_nothing_else_of_the_sort(text: str, reason: str | None):
    known = {"objects": "kite, bus", "place": "beach"}
    other = example(1, task="caption", target="A teddy bear in the city.")
    other = replace(other, attributes={"objects": "teddy bear", "place": "city"})
    row = replace(example(0, task="caption", target=text), attributes=known)
    _, refused = check_attributes([row, other], Grounding(enabled=True, attributes=("objects", "place")))
    assert reasons(refused) == ([reason] if reason else [])


def test_of_a_row_nothing_is_asked_that_is_not_known_of_it():
    rows = [example(0, task="caption", target="A bus."), example(1, task="caption", target="A kite.")]
    rows[1] = replace(rows[1], attributes={"objects": "kite"})
    kept, _ = check_attributes(rows, Grounding(enabled=True, attributes=("objects", "absent")))
    assert kept == rows
