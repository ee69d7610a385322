import pytest

from blip_core.errors import RecipeError
from blip_core.scoring.measurement import measure
from blip_core.scoring.measures import measure_named
from tests.unit.scoring.measures.test_measures import answer, prediction

COLOURS = ("red", "blue", "light blue", "")


def values(name: str, texts: dict[str, str]) -> list[float | None]:
    """Of one text a colour; colours without a text are said rightly."""
    said = [texts.get(colour, f"a {colour} shoe") for colour in COLOURS]
    rows = [answer(text, attributes={"color": colour}) for text, colour in zip(said, COLOURS, strict=True)]
    return measure_named(name).values(rows)


def test_a_text_is_right_where_it_names_the_word_of_its_row():
    assert values("named-color", {}) == [1.0, 1.0, 1.0, None]


@pytest.mark.parametrize("text", ["a shoe", "", "a red blue shoe", "a reddish shoe", "a blue shoe"])
def test_a_text_without_the_right_word_or_with_another_one_is_wrong(text):
    assert values("named-color", {"red": text})[0] == 0.0


def test_a_word_inside_the_right_one_is_no_other_word():
    assert values("named-color", {"light blue": "light blue", "blue": "light blue"})[1:3] == [0.0, 1.0]


@pytest.mark.parametrize(("text", "silent"), [("a shoe", 1.0), ("a red shoe", 0.0), ("in light blue", 0.0)])
def test_a_row_without_the_attribute_is_right_where_no_word_of_it_is_said(text, silent):
    assert values("silent-color", {"": text}) == [None, None, None, silent]


def test_every_attribute_of_the_rows_is_measured():
    rows = [
        prediction(id=str(n), task="caption", generated="a red shoe", ranked="", attributes=told)
        for n, told in enumerate([{"color": "red"}, {"color": "", "sole": "flat"}])
    ]
    found = {(one.measure, one.row): one.value for one in measure(rows, "v")}
    told = {key: value for key, value in found.items() if key[0].startswith(("named-", "silent-", "all-"))}
    assert told == {
        ("named-color", "0"): 1.0,
        ("silent-color", "1"): 0.0,
        ("named-sole", "1"): 0.0,
        ("all-attributes", "0"): 1.0,
        ("all-attributes", "1"): 0.0,
    }


@pytest.mark.parametrize("name", ["named-", "nam-color", "silent", "color-named"])
def test_a_name_that_only_resembles_one_by_attribute_is_no_measure(name):
    with pytest.raises(RecipeError, match="there is no measure"):
        measure_named(name)


def test_of_several_words_all_are_named_in_whatever_number():
    shown = ("kite, bus", "teddy bear", "burger", "kite, bus", "bus", "bus")
    said = (
        "two buses and a kite",
        "three teddy bears",
        "four burgers",
        "a kite",
        "a bus and a kite",
        "a bush",
    )
    rows = [answer(text, attributes={"objects": word}) for text, word in zip(said, shown, strict=True)]
    assert measure_named("named-objects").values(rows) == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
