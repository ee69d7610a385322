"""Answers in words and captions, as cells hold them."""

import csv
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from blip_core.errors import TableError
from blip_core.kinds import KINDS
from blip_core.sources import find_columns, guess_columns, read_table, table_digest
from blip_core.sources.cells import RowRefused
from blip_core.sources.free_texts import agreed, is_untold, read_told
from tests.unit.examples import png, world_pixels

CAPTION, VQA = KINDS["caption"], KINDS["vqa"]


@pytest.fixture
def album(tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(png(world_pixels(number)))
    return tmp_path


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("  a bus ", "a bus"),
        (7, "7"),
        (["no", "yes", "yes"], "yes"),
        (["first", "second"], "first"),
        ([{"answer": "two", "answer_id": 1}, {"answer": "two"}, {"answer": "2"}], "two"),
        ({"raw": "a bus"}, "a bus"),
    ],
)
def test_a_cell_tells_one_text(cell, text):
    assert agreed(read_told(cell, "answer", is_needed=True)) == text
    assert not is_untold(cell)


@pytest.mark.parametrize(
    ("cell", "texts"),
    [
        (["a bus", "a red bus"], ["a bus", "a red bus"]),
        ('["a bus", "a red bus"]', ["a bus", "a red bus"]),
        ("['a bus', 'a red bus']", ["a bus", "a red bus"]),
        ("a bus || a red bus ||", ["a bus", "a red bus"]),
        (np.array(["a bus", "a red bus"]).tolist(), ["a bus", "a red bus"]),
        (["yes", "no", "yes"], ["yes", "no", "yes"]),
        ('[{"caption": "a bus"}, {"caption": "a red bus"}]', ["a bus", "a red bus"]),
        ("[a bus] | [a tram]", ["[a bus] | [a tram]"]),
        ("[a bus at a stop]", ["[a bus at a stop]"]),
    ],
)
def test_the_texts_of_several_people_are_told_apart(cell, texts):
    assert read_told(cell, "caption", is_needed=True) == texts


@pytest.mark.parametrize(
    "cell", [None, "", "  ", np.nan, [], ["", None], {"other": "x"}, "nan", "[]", '[""]', "||"]
)
def test_an_empty_cell_tells_none_and_is_refused_where_one_is_needed(cell):
    assert is_untold(cell)
    assert read_told(cell, "caption", is_needed=False) == []
    with pytest.raises(RowRefused, match="caption is empty"):
        read_told(cell, "caption", is_needed=True)


@pytest.mark.parametrize("cell", [b"bytes", "</s> x", "a\x00b", ["fine", "<image>"]])
def test_what_is_no_text_for_a_model_is_refused(cell):
    with pytest.raises(RowRefused):
        read_told(cell, "caption", is_needed=True)


@pytest.mark.parametrize(
    ("names", "column"),
    [
        (["image", "caption"], "caption"),
        (["file_name", "text"], "text"),
        (["image", "title", "caption"], "caption"),
        (["image", "description"], "description"),
        (["photo", "Sentences"], "Sentences"),
        (["image", "question", "answer", "caption", "a", "b", "c", "d"], "caption"),
    ],
)
def test_the_column_of_captions_is_found(names, column):
    found = guess_columns(names, {}, CAPTION.columns_needed(), CAPTION.passes_over)
    assert (found.caption, found.question, found.task) == (column, "", "caption")


@pytest.mark.parametrize("answers", ["answer", "answers", "multiple_choice_answer", "label"])
def test_the_column_of_free_answers_is_found_and_is_no_list_of_options(answers):
    found = guess_columns(["image", "question", answers], {}, VQA.columns_needed(), VQA.passes_over)
    assert (found.answer, found.options, found.task) == (answers, "", "vqa")


def test_a_caption_beside_questions_with_options_is_not_looked_for():
    assert guess_columns(["image", "question", "a", "b", "answer", "caption"], {}).caption == ""


