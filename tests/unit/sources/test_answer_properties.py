"""Right answers that are known, written in every form: read back to the same, or refused, never wrong."""

import json
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from blip_core.errors import TableError
from blip_core.records import LETTERS, OPTION_LETTERS
from blip_core.sources.answers import Answer, AnswerReading, settle_reading
from blip_core.sources.cells import RowRefused
from blip_core.sources.columns import Columns
from blip_core.sources.forms import READINGS, answer_text, is_hidden
from blip_core.sources.options import Options, read_options
from tests.examples import examples

THINGS = ["a frog", "a bus", "a kite", "a cake", "a hat", "a hen", "a jar", "a key", "a map", "a net"]
NUMBERS = [*map(str, range(12)), "0.0", "1.0", "2.0", "1,0", "-1"]
ODD = [
    *(
        "A",
        "B",
        "C",
        "D",
        "a",
        "b",
        "FF",
        "Ff",
        "ff",
        "mW",
        "MW",
        "yes",
        "no",
        "Yes",
        "True",
        "false",
        "None",
        "N/A",
    ),
    *(
        "-",
        "?",
        "A.",
        "(B)",
        "B. a bus",
        "A. a frog",
        "Option C",
        "option 2",
        "①",
        "Ａ",
        "가",
        "E",
        "1. a hat",
        "2)",
    ),
    *("None of the above", "both A and B", "I", "café", "x²", "1 2", "['a']"),
]
FULL_WIDTH = str.maketrans("ABCDEFGHIJ0123456789", "ＡＢＣＤＥＦＧＨＩＪ０１２３４５６７８９")


def written(place: int, texts: list[str]) -> dict[str, tuple[Any, str]]:
    """Every form of an answer, with the way in which it is meant."""
    letter, text = OPTION_LETTERS[place], texts[place]
    numbers: dict[str, tuple[Any, str]] = {}
    for way, number in (("from-zero", place), ("from-one", place + 1)):
        forms = (
            number,
            str(number),
            f"{number}.0",
            f"{number},0",
            float(number),
            Decimal(number),
            f"({number})",
        )
        numbers |= {f"{way} {kind}": (form, way) for kind, form in enumerate(forms)}
        numbers[f"{way} full-width"] = (str(number).translate(FULL_WIDTH), way)
        numbers[f"{way} listed"] = ([number], way)
        numbers[f"{way} worded"] = (f"option {number}", way)
    return numbers | {
        "letter": (letter, "letters"),
        "small": (letter.lower(), "letters"),
        "bracketed": (f"({letter.lower()})", "letters"),
        "full-width": (letter.translate(FULL_WIDTH), "letters"),
        "circled letter": (chr(ord("Ⓐ") + place), "letters"),
        "circled number": (chr(ord("①") + place), "letters"),
        "worded letter": (f"Answer: {letter}", "letters"),
        "option": (f"option_{letter.lower()}", "letters"),
        "listed letter": ([letter], "letters"),
        "letter as JSON": (json.dumps([letter]), "letters"),
        "letter and text": (f"{letter}. {text}", "letters"),
        "text": (text, "texts"),
        "listed text": ([text], "texts"),
    }


FORMS = tuple(written(0, ["x"]))
CELLS = ("columns", "list", "JSON", "printed", "mapping", "lettered")


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[tuple[Options, list[str], int]], str]:
    """Rows with their options as they are read, as they were written, and the right place; and a form."""
    pool = draw(
        st.sampled_from(
            [THINGS, THINGS + ODD, NUMBERS, NUMBERS + ODD, ODD, ["yes", "no"], ["no", "yes", "a"]]
        )
    )
    cell = draw(st.sampled_from(CELLS))
    rows = []
    for _ in range(draw(st.integers(1, 25))):
        texts = draw(st.lists(st.sampled_from(pool), min_size=2, max_size=10, unique=True))
        try:
            rows.append((options_of(texts, cell), texts, draw(st.integers(0, len(texts) - 1))))
        except RowRefused:
            continue
    return rows, draw(st.sampled_from(FORMS))


