"""Options: from a column each or from one that lists them, whatever form the list has."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.records import OPTION_LETTERS
from blip_core.sources.cells import RowRefused
from blip_core.sources.columns import Columns
from blip_core.sources.options import Options, read_options

FOUR = ("a frog", "a bus", "a kite", "a cake")
TEN = (*FOUR, "a hat", "a hen", "a jar", "a key", "a map", "a net")


def in_columns(*options: object) -> Options:
    names = (*OPTION_LETTERS, "K")
    row = dict(zip(names, options, strict=False))
    return read_options(row, Columns(**{name.lower(): name for name in names[: len(options)]}))


def in_one(cell: object) -> Options:
    return read_options({"choices": cell}, Columns(options="choices"))


def refusal(read, *cells: object) -> str:
    with pytest.raises(RowRefused) as caught:
        read(*cells)
    return caught.value.reason


@pytest.mark.parametrize("count", range(2, 11))
def test_two_to_ten_options_are_read_with_four_places_at_least(count):
    written = TEN[:count]
    wanted = (*written, *[""] * (4 - count))
    assert in_columns(*written, *[""] * (10 - count)).texts == wanted
    assert (
        in_one([*written]).texts
        == in_one(json.dumps(written)).texts
        == in_one(str([*written])).texts
        == wanted
    )
    assert in_one(dict(zip(OPTION_LETTERS, written, strict=False))).texts == wanted


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("a frog", "", "", ""), "empty-text"),
        (("a frog", "a bus", "a frog", "a cake"), "repeated-options"),
        (("café", "a bus", "cafe\u0301", "a cake"), "repeated-options"),
        ((*FOUR, "", "a hen"), "empty-text"),
        ((*TEN, "a nut"), "too-many-options"),
        (("a frog", ["a", "b"], "", ""), "not-a-text"),
    ],
)
def test_options_are_all_there_and_all_different(options, reason):
    assert refusal(in_columns, *options) == reason
    assert refusal(in_one, [*options]) == reason


@pytest.mark.parametrize(
    "options", [("FF", "Ff", "ff"), ("5 mW", "5 MW"), ("Co", "CO", "C"), ("a bus", "A BUS")]
)
def test_options_that_differ_in_case_are_different_options(options):
    assert in_columns(*options).texts[: len(options)] == in_one([*options]).texts[: len(options)] == options


def test_every_option_that_is_missing_is_named():
    with pytest.raises(RowRefused, match="option E, F is empty"):
        in_columns(*FOUR, "", "", "a jar")


@pytest.mark.parametrize("cell", ["", None, " ", float("nan")])
def test_gaps_at_the_end_are_no_options(cell):
    assert in_columns(*TEN, cell).texts == TEN
    assert in_one(["a", "b", cell, cell]).texts == ("a", "b", "", "")


@pytest.mark.parametrize(
    "cell",
    [
        {"text": [*FOUR], "label": ["A", "B", "C", "D"]},
        {"text": [*FOUR], "label": ["1", "2", "3", "4"]},
        {"label": ["B", "A", "D", "C"], "text": ["a bus", "a frog", "a cake", "a kite"]},
        {"D": "a cake", "C": "a kite", "B": "a bus", "A": "a frog", "E": None},
        {"0": "a frog", "2": "a kite", "1": "a bus", "3": "a cake"},
        {"option_1": "a frog", "option_2": "a bus", "option_3": "a kite", "option_4": "a cake"},
        [("A", "a frog"), ("B", "a bus"), ("C", "a kite"), ("D", "a cake")],
        [{"label": letter, "text": text} for letter, text in zip("ABCD", FOUR, strict=True)],
        [f"{letter}. {text}" for letter, text in zip("ABCD", FOUR, strict=True)],
        [f"({number}) {text}" for number, text in enumerate(FOUR, start=1)],
        [f"{letter}\uff0e {text}" for letter, text in zip("ＡＢＣＤ", FOUR, strict=True)],
        [f"{mark}{text}" for mark, text in zip("①②③④", FOUR, strict=True)],
        "['a frog' 'a bus' 'a kite' 'a cake']",
        "['a frog'\n 'a bus' 'a kite'\n 'a cake']",
        "array(['a frog', 'a bus', 'a kite', 'a cake'], dtype=object)",
        "['a frog', 'a bus', 'a kite', 'a cake', nan]",
        "('a frog', 'a bus', 'a kite', 'a cake')",
        '["a frog", "a bus", "a kite", "a cake", null]',
        "{'A': 'a frog', 'B': 'a bus', 'C': 'a kite', 'D': 'a cake'}",
        "A. a frog\nB. a bus\nC. a kite\nD. a cake",
        "(A) a frog (B) a bus (C) a kite (D) a cake",
        "A) a frog B) a bus C) a kite D) a cake",
    ],
    ids=lambda cell: str(cell)[:30],
)
def test_a_list_is_read_in_the_forms_that_tables_give_it(cell):
    assert in_one(cell).texts == FOUR


@pytest.mark.parametrize(
    "options", [["nan", "a"], ["it's", 'say "no"'], ["[a]", "{b}"], ["1, 2", "a' 'b"], ["1.5", "2.5"]]
)
def test_texts_in_a_printed_list_stay_as_they_are(options):
    for cell in (options, json.dumps(options), str(options)):
        assert in_one(cell).texts[:2] == tuple(options)


def test_a_missing_value_that_became_a_text_is_no_option_unless_it_may_be_a_number():
    assert in_columns("a frog", "a bus", "nan", "nan").texts == ("a frog", "a bus", "", "")
    assert in_one(["a frog", "a bus", "a kite", "NaN"]).texts == ("a frog", "a bus", "a kite", "")
    assert in_columns("0", "1", "inf", "nan").texts == ("0", "1", "inf", "nan")
    assert in_columns("nan", "a bus", "a kite").texts == ("nan", "a bus", "a kite", "")
    assert in_columns("a frog", "a bus", "a kite", "None").texts == ("a frog", "a bus", "a kite", "None")


def test_numbers_and_truths_become_texts():
    assert in_one([1, 2.0, 2.5, True]).texts == ("1", "2", "2.5", "True")


@pytest.mark.parametrize(
    "cell",
    [
        "a frog, a bus",
        "a frog|a bus|a kite",
        "a frog\na bus",
        "['a frog' 'a bus', 'a kite']",
        "['a frog''a bus']",
        "['a' ... 'd']",
        "[1 2 3]",
        '["a frog", "a bus"',
        '{"A": "a frog", "A": "a bus"}',
        "{'A': 'a frog', 'A': 'a bus'}",
        {"a frog": 1, "a bus": 2},
        {"A": "a frog", "1": "a bus"},
        {"A": "a frog", "a": "a bus"},
        b"a frog",
        7,
        "__import__('os')",
        "[" * 100,
    ],
    ids=lambda cell: str(cell)[:30],
)
def test_what_is_not_certainly_a_list_is_refused(cell):
    assert refusal(in_one, cell) == "unreadable-options"


def test_a_list_of_lists_and_a_cell_without_end_are_refused():
    assert refusal(in_one, [["a"], ["b"]]) == "not-a-text"
    assert refusal(in_one, "x" * 100_000) == "too-long-text"


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        (["A. a frog", "B. a bus"], ("A", "B")),
        (["(b) a bus", "(a) a frog"], ("B", "A")),
        (["1) a frog", "2) a bus"], ("1", "2")),
    ],
)
def test_letters_that_all_options_bear_are_their_labels_and_no_text(options, labels):
    read = in_columns(*options)
    assert read.labels == labels
    assert set(read.texts[:2]) == {"a frog", "a bus"}


@pytest.mark.parametrize(
    "options",
    [
        ["A. Lincoln", "G. Washington"],
        ["A. a frog", "a bus"],
        ["A. a frog", "A. a bus"],
        ["1.5 m", "2.5 m"],
        ["A.M.", "P.M."],
        ["A frog", "B movie"],
        ["2: 1", "1: 2"],
    ],
)
def test_texts_that_only_look_numbered_stay_as_they_are(options):
    assert in_columns(*options).texts[:2] == tuple(options)


texts = (
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
    .map(str.strip)
    .filter(bool)
)


@given(st.lists(texts, min_size=2, max_size=10, unique_by=lambda text: text.casefold()))
def test_a_list_means_the_same_in_every_form(options):
    try:
        wanted = in_one(options)
    except RowRefused:
        return
    for cell in (tuple(options), json.dumps(options), str(options), json.dumps(options, ensure_ascii=False)):
        assert in_one(cell) == wanted
    keyed = in_one(dict(zip(OPTION_LETTERS, options, strict=False)))
    assert keyed.texts == wanted.texts
