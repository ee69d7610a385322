"""Options in another order: the answer follows, and what speaks of its place stays."""

from collections import Counter

from blip_core.sources import shuffle_rows
from tests.unit.examples import example


def test_every_letter_comes_to_be_right_and_the_text_stays():
    rows = [example(number, answer="A", target="a frog") for number in range(200)]

    shuffled = shuffle_rows(rows, seed=0)

    assert all(row.options["ABCD".index(row.answer)] == "a frog" for row in shuffled)
    assert all(sorted(row.options) == sorted(rows[0].options) for row in shuffled)
    assert all(count > 30 for count in Counter(row.answer for row in shuffled).values())


def test_an_order_depends_on_its_own_row_and_the_seed():
    rows = [example(number) for number in range(20)]

    assert shuffle_rows(rows[5:], seed=0) == shuffle_rows(rows, seed=0)[5:]
    assert shuffle_rows(rows, seed=1) != shuffle_rows(rows, seed=0)


def test_options_that_speak_of_their_place_stay():
    rows = [example(1, d="none of the above"), example(2, c="A and B"), example(3, answer="", target="")]

    assert shuffle_rows(rows, seed=0) == rows