def options_of(texts: list[str], cell: str) -> Options:
    if cell == "columns":
        places = {letter.lower(): letter for letter in OPTION_LETTERS[: max(len(texts), len(LETTERS))]}
        return read_options(dict(zip(OPTION_LETTERS, texts, strict=False)), Columns(**places))
    lettered = [f"{letter}) {text}" for letter, text in zip(OPTION_LETTERS, texts, strict=False)]
    mapping = dict(zip(OPTION_LETTERS, texts, strict=False))
    forms: dict[str, Any] = {
        "list": texts,
        "JSON": json.dumps(texts),
        "printed": str(texts),
        "mapping": mapping,
        "lettered": lettered,
    }
    return read_options({"options": forms[cell]}, Columns(options="options"))


def settled(asked: list[Answer], told: str = "") -> AnswerReading | str:
    """How answers are read, or why they are not."""
    try:
        return settle_reading(asked, "answer", {}, told)
    except TableError as refused:
        return str(refused)


@settings(max_examples=examples(600), deadline=None)
@given(tables(), st.booleans())
def test_an_answer_is_read_as_it_was_meant_or_not_at_all(table, is_told):
    rows, form = table
    meant = written(0, ["x"])[form][1]
    answers = [written(place, texts)[form][0] for _, texts, place in rows]
    asked = [
        Answer(number, answer_text(answer), row[0])
        for number, (answer, row) in enumerate(zip(answers, rows, strict=True), start=1)
    ]
    reading = settled(asked, meant if is_told else "")
    if isinstance(reading, str):
        assert "--answers" in reading or "--column answer=" in reading
        return
    for answer, (_, _, place) in zip(asked, rows, strict=True):
        try:
            letter = reading.letter(answer.text, answer.options)
        except RowRefused:
            continue
        assert letter == ("" if not letter and is_hidden(answer.text) else OPTION_LETTERS[place])


@settings(max_examples=examples(300), deadline=None)
@given(
    st.lists(st.tuples(st.integers(2, 10), st.integers(0, 9)), min_size=1, max_size=30),
    st.sampled_from(FORMS),
)
def test_answers_to_options_that_look_like_no_answers_are_read_unless_numbers_may_start_at_either(
    counts, form
):
    rows = [(options_of(THINGS[:count], "list"), THINGS[:count], place % count) for count, place in counts]
    meant = written(0, ["x"])[form][1]
    asked = [
        Answer(number, answer_text(written(place, texts)[form][0]), offered)
        for number, (offered, texts, place) in enumerate(rows, start=1)
    ]
    from_zero = [place for _, _, place in rows]
    is_open = (meant == "from-zero" and 0 not in from_zero) or (
        meant == "from-one" and all(place + 1 < offered.offered for offered, _, place in rows)
    )
    reading = settled(asked)
    assert isinstance(reading, str) == is_open
    if isinstance(reading, str):
        assert all(f"--answers {way}" in reading for way in ("from-zero", "from-one"))
        return
    assert reading.way == meant or form in ("letter and text", "text", "listed text")
    assert [reading.letter(one.text, one.options) for one in asked] == [
        OPTION_LETTERS[place] for place in from_zero
    ]


@settings(max_examples=examples(300), deadline=None)
@given(
    st.lists(
        st.tuples(st.text(max_size=12), st.lists(st.text(max_size=6), min_size=2, max_size=5)), max_size=8
    )
)
def test_whatever_answers_say_it_is_an_option_none_or_a_refusal(rows):
    asked = []
    for number, (text, texts) in enumerate(rows, start=1):
        try:
            asked.append(Answer(number, answer_text(text), read_options({"o": texts}, Columns(options="o"))))
        except RowRefused:
            continue
    asked = [one for one in asked if one.text]
    for told in ("", *READINGS):
        reading = settled(asked, told)
        if isinstance(reading, str):
            continue
        for one in asked:
            try:
                letter = reading.letter(one.text, one.options)
            except RowRefused:
                continue
            assert letter in ("", *OPTION_LETTERS[: one.options.offered])
