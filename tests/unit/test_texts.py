"""Two texts are the same only where that is certain."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.texts import are_alike, exact, is_repeated, loose, places_of


@pytest.mark.parametrize(
    "texts",
    [
        ("FF", "Ff", "ff"),
        ("5 mW", "5 MW"),
        ("Co", "CO"),
        ("x²", "x2"),
        ("½", "1/2"),
        ("a b", "ab"),
        ("A.", "A"),
    ],
)
def test_texts_that_differ_are_different(texts):
    assert not is_repeated(texts)


@pytest.mark.parametrize("text", ["café", "강아지", "Å", "が"])
def test_a_text_is_the_same_however_it_is_composed(text):
    assert is_repeated([text, unicodedata.normalize("NFD", text)])


@pytest.mark.parametrize("text", ["A  DOG", " a dog. ", "ａ　ｄｏｇ", "a\u00a0dog", "a\u200b dog", "A dog。"])
def test_a_text_is_found_without_case_width_and_spaces_where_none_is_the_same(text):
    assert places_of(text, ["a boat", "a dog"]) == [1]


def test_the_same_text_is_found_before_those_alike():
    assert places_of("ff", ["FF", "Ff", "ff"]) == [2]


def test_of_several_texts_alike_none_is_chosen():
    assert places_of("fF", ["FF", "Ff", "dog"]) == [0, 1]


@pytest.mark.parametrize(("text", "others"), [("x2", ["x²", "2x"]), ("1/2", ["½", "1"]), ("", ["", "a"])])
def test_what_differs_in_more_than_case_width_and_spaces_is_not_found(text, others):
    assert places_of(text, others) == []


def test_half_width_characters_are_those_of_full_width():
    assert loose("ﾊﾞｽ") == "バス"


@given(st.lists(st.text(), max_size=6), st.text())
def test_whatever_is_the_same_is_alike_and_is_found(texts, text):
    assert exact(exact(text)) == exact(text)
    assert is_repeated(texts) <= are_alike(texts)
    if text:
        assert len(texts) in places_of(text, [*texts, unicodedata.normalize("NFD", text)])
