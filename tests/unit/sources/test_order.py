"""Options in another order: the answer follows, and what speaks of its place stays."""

from collections import Counter

import pytest

from blip_core.records import OPTION_LETTERS
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


MORE = ("a hat", "a hen", "a jar", "a key", "a map", "a net")
ORDERS = [
    ("a bus", "a cake", "a frog", "a kite"),
    ("a kite", "a frog", "a bus", "a cake"),
    ("a frog", "a bus", "a cake", "a kite"),
]


@pytest.mark.parametrize("more", [MORE[:1], MORE], ids=len)
def test_more_than_four_options_are_put_in_another_order_too(more):
    rows = [example(number, answer="E", target="a hat", more=more) for number in range(200)]

    shuffled = shuffle_rows(rows, seed=0)

    assert all(row.options[OPTION_LETTERS.index(row.answer)] == "a hat" for row in shuffled)
    assert all(sorted(row.options) == sorted(rows[0].options) for row in shuffled)
    assert {row.answer for row in shuffled} == {*OPTION_LETTERS[: 4 + len(more)]}


def test_four_options_keep_the_order_that_they_always_had():
    orders = [row.options for row in shuffle_rows([example(1), example(2), example(3)], seed=0)]

    assert orders == ORDERS


def test_letters_that_are_offered_count_as_places_and_others_do_not():
    vitamins = example(1, d="vitamin D or E")
    rows = [vitamins.with_options([*vitamins.options, "a hat"]), example(2, more=("H and J", *MORE[1:]))]

    assert shuffle_rows(rows, seed=0) == rows
    assert any(shuffle_rows([vitamins], seed=seed) != [vitamins] for seed in range(5))


def test_fewer_than_four_options_stay():
    rows = [example(0, d=""), example(0, c="", d="")]

    assert shuffle_rows(rows, seed=0) == rows
