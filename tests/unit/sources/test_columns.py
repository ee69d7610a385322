"""Columns: found by common names, told apart or refused, mapped by whoever hands a table in."""

import pytest

from blip_core.errors import TableError
from blip_core.recipes.columns import TableColumns
from blip_core.sources import FIELDS, PICTURE_FIELDS, Columns, guess_columns

OPTIONS = ["a", "b", "c", "d"]
TEN = [*"abcdefghij"]


def found(names: list[str], **given: str) -> dict[str, str]:
    return guess_columns(names, given).named


@pytest.mark.parametrize(
    ("field", "name"),
    [
        *(("image", name) for name in ("image", "Image_Path", "file", "FileName", "picture", "img", "path")),
        *(("question", name) for name in ("question", "Prompt", "QUERY")),
        *(("answer", name) for name in ("answer", "Label", "correct", "target", "correct_option")),
        *(("id", name) for name in ("id", "question_id", "Index", "qid")),
    ],
)
def test_common_names_are_known_in_any_case(field: str, name: str):
    others = {"image": "image", "question": "question"} | {field: name}
    assert found([*others.values(), *OPTIONS])[field] == name


@pytest.mark.parametrize(
    "options",
    [
        ["A", "B", "C", "D"],
        ["option_a", "option_b", "option_c", "option_d"],
        ["choiceA", "choiceB", "choiceC", "choiceD"],
        ["Option 1", "Option 2", "Option 3", "Option 4"],
        ["choice_0", "choice_1", "choice_2", "choice_3"],
        ["A", "B", "C", "D", "E"],
        [f"option {number}" for number in range(5)],
        *([stem + letter for letter in TEN] for stem in ("", "opt_", "answer")),
        *([f"choice{number}" for number in range(start, start + 10)] for start in (0, 1)),
    ],
)
def test_options_are_found_as_a_family(options: list[str]):
    columns = guess_columns(["image", "question", *reversed(options)], {})
    assert list(columns.places) == options


def test_what_a_table_does_not_have_stays_empty():
    assert found(["image", "question", *OPTIONS]) == {
        "image": "image",
        "question": "question",
        **{letter: letter for letter in OPTIONS},
    }


def test_a_column_of_the_fields_own_name_is_preferred():
    assert found(["label", "answer", "image_path", "image", "question", *OPTIONS])["answer"] == "answer"


def test_what_is_given_wins_and_leaves_the_rest_to_the_guess():
    columns = found(["label", "target", "photo", "question", *OPTIONS], answer="Target")
    assert (columns["answer"], columns["image"]) == ("target", "photo")


def test_a_table_may_have_two_or_three_options():
    assert "d" not in found(["image", "question", "A", "B", "C"])
    assert "c" not in found(["image", "question", "option1", "option2"])


@pytest.mark.parametrize(
    "names", [[*TEN, "K"], [f"option{n}" for n in range(11)]], ids=["letters", "numbers"]
)
def test_an_eleventh_option_is_known_but_no_field(names: list[str]):
    columns = guess_columns(["image", "question", *names], {})
    assert (columns.k, columns.places) == (names[10], tuple(names[:10]))
    assert "k" not in FIELDS


@pytest.mark.parametrize("options", [["a", "b"], OPTIONS, [*OPTIONS, "e"]], ids=len)
def test_a_letter_far_from_the_options_is_something_else(options: list[str]):
    assert "i" not in found(["image", "question", *options, "i"])


def test_a_column_that_is_only_named_like_a_fifth_option_is_something_else():
    names = ["image", "question", *(f"option_{letter}" for letter in OPTIONS), "options", "E"]
    assert "e" not in found(names)


def test_options_that_are_given_reach_beyond_d():
    columns = guess_columns(["image", "question", *OPTIONS, "fifth", "F"], {"e": "fifth"})
    assert columns.places == (*OPTIONS, "fifth", "F")


def test_columns_that_were_found_are_found_again():
    columns = guess_columns(["image", "question", *TEN, "k"], {})
    assert guess_columns(["image", "question", *TEN, "k"], columns.given()) == columns


def test_a_field_can_be_said_to_have_no_column():
    assert "answer" not in found(["label", "image", "question", *OPTIONS], answer="")


def test_options_that_are_given_are_completed_by_the_guess():
    assert found(["image", "question", "a", "b", "c", "last"], d="last")["d"] == "last"