@pytest.mark.parametrize(
    ("kind", "head", "lines"),
    [
        (CAPTION, "image,caption", ["0.png,a bus", "1.png,", "2.png,a tram", "3.png,a van"]),
        (
            VQA,
            "image,question,answer",
            ["0.png,What?,a", "1.png,What?,", "2.png,What?,b", "3.png,What?,c"],
        ),
    ],
    ids=["caption", "vqa"],
)
def test_rows_without_their_text_are_refused_one_by_one_and_answered_all_the_same(album, kind, head, lines):
    path = album / "t.csv"
    path.write_text("\n".join([head, *lines]))
    columns = find_columns(path, None, kind.columns_needed(), "", kind.passes_over)

    rows, refused = read_table(path, columns=columns)
    assert [row.task for row in rows] == [kind.name] * 3
    assert [(one.reason, one.detail) for one in refused] == [
        ("empty-text", f"row 2: {kind.answer_field} is empty")
    ]
    assert len(read_table(path, columns=columns, needs_answer=False)[0]) == 4


def test_captions_of_which_most_are_missing_are_refused_together(album):
    path = album / "t.csv"
    path.write_text("image,caption\n0.png,a bus\n1.png,\n2.png,\n3.png,\n")
    columns = find_columns(path, None, CAPTION.columns_needed(), "", CAPTION.passes_over)
    with pytest.raises(TableError, match="empty-text 3"):
        read_table(path, columns=columns)


@pytest.mark.parametrize("form", ["jsonl", "csv", "parted", "parquet"])
def test_several_captions_of_a_picture_are_all_kept_and_one_is_learnt_or_each(album, form):
    told = [["a bus", "a red bus", "a bus"], ["a tram", "a tram on rails"], ["a van"]]
    names = [f"{number}.png" for number in range(3)]
    path = album / f"t.{form.replace('parted', 'csv')}"
    if form == "parquet":
        pq.write_table(pa.table({"image": names, "captions": told}), path)
    elif form == "jsonl":
        rows = [{"image": name, "captions": texts} for name, texts in zip(names, told, strict=True)]
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        write = json.dumps if form == "csv" else "||".join
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("image", "captions"), *zip(names, map(write, told), strict=True)])
    columns = find_columns(path, None, CAPTION.columns_needed(), "", CAPTION.passes_over)

    rows, refused = read_table(path, columns=columns)
    assert not refused
    assert [row.target for row in rows] == ["a bus", "a tram", "a van"]
    assert [list(row.references) for row in rows] == [told[0], told[1], []]


def test_attributes_of_a_table_come_with_its_rows_and_an_empty_cell_says_that_there_is_none(album):
    path = album / "t.csv"
    path.write_text("image,caption,colour,made of\n0.png,a bus,red,\n1.png,a tram,,steel\n")
    told = {"attributes.color": "colour", "attributes.material": "Made Of"}
    columns = find_columns(path, told, CAPTION.columns_needed(), "", CAPTION.passes_over)

    rows, refused = read_table(path, columns=columns)
    assert [dict(row.attributes) for row in rows] == [
        {"color": "red", "material": ""},
        {"color": "", "material": "steel"},
    ]
    assert not refused
    assert table_digest(path, columns=columns) != table_digest(path, columns=replace(columns, attributes=()))


def test_a_row_whose_attribute_is_no_text_is_refused_alone(album):
    path = album / "t.jsonl"
    path.write_text(
        '{"image": "0.png", "caption": "a bus", "color": ["red"]}\n'
        '{"image": "1.png", "caption": "a tram", "color": null}\n'
        '{"image": "2.png", "caption": "a van", "color": "blue"}\n'
    )
    columns = find_columns(
        path, {"attributes.color": "color"}, CAPTION.columns_needed(), "", CAPTION.passes_over
    )

    rows, refused = read_table(path, columns=columns)
    assert [row.attributes["color"] for row in rows] == ["", "blue"]
    assert [one.reason for one in refused] == ["not-a-text"]
