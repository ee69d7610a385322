"""Gates that look at what steps and tables found out about rows, and at how their texts are worded."""

import pytest

from blip_core.curation.attribute_coverage import check_coverage
from blip_core.curation.repetition import check_repetition
from blip_core.curation.single_answers import check_answers
from blip_core.curation.unfinished import check_ends
from blip_core.curation.vague_texts import check_vagueness
from blip_core.recipes.curation import AttributeCoverage, Curation, SingleAnswers
from blip_core.recipes.curation_of_texts import Repetition, Unfinished, VagueTexts
from tests.unit.examples import example

WITHOUT_OPTIONS = {"a": "", "b": "", "c": "", "d": "", "answer": "", "image": b""}


def caption(text="a red shoe", number=0, **changes):
    return example(number, task="caption", target=text, question="", **{**WITHOUT_OPTIONS, **changes})


def asked(answer, number=0):
    return example(number, task="vqa", target=answer, **WITHOUT_OPTIONS)


def reasons(given):
    return [one.reason for one in given[1]]


SETTINGS = AttributeCoverage(undefined="an unspecified")


@pytest.mark.parametrize(
    "found",
    [{}, {"color": ""}, {"color": "an unspecified"}, {"color": "red", "material": "An  Unspecified"}],
)
def test_a_row_of_whose_attributes_too_few_are_known_is_refused(found):
    assert reasons(check_coverage([caption(attributes=found)], SETTINGS)) == ["attributes-unknown"]


def test_a_share_of_the_attributes_may_do():
    row = caption(attributes={"color": "red", "material": ""})
    settings = SETTINGS.model_copy(update={"min_share": 0.5})
    assert check_coverage([row], settings) == ([row], [])
    assert check_coverage([row], settings.model_copy(update={"attributes": ("color",)}))[0] == [row]
    assert reasons(check_coverage([row], settings.model_copy(update={"attributes": ("heel",)})))


@pytest.mark.parametrize(("margin", "kept"), [(0.3, 1), (0.1, 1), (0.09, 0), (-1.0, 0)])
def test_an_attribute_with_too_little_margin_counts_as_unknown(margin, kept):
    row = caption(attributes={"color": "red"}, scores={"color-margin": margin, "color": 0.9})
    assert len(check_coverage([row], AttributeCoverage(min_margin=0.1))[0]) == kept


def test_answers_that_are_right_once_are_refused_whatever_their_case():
    rows = [asked(text, number) for number, text in enumerate(["Red", "red ", "blue", "two", "two"])]
    kept, refused = check_answers(rows, SingleAnswers())
    assert [row.target for row in kept] == ["Red", "red ", "two", "two"]
    assert [one.detail for one in refused] == ["'blue' is right 1 time(s), at least 2"]
    assert check_answers(rows, SingleAnswers(min_rows=3))[0] == []


@pytest.mark.parametrize(
    ("text", "category", "reason"),
    [
        ("various things", "shoes", ["vague-text"]),
        ("a shoe of some kind", "shoes", ["vague-text"]),
        ("a shoe", "Denim", ["vague-category"]),
        ("a somewhat red shoe", "denim jacket", []),
        ("a variously red shoe", "", []),
    ],
)
def test_texts_and_categories_that_say_nothing_definite_are_refused(text, category, reason):
    settings = VagueTexts(words=("various", "of some kind"), categories=("denim",))
    assert reasons(check_vagueness([caption(text, category=category)], settings)) == reason


@pytest.mark.parametrize("word", ["", "  "])
def test_a_vague_word_that_every_text_says_is_no_word(word):
    with pytest.raises(ValueError, match="empty text"):
        VagueTexts(words=(word,))


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("a red shoe and a red shoe and a red shoe", 1),
        ("the cat sat on the mat. the cat sat on the mat.", 1),
        ("a red shoe", 0),
        ("a shoe of red leather with a heel of black rubber", 0),
    ],
)
def test_texts_that_repeat_themselves_are_refused(text, refused):
    assert len(check_repetition([caption(text)], Repetition())[1]) == refused


@pytest.mark.parametrize(
    ("text", "refused"),
    [("A shoe of", 1), ("It is red. It", 1), ("A shoe,", 1), ("It is red.", 0), ("Is it?”", 0), ("", 0)],
)
def test_texts_that_stop_before_their_end_are_refused(text, refused):
    assert len(check_ends([caption(text)], Unfinished())[1]) == refused


def test_none_of_them_is_on_or_in_a_digest_unless_a_recipe_says_so():
    assert {"attribute_coverage", "vague_texts", "repetition", "unfinished", "single_answers"}.isdisjoint(
        Curation().model_dump()
    )
    assert "repetition" in Curation.model_validate({"repetition": {"enabled": True}}).model_dump()
