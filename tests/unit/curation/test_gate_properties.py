"""What each gate owes to every row: of two to ten options, of mixed counts, captions and free answers."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blip_core.curation import curate, shipped_gates
from blip_core.curation.exact_duplicates import refuse_exact_duplicates
from blip_core.curation.gate import Kept
from blip_core.curation.lengths import check_texts
from blip_core.curation.letter_balance import allowed_share, balance_letters
from blip_core.dataset.splits import assign_splits, split_of
from blip_core.recipes.curation import Curation, ExactDuplicates, LetterBalance
from blip_core.recipes.curation_of_texts import Lengths
from blip_core.records import LETTERS, OPTION_LETTERS, Example
from tests.examples import examples
from tests.unit.examples import example, png, world_pixels

COUNTS = range(2, 11)
WORDS = ("frog", "bus", "cake", "tree", "cup", "boat", "dog", "hat", "star", "pear", "kite", "drum")
PICTURES = [png(world_pixels(seed)) for seed in range(3)] + [
    png(np.zeros((16, 16, 3), dtype=np.uint8)),
    b"broken",
]

SECTIONS = tuple(gate.name for gate in shipped_gates() if gate.port is None)


def alone(section: str) -> Callable[[Sequence[Example]], Kept]:
    """One gate, the others switched off."""
    gates = {name: {"enabled": name == section} for name in SECTIONS}

    def judge(rows: Sequence[Example]) -> Kept:
        curated = curate(rows, Curation.model_validate(gates))
        return curated.kept, curated.rejections

    return judge


GATES = {name.replace("_", " "): alone(name) for name in SECTIONS}
LIGHT = sorted(set(GATES) - {"blank pictures", "near duplicates"})  # those that decode no picture


def asked(number: int, options: Sequence[str], place: int, **changes: object) -> Example:
    """A question with so many options, of which the one at a place is right."""
    room = [*options, *[""] * (len(LETTERS) - len(options))]
    row = example(number, answer=OPTION_LETTERS[place], target=options[place], **changes)
    return row.with_options(room)


def described(number: int, **changes: object) -> Example:
    text = "a frog sits in the green park"
    empty = dict.fromkeys("abcd", "")
    return example(number, task="caption", question="", answer="", target=text, **empty, **changes)


def answered_freely(number: int, **changes: object) -> Example:
    return example(number, task="vqa", answer="", **dict.fromkeys("abcd", ""), **changes)


@st.composite
def questions(draw: st.DrawFn, number: int = 0) -> Example:
    count = draw(st.sampled_from(COUNTS))
    options = draw(st.lists(st.sampled_from(WORDS), min_size=count, max_size=count, unique=True))
    shared = {
        "image": draw(st.sampled_from(PICTURES)),
        "question": draw(st.sampled_from(["What?", "Which frog?"])),
    }
    return asked(number, options, draw(st.integers(0, count - 1)), **shared)


@st.composite
def tables(draw: st.DrawFn, most: int = 16) -> list[Example]:
    """Rows of every kind, each with an id of its own."""
    rows: list[Example] = []
    for number in range(draw(st.integers(0, most))):
        kind = draw(st.sampled_from(["mcq", "mcq", "mcq", "caption", "vqa", "bad"]))
        picture = {"image": draw(st.sampled_from(PICTURES))}
        if kind == "caption":
            rows.append(described(number, **picture))
        elif kind == "vqa":
            rows.append(answered_freely(number, **picture))
        else:
            row = draw(questions(number))
            rows.append(replace(row, answer="J", description="frog") if kind == "bad" else row)
    return rows


def moved(row: Example, places: int) -> Example:
    """The same question with its options, and the letter of the right one, moved on by some places."""
    if row.task != "mcq":
        return row
    count = row.offered
    order = [(place + places) % count for place in range(count)]
    options = [row.options[place] for place in order]
    right = OPTION_LETTERS.index(row.answer)
    letter = OPTION_LETTERS[order.index(right)] if right < count else row.answer
    return replace(row, answer=letter).with_options([*options, *row.options[count:]])


def verdicts(kept_and_refused: Kept) -> tuple[list[str], list[tuple[str, str]]]:
    kept, refused = kept_and_refused
    return [row.id for row in kept], [(one.id, one.reason) for one in refused]


@pytest.mark.parametrize("gate", sorted(GATES))
@settings(max_examples=examples(30))
@given(rows=tables())
def test_each_row_is_kept_or_refused_once_and_none_is_changed(gate: str, rows: list[Example]) -> None:
    kept, refused = GATES[gate](rows)

    assert sorted([row.id for row in kept] + [one.id for one in refused]) == sorted(row.id for row in rows)
    assert kept == [row for row in rows if row in kept]


@pytest.mark.parametrize("gate", sorted(GATES))
@settings(max_examples=examples(30))
@given(rows=tables())
def test_what_a_gate_kept_it_keeps_again(gate: str, rows: list[Example]) -> None:
    kept, _ = GATES[gate](rows)

    assert GATES[gate](kept) == (kept, [])


@pytest.mark.parametrize("gate", ["lengths", "exact duplicates", "near duplicates", "blank pictures"])
@settings(max_examples=examples(30))
@given(rows=tables(), places=st.integers(1, 9))
def test_other_letters_for_the_same_options_change_no_verdict(
    gate: str, rows: list[Example], places: int
) -> None:
    assert verdicts(GATES[gate]([moved(row, places) for row in rows])) == verdicts(GATES[gate](rows))


@pytest.mark.parametrize("gate", ["lengths", "blank pictures", "letter balance"])
@settings(max_examples=examples(30))
@given(rows=tables(), data=st.data())
def test_the_order_of_rows_does_not_matter(gate: str, rows: list[Example], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(rows))

    assert sorted(verdicts(GATES[gate](shuffled))[1]) == sorted(verdicts(GATES[gate](rows))[1])


@pytest.mark.parametrize("gate", LIGHT)
@given(rows=tables())
def test_whole_tables_and_their_gates_agree(gate: str, rows: list[Example]) -> None:
    """Captions and free answers pass a gate that judges letters, and change nothing for the others."""
    if gate != "letter balance":
        return
    lettered = [row for row in rows if row.task == "mcq"]

    kept, refused = GATES[gate](rows)

    assert [row for row in kept if row.task == "mcq"] == GATES[gate](lettered)[0]
    assert {row.id for row in rows if row.task != "mcq"} <= {row.id for row in kept}
    assert {one.reason for one in refused} <= {"letter-surplus"}


# The share of a letter


def balanced(count: int, times: int, begin: int = 0) -> list[Example]:
    """A table of so many questions for each letter: it is there at once, and its rows have no scenes."""
    every = (asked(begin + number, WORDS[:count], number % count) for number in range(count * times))
    return [replace(row, scene="") for row in every]


@pytest.mark.parametrize("count", COUNTS)
@given(times=st.integers(1, 40), share=st.floats(0.25, 1.0, exclude_min=True))
def test_a_balanced_table_loses_nothing(count: int, times: int, share: float) -> None:
    rows = balanced(count, times)

    assert balance_letters(rows, LetterBalance(max_share=share)) == (rows, [])


@given(st.lists(st.tuples(st.sampled_from(COUNTS), st.integers(1, 12)), max_size=6))
def test_a_table_that_is_balanced_for_each_count_loses_nothing(parts: list[tuple[int, int]]) -> None:
    rows: list[Example] = []
    for count, times in parts:
        rows += balanced(count, times, begin=len(rows))

    assert balance_letters(rows, LetterBalance()) == (rows, [])


@pytest.mark.parametrize(("yes", "kept_yes"), [(30, 30), (36, 36), (50, 15), (60, 2)])
def test_sixty_questions_of_yes_and_no_keep_six_in_ten_of_one(yes: int, kept_yes: int) -> None:
    rows = [asked(number, ["yes", "no"], int(number >= yes)) for number in range(60)]

    kept, _ = balance_letters(rows, LetterBalance())

    assert Counter(row.answer for row in kept) == Counter({"A": kept_yes, "B": 60 - yes})


@pytest.mark.parametrize("count", COUNTS)
@given(share=st.floats(0.25, 1.0, exclude_min=True))
def test_a_share_lies_between_chance_and_all_and_is_itself_for_four(count: int, share: float) -> None:
    allowed = allowed_share(LetterBalance(max_share=share), count)

    assert 1 / count < allowed + 1e-12
    assert allowed <= 1.0
    assert allowed == share or count != len(LETTERS)
    assert allowed_share(LetterBalance(max_share=1.0), count) == pytest.approx(1.0)


@given(st.lists(st.tuples(st.sampled_from(COUNTS), st.integers(0, 9)), max_size=80), st.floats(0.26, 1.0))
def test_no_letter_has_more_than_its_share_of_its_count_and_some_row_stays(
    drawn: list[tuple[int, int]], share: float
) -> None:
    rows = [asked(number, WORDS[:count], place % count) for number, (count, place) in enumerate(drawn)]
    dial = LetterBalance(max_share=share)

    kept, _ = balance_letters(rows, dial)

    answers: dict[int, Counter[str]] = defaultdict(Counter)
    for row in kept:
        answers[row.offered][row.answer] += 1
    for count, letters in answers.items():
        assert max(letters.values()) <= allowed_share(dial, count) * letters.total() + 1
    assert answers.keys() == {row.offered for row in rows}


@given(tables(most=30), st.integers(2, 10))
def test_questions_of_another_count_change_nothing(rows: list[Example], count: int) -> None:
    some = [row for row in rows if row.offered == count]

    alone, among = balance_letters(some, LetterBalance()), balance_letters(rows, LetterBalance())

    assert alone[0] == [row for row in among[0] if row in some]


@given(st.sampled_from(COUNTS), st.lists(st.integers(0, 9), max_size=40), st.data())
def test_letters_that_change_names_are_balanced_alike(
    count: int, places: list[int], data: st.DataObject
) -> None:
    names = data.draw(st.permutations(range(count)))
    rows = [asked(number, WORDS[:count], place % count) for number, place in enumerate(places)]
    renamed = [asked(number, WORDS[:count], names[place % count]) for number, place in enumerate(places)]

    assert verdicts(balance_letters(renamed, LetterBalance())) == verdicts(
        balance_letters(rows, LetterBalance())
    )


def test_the_reason_names_the_count_where_counts_are_mixed() -> None:
    rows = [asked(number, WORDS[:2], 0) for number in range(9)] + balanced(5, 4, begin=9)

    (detail, *_) = {one.detail for one in balance_letters(rows, LetterBalance())[1]}

    assert detail == "A is right in 9 of 9 rows of 2 options, 2 are kept"


# Duplicates


@pytest.mark.parametrize("count", COUNTS)
def test_a_question_with_other_options_is_another_question(count: int) -> None:
    first, second = WORDS[: min(count, 6)], WORDS[6 : 6 + min(count, 6)]
    fill = [f"other {number}" for number in range(2 * 10)]
    one = asked(0, [*first, *fill[: count - len(first)]], 0, image=b"same")
    other = asked(1, [*second, *fill[10 : 10 + count - len(second)]], 0, image=b"same", question=one.question)
    again = replace(moved(one, 1), id="again")

    kept, refused = refuse_exact_duplicates([one, other, again], ExactDuplicates())

    assert kept == [one, other]
    assert [one.id for one in refused] == ["again"]


def test_a_free_answer_is_no_duplicate_of_a_question_with_options() -> None:
    rows = [asked(0, ["yes", "no"], 0, image=b"same"), answered_freely(1, image=b"same")]
    rows[1] = replace(rows[1], question=rows[0].question)

    assert refuse_exact_duplicates(rows, ExactDuplicates())[0] == rows


# Texts


@pytest.mark.parametrize("count", COUNTS)
@given(place=st.integers(0, 9))
def test_a_sound_question_of_any_count_passes(count: int, place: int) -> None:
    row = asked(0, WORDS[:count], place % count, question="What is it?")

    assert check_texts([row], Lengths()) == ([row], [])


@pytest.mark.parametrize("count", COUNTS)
def test_an_answer_beyond_the_options_is_refused_for_any_count(count: int) -> None:
    row = asked(0, WORDS[:count], 0)
    beyond = replace(row, answer=OPTION_LETTERS[count] if count < len(OPTION_LETTERS) else "K")

    assert [one.reason for one in check_texts([beyond], Lengths())[1]] == ["answer-not-a-letter"]


@pytest.mark.parametrize("count", COUNTS)
def test_a_question_that_names_its_answer_is_refused_for_any_count(count: int) -> None:
    row = asked(0, WORDS[:count], count - 1, question=f"Where is the {WORDS[count - 1]}?")

    assert [one.reason for one in check_texts([row], Lengths())[1]] == ["answer-leaks"]


# All gates, and the splits behind them


@settings(max_examples=examples(30))
@given(tables())
def test_all_gates_together_lose_no_row(rows: list[Example]) -> None:
    curated = curate(rows, Curation())

    refused = [one.id for one in curated.rejections]
    assert sorted([row.id for row in curated.kept] + refused) == sorted(row.id for row in rows)


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=3)), max_size=12
    )
)
def test_a_row_is_in_one_split_or_bridges_several(drawn: list[tuple[str, list[str]]]) -> None:
    rows = [example(number, group=group) for number, (group, _) in enumerate(drawn)]
    near = {row.id: (row.group, *others) for row, (_, others) in zip(rows, drawn, strict=True) if others}

    splits = assign_splits(rows, 0.3, 0.3, near)

    for row in rows:
        found = {split_of(group, 0.3, 0.3) for group in near.get(row.id, (row.group,))}
        assert (splits.get(row.id) in found) is (len(found) == 1)
