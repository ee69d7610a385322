import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from blip_core.curation import pictures as picture_room
from blip_core.errors import TableError
from blip_core.sources import read_examples, read_table, read_table_pictures
from tests.unit.examples import png, world_pixels

PICTURE = png(world_pixels(0))
ROW = {
    "id": "q1",
    "image": "pictures/one.png",
    "question": "What stands here?",
    "a": "a frog",
    "b": "a bus",
    "c": "a kite",
    "d": "a cake",
    "answer": "b",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "set" / "pictures").mkdir(parents=True)
    (tmp_path / "set" / "pictures" / "one.png").write_bytes(PICTURE)
    (tmp_path / "outside.png").write_bytes(PICTURE)
    return tmp_path / "set"


def write_csv(folder: Path, *rows: dict) -> Path:
    with (folder / "t.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "t.csv"


def write_jsonl(folder: Path, *rows: dict) -> Path:
    (folder / "t.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder / "t.jsonl"


def write_parquet(folder: Path, *rows: dict) -> Path:
    pq.write_table(pa.Table.from_pylist(list(rows)), folder / "t.parquet")
    return folder / "t.parquet"


@pytest.mark.parametrize("write", [write_csv, write_jsonl, write_parquet])
def test_a_table_of_any_kind_gives_the_same_example(write, folder: Path):
    (example,) = read_examples(write(folder, ROW))

    assert (example.id, example.question, example.answer, example.target) == (
        "q1",
        ROW["question"],
        "B",
        "a bus",
    )
    assert example.image == PICTURE
    assert example.task == "mcq"


def test_parquet_may_hold_the_bytes(folder: Path):
    path = write_parquet(folder, ROW | {"image": {"bytes": PICTURE, "path": "/etc/passwd"}})

    assert read_examples(path)[0].image == PICTURE


def test_columns_are_found_in_any_case(folder: Path):
    path = write_csv(folder, {name.upper(): value for name, value in ROW.items()})

    assert read_examples(path)[0].b == "a bus"


def test_questions_about_one_picture_share_its_group(folder: Path):
    rows = read_examples(write_csv(folder, ROW, ROW | {"id": "q2", "question": "Which?"}))

    assert rows[0].group == rows[1].group


def test_without_options_the_answer_is_free_text(folder: Path):
    (row,) = read_examples(write_csv(folder, {"image": ROW["image"], "question": "What?", "answer": "a bus"}))

    assert (row.id, row.task, row.answer, row.target) == ("row-00000", "vqa", "", "a bus")


def test_answers_may_be_absent_where_none_are_needed(folder: Path):
    path = write_csv(folder, ROW | {"answer": ""})

    assert read_table(path, needs_answer=False)[0][0].answer == ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"image": "../outside.png"}, "unreadable-picture"),
        ({"image": "/etc/passwd"}, "unreadable-picture"),
        ({"image": "C:\\pictures\\one.png"}, "unreadable-picture"),
        ({"image": "link.png"}, "unreadable-picture"),
        ({"image": "pictures"}, "unreadable-picture"),
        ({"image": "absent.png"}, "unreadable-picture"),
        ({"image": "a\0b.png"}, "unreadable-picture"),
        ({"image": ""}, "unreadable-picture"),
        ({"image": "t.jsonl"}, "unreadable-picture"),
        ({"question": " "}, "empty-text"),
        ({"c": ""}, "empty-text"),
        ({"answer": ""}, "empty-text"),
        ({"answer": "E"}, "answer-not-a-letter"),
        ({"id": "q1"}, "repeated-id"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_and_the_others_are_kept(
    changes: dict, reason: str, folder: Path
):
    (folder / "link.png").symlink_to(folder.parent / "outside.png")
    path = write_jsonl(folder, ROW, ROW | {"id": "q2"} | changes)

    examples, rejections = read_table(path)

    assert [example.id for example in examples] == ["q1"]
    assert [rejection.reason for rejection in rejections] == [reason]
    assert "row 2" in rejections[0].detail


def test_what_models_are_judged_on_must_hold_throughout(folder: Path):
    with pytest.raises(TableError, match=r"t\.csv: row 2: answer is 'E'"):
        read_examples(write_csv(folder, ROW, ROW | {"id": "q2", "answer": "E"}))


def test_a_picture_that_is_too_large_is_not_decoded(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(picture_room, "MAX_PICTURE_PX", 100)

    _, rejections = read_table(write_csv(folder, ROW))

    assert "64 x 64" in rejections[0].detail


def test_a_camera_that_was_turned_gives_an_upright_picture(folder: Path):
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("RGB", (40, 20)).save(buffer, "JPEG", exif=exif)
    (folder / "turned.jpg").write_bytes(buffer.getvalue())

    (row,) = read_examples(write_csv(folder, ROW | {"image": "turned.jpg"}))

    assert Image.open(io.BytesIO(row.image)).size == (20, 40)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.xlsx", b"", "must end in"),
        ("t.csv", b"question\nWhat?\n", "no column image"),
        ("t.csv", b"\xff\xfe\x00", "cannot be read"),
        ("t.csv", b"image,question,answer\n", "holds no row"),
        ("t.jsonl", b"{", "line 1: no JSON"),
        ("t.jsonl", b"[]", "no JSON object"),
        ("t.parquet", b"PAR1", "cannot be read"),
        ("t.csv", None, "No such file"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(name: str, content: bytes | None, told: str, tmp_path: Path):
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(TableError, match=told) as caught:
        read_examples(tmp_path / name)
    assert name in str(caught.value)


def test_pictures_of_a_table_are_read_to_be_labelled(folder: Path):
    pictures, rejections = read_table_pictures(
        write_csv(folder, {"photo": "pictures/one.png", "kind": "pets"}, {"photo": "no.png", "kind": ""}),
        image_column="photo",
        category_column="kind",
    )

    assert [(p.id, p.category, p.width_px) for p in pictures] == [("row-00000", "pets", 64)]
    assert [rejection.reason for rejection in rejections] == ["unreadable-picture"]