@pytest.mark.parametrize(
    ("names", "given", "told"),
    [
        (["question", *OPTIONS], {}, "no column for image"),
        (["image", "question", "a", "b", "d"], {}, "no column for C"),
        (["image", "question", "a"], {}, "no column for B"),
        (["image", "question", "a", "b", "c", "e"], {}, "no column for D"),
        (["image", "question", *OPTIONS, "f"], {}, "no column for E"),
        (["image", "question", *OPTIONS, "sixth"], {"f": "sixth"}, "no column for E"),
        (
            ["image", "question", *(f"option{n}" for n in (1, 2, 3, 4, 7))],
            {},
            "for E; there is no column for F",
        ),
        (["image", "question", *(f"option_{x}" for x in "abcdf"), "opton_e"], {}, "for E; is it 'opton_e'?"),
        (["image", "question", "option_a", "option_b", "option_c", "opton_d"], {}, "for D; is it 'opton_d'?"),
        (["img", "path", "question", *OPTIONS], {}, "image could be 'img' or 'path'"),
        (["image", "question", "label", "target", *OPTIONS], {}, "answer could be 'label' or 'target'"),
        (["image", "question", "A", *OPTIONS], {}, "A could be 'A' or 'a'"),
        (["image", "image", "question", *OPTIONS], {}, "the column 'image' comes 2 times"),
        (
            ["image", "question", *(f"{s}{n}" for s in ("opt", "choice") for n in range(1, 5))],
            {},
            "opt1 to opt4 or",
        ),
        (
            ["image", "question", *(f"{s}{n}" for s in ("opt", "choice") for n in range(1, 6))],
            {},
            "opt1 to opt5 or",
        ),
        (["image", "question", *OPTIONS], {"answer": "solution"}, "answer is said to be 'solution'"),
        (["image", "question", *OPTIONS], {"colour": "image"}, "'colour' is no field; allowed: id, image"),
        (["image", "question", *OPTIONS], {"z": "image"}, "question, a to j, options, answer"),
        (["image", "question", *OPTIONS], {"image": "a", "b": "a"}, "'a' is given for more than one field"),
    ],
)
def test_what_cannot_be_told_is_said_with_what_was_found_and_how_to_map(names, given, told):
    with pytest.raises(TableError) as caught:
        guess_columns(names, given)
    text = str(caught.value)
    assert told in text
    assert f"Columns found: {names[0]!r}" in text
    assert "--column image=NAME" in text
    assert "[evaluation.columns]" in text


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(TableError, match=r"no column for image.*no column for question"):
        guess_columns(OPTIONS, {})


def test_pictures_alone_need_no_question():
    assert guess_columns(["photo", "label"], {}, PICTURE_FIELDS).image == "photo"


def test_a_message_shows_no_more_of_a_wide_table_than_one_can_read():
    with pytest.raises(TableError, match="and 960 more") as caught:
        guess_columns([f"{number:04d}" * 100 for number in range(1000)], {})
    assert len(str(caught.value)) < 10_000


def test_columns_are_told_in_one_line():
    columns = Columns(image="file_name", question="prompt", a="option_a")
    assert columns.describe() == "image='file_name', question='prompt', A='option_a'"


def test_a_recipe_can_map_every_field():
    assert tuple(TableColumns.model_fields) == (*FIELDS, "attributes")
    assert TableColumns(answer="label", id="").given() == {"answer": "label", "id": ""}


@pytest.mark.parametrize(
    ("names", "is_told"),
    [
        (["image", "question"], True),
        (["image", "question", "b", "c", "d"], True),
        (["question"], True),
        (["file", "img", "question", *OPTIONS], False),
        (["image", *OPTIONS], False),
        (["question", *OPTIONS], False),
    ],
)
def test_a_column_for_all_options_is_advised_where_the_first_is_missing(names: list[str], is_told: bool):
    with pytest.raises(TableError, match="Say which is which") as refusal:
        found(names)
    assert ("options=NAME is one column that holds all options" in str(refusal.value)) == is_told


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (Columns(question="q", a="x", b="y", answer="right", caption="c"), ("mcq", "answer", "right")),
        (Columns(question="q", options="all", answer="right"), ("mcq", "answer", "right")),
        (Columns(question="q", answer="right", caption="c"), ("vqa", "answer", "right")),
        (Columns(answer="right", caption="c"), ("caption", "caption", "c")),
        (Columns(), ("caption", "caption", "")),
    ],
)
def test_what_is_right_stands_where_the_kind_of_row_has_it(columns: Columns, told: tuple[str, str, str]):
    assert (columns.task, columns.told_field, columns.told) == told


SHOES = ["file", "caption", "Main Colour", "material"]


def test_attributes_are_columns_by_their_names_in_any_case():
    told = TableColumns(attributes={"color": "main colour", "made-of": "material"}).given()
    columns = guess_columns(SHOES, told, ("image", "caption"), {"options", "question"})
    assert columns.attributes == (("color", "Main Colour"), ("made-of", "material"))
    assert columns.describe().endswith("attributes.color='Main Colour', attributes.made-of='material'")
    assert columns.unused(SHOES) == []
    assert guess_columns(SHOES, columns.given(), ("image", "caption")) == columns


@pytest.mark.parametrize(
    ("column", "said"),
    [("shape", "attributes.color is said to be 'shape', but there is none"), ("", "to be '', but there is")],
)
def test_an_attribute_without_its_column_is_refused(column: str, said: str):
    with pytest.raises(TableError, match=said):
        guess_columns(SHOES, {"attributes.color": column}, ("image",), {"options", "question"})


def test_a_column_of_two_attributes_is_read_for_both():
    given = {"attributes.color": "material", "attributes.kind": "material", "caption": "material"}
    columns = guess_columns(SHOES, given, ("image",), {"options", "question"})
    assert dict(columns.attributes) == {"color": "material", "kind": "material"}
