import base64
import csv
import hashlib
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from blip_core.errors import TableError
from blip_core.images import decoding_key
from blip_core.sources import (
    PICTURE_FIELDS,
    Columns,
    find_columns,
    folder_digest,
    look_at,
    questions_asked,
    read_examples,
    read_table,
    read_table_pictures,
    table_digest,
    table_keys,
)
from blip_core.sources import table as table_room
from blip_core.sources.digests import content_digest
from tests.hostile.files import encoded, noise, png_claiming
from tests.unit.examples import png, world_pixels

PICTURE = png(world_pixels(0))
PICTURE_TEXT = base64.b64encode(PICTURE).decode()
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 900\n"
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


def test_parquet_may_hold_the_bytes(folder: Path):
    path = write_parquet(folder, ROW | {"image": {"bytes": PICTURE, "path": "/etc/passwd"}})

    assert read_examples(path)[0].image == PICTURE


def test_columns_are_found_in_any_case(folder: Path):
    path = write_csv(folder, {name.upper(): value for name, value in ROW.items()})

    assert read_examples(path)[0].b == "a bus"


def test_questions_about_one_picture_share_its_group(folder: Path):
    rows = read_examples(write_csv(folder, ROW, ROW | {"id": "q2", "question": "Which?"}))

    assert rows[0].group == rows[1].group


def test_the_same_picture_under_two_names_is_one_picture(folder: Path):
    (folder / "copy.png").write_bytes(PICTURE)

    one, two = read_examples(write_csv(folder, ROW, ROW | {"id": "q2", "image": "copy.png"}))

    assert one.picture_id == two.picture_id
    assert one.image is two.image


def test_rows_without_an_id_are_numbered_from_one(folder: Path):
    rows = read_examples(write_csv(folder, ROW | {"id": ""}, ROW | {"id": ""}))

    assert [row.id for row in rows] == ["row-000001", "row-000002"]


def test_pictures_may_lie_in_another_folder_than_the_table(folder: Path):
    path = write_csv(folder, ROW | {"image": "one.png"})

    assert read_table(path, folder / "pictures")[0][0].image == PICTURE
    with pytest.raises(TableError, match="nowhere is no folder"):
        read_table(path, folder / "nowhere")


def test_columns_can_be_told(folder: Path):
    path = write_csv(folder, {"photo 1": ROW["image"], "photo": "no.png"} | ROW | {"image": "no.png"})
    columns = find_columns(path, {"image": "photo 1"})

    assert read_table(path, columns=columns)[0][0].image == PICTURE


def test_columns_of_another_table_are_refused(folder: Path):
    with pytest.raises(TableError, match="image is said to be 'photo', but there is none"):
        read_table(write_csv(folder, ROW), columns=Columns(image="photo", question="question"))


def test_without_options_the_answer_is_free_text(folder: Path):
    path = write_csv(folder, {"image": ROW["image"], "question": "What?", "answer": "a bus"})
    columns = Columns(image="image", question="question", answer="answer")

    (row,) = read_table(path, columns=columns)[0]

    assert (row.id, row.task, row.answer, row.target) == ("row-000001", "vqa", "", "a bus")


def test_what_else_a_table_says_of_its_rows_is_kept(folder: Path):
    more = {"category": "toys", "kind": "colour", "group": "album", "description": "A frog on a stone."}

    (row,) = read_examples(write_csv(folder, ROW | more))

    assert {name: getattr(row, name) for name in more} == more


def test_answers_may_be_absent_where_none_are_needed(folder: Path):
    path = write_csv(folder, ROW | {"answer": ""})

    assert read_table(path, needs_answer=False)[0][0].answer == ""


def test_a_table_without_answers_cannot_judge(folder: Path):
    path = write_csv(folder, {name: value for name, value in ROW.items() if name != "answer"})

    assert read_table(path, needs_answer=False)[0][0].answer == ""
    with pytest.raises(TableError, match="no column for answer"):
        read_table(path)


def test_an_answer_is_a_letter_a_number_or_a_text(folder: Path):
    for number, answers in enumerate((["a", "D"], ["0", "3"], ["1", "4"], ["a frog", "a cake"])):
        rows = [ROW | {"id": str(place), "answer": answer} for place, answer in enumerate(answers)]
        assert [row.answer for row in read_examples(write_csv(folder, *rows))] == ["A", "D"], number


TEN = {letter: f"a thing {letter}" for letter in "abcdefghij"}


def test_numbers_are_told_by_the_row_of_most_options_not_by_columns_that_nobody_fills(folder: Path):
    empty = dict.fromkeys("efghij", "")
    four = [ROW | empty | {"id": str(number), "answer": str(number)} for number in (1, 4)]
    assert [row.answer for row in read_examples(write_csv(folder, *four))] == ["A", "D"]

    ten = [ROW | TEN | {"id": f"q{number}", "answer": str(number)} for number in (8, 10)]
    assert [row.answer for row in read_examples(write_csv(folder, *four, *ten))] == ["A", "D", "H", "J"]

    nine = [ROW | TEN | {"id": f"q{number}", "answer": str(number)} for number in (0, 9)]
    assert [row.answer for row in read_examples(write_csv(folder, *nine))] == ["A", "J"]


def test_a_digest_holds_the_columns_that_there_are_so_that_fields_may_be_added(folder: Path):
    path = write_csv(folder, ROW)
    assert table_digest(path) == table_digest(path, columns=find_columns(path))
    content = {
        "reader": table_keys.READER_VERSION,
        "answers": "",
        "form": ["CSV", "utf-8", ","],
        "table": {"''": hashlib.sha256(path.read_bytes()).hexdigest()},
        "columns": dict(zip(ROW, ROW, strict=True)),
        "decoding": decoding_key(),
        "pictures": {"'pictures/one.png'": hashlib.sha256(PICTURE).hexdigest()},
    }
    assert table_digest(path) == content_digest(content)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"image": "../outside.png"}, "unreadable-picture"),
        ({"image": "pictures/../../outside.png"}, "unreadable-picture"),
        ({"image": "/etc/passwd"}, "unreadable-picture"),
        ({"image": "C:\\pictures\\one.png"}, "unreadable-picture"),
        ({"image": "\\\\server\\share\\one.png"}, "unreadable-picture"),
        ({"image": "file:///etc/passwd"}, "unreadable-picture"),
        ({"image": "https://example.org/one.png"}, "unreadable-picture"),
        ({"image": "link.png"}, "link-leads-out"),
        ({"image": "loop.png"}, "unreadable-picture"),
        ({"image": "pictures"}, "unreadable-picture"),
        ({"image": "absent.png"}, "unreadable-picture"),
        ({"image": "a\0b.png"}, "unreadable-picture"),
        ({"image": "x" * 2_000}, "unreadable-picture"),
        ({"image": "t.jsonl"}, "unreadable-picture"),
        ({"image": ["pictures/one.png", "pictures/one.png"]}, "several-pictures"),
        ({"image": '["pictures/one.png", "two.png"]'}, "several-pictures"),
        ({"image": [PICTURE_TEXT] * 3}, "several-pictures"),
        ({"image": []}, "missing-picture"),
        ({"image": "[]"}, "missing-picture"),
        ({"image": "{'bytes': b'\\x89PNG', 'path': None}"}, "unreadable-picture"),
        ({"image": "b'\\x89PNG\\r'"}, "unreadable-picture"),
        ({"image": "pointer.png"}, "git-lfs-pointer"),
        ({"image": {"bytes": "text", "path": None}}, "missing-picture"),
        ({"image": {"path": "pictures/one.png"}}, "path-only-image"),
        ({"image": {"bytes": None, "path": "pictures/one.png"}}, "path-only-image"),
        ({"image": ""}, "missing-picture"),
        ({"image": None}, "missing-picture"),
        ({"question": " "}, "empty-text"),
        ({"question": "x" * 1_000_000}, "too-long-text"),
        ({"question": "What\0?"}, "control-character"),
        ({"question": "half a character \ud800"}, "not-utf-8"),
        ({"question": ["What?"]}, "not-a-text"),
        ({"question": "What is <image> next to it?"}, "reserved-token"),
        ({"c": ""}, "empty-text"),
        ({"b": "", "c": "", "d": ""}, "empty-text"),
        ({"c": "a bus"}, "repeated-options"),
        ({"c": "x" * 501}, "too-long-text"),
        ({"answer": ""}, "empty-text"),
        ({"answer": "E"}, "answer-not-an-option"),
        ({"answer": "2"}, "answer-not-an-option"),
        ({"answer": ["A", "B"]}, "several-answers"),
        ({"answer": "A. a bus"}, "contradicting-answer"),
        ({"answer": "?"}, "hidden-answer"),
        ({"id": "q1"}, "repeated-id"),
        ({"id": "x" * 201}, "too-long-text"),
        ({"category": "a\nb\x07"}, "control-character"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_and_the_others_are_kept(
    changes: dict, reason: str, folder: Path
):
    (folder / "link.png").symlink_to(folder.parent / "outside.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (folder / "pointer.png").write_bytes(LFS_POINTER)
    path = write_jsonl(folder, ROW, ROW | {"id": "q2"} | changes, ROW | {"id": "q3"})

    examples, rejections = read_table(path)

    assert [example.id for example in examples] == ["q1", "q3"]
    assert [rejection.reason for rejection in rejections] == [reason]
    assert rejections[0].detail.startswith("row 2: ")


def test_a_path_in_a_parquet_image_is_never_opened(folder: Path):
    images = [{"bytes": None, "path": "pictures/one.png"}, {"bytes": PICTURE, "path": "/etc/passwd"}]
    path = write_parquet(folder, *(ROW | {"id": str(n), "image": image} for n, image in enumerate(images)))

    examples, rejections = read_table(path)

    assert [example.id for example in examples] == ["1"]
    assert [rejection.reason for rejection in rejections] == ["path-only-image"]


def test_more_refused_rows_than_a_share_stop_the_table_with_a_summary(folder: Path):
    bad = [ROW | {"id": f"bad{number}", "image": "no.png"} for number in range(3)]
    empty = ROW | {"id": "empty", "question": ""}

    with pytest.raises(TableError) as caught:
        read_table(write_csv(folder, *bad, empty, ROW))

    assert "4 of 5 rows cannot be used, more than 50%" in str(caught.value)
    assert "unreadable-picture 3, such as bad0" in str(caught.value)
    assert "empty-text 1" in str(caught.value)


def test_what_models_are_judged_on_must_hold_throughout(folder: Path):
    with pytest.raises(TableError, match=r"t\.csv: row 2: answer 'E' is neither"):
        read_examples(write_csv(folder, ROW, ROW | {"id": "q2", "answer": "E"}))


def test_a_picture_that_is_too_large_is_not_decoded(folder: Path):
    (folder / ROW["image"]).write_bytes(png_claiming(8_000, 8_000))

    with pytest.raises(TableError, match="8000 x 8000"):
        read_table(write_csv(folder, ROW))


def test_pictures_that_would_fill_the_memory_stop_the_table(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(table_room, "MAX_PICTURES_BYTES", len(PICTURE))
    (folder / "two.png").write_bytes(png(world_pixels(1)))
    again = ROW | {"id": "q2"}
    assert len(read_examples(write_csv(folder, ROW, again))) == 2

    with pytest.raises(TableError, match="split the table"):
        read_table(write_csv(folder, ROW, again | {"image": "two.png"}))


def test_a_camera_that_was_turned_gives_an_upright_picture(folder: Path):
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("RGB", (40, 20)).save(buffer, "JPEG", exif=exif)
    (folder / "turned.jpg").write_bytes(buffer.getvalue())

    (row,) = read_examples(write_csv(folder, ROW | {"image": "turned.jpg"}))

    assert Image.open(io.BytesIO(row.image)).size == (20, 40)


def test_a_table_without_rows_is_named(folder: Path):
    (folder / "t.csv").write_text(",".join(ROW))

    with pytest.raises(TableError, match=r"t\.csv holds no row"):
        read_table(folder / "t.csv")


def test_pictures_of_a_table_are_read_once_each_to_be_labelled(folder: Path):
    rows = [{"photo": "pictures/one.png", "label": "pets"}] * 3 + [{"photo": "no.png", "label": ""}]
    path = write_csv(folder, *rows)
    columns = find_columns(path, {"category": "label"}, PICTURE_FIELDS)

    pictures, rejections = read_table_pictures(path, columns=columns)

    assert [(p.id, p.category, p.width_px) for p in pictures] == [("row-000001", "pets", 64)]
    reasons = [rejection.reason for rejection in rejections]
    assert reasons == ["repeated-picture", "repeated-picture", "unreadable-picture"]


def test_the_digest_follows_the_table_its_columns_and_every_picture(folder: Path):
    def digest(**given: str) -> str:
        return table_digest(folder / "t.csv", None, find_columns(folder / "t.csv", given))

    write_csv(folder, ROW | {"other": "x"})
    digests = [digest(), digest(category="other")]
    (folder / "pictures" / "one.png").write_bytes(png(world_pixels(1)))
    digests.append(digest())
    (folder / "pictures" / "one.png").unlink()
    digests.append(digest())
    write_csv(folder, ROW | {"other": "y"})
    digests.append(digest())

    assert len(set(digests)) == len(digests)


def test_the_digest_does_not_follow_the_place(folder: Path):
    first = table_digest(write_csv(folder, ROW))

    folder.rename(folder.parent / "moved")

    assert table_digest(folder.parent / "moved" / "t.csv") == first


def test_the_digest_opens_nothing_outside_the_folder(folder: Path):
    outside = folder.parent / "outside.png"
    path = write_csv(folder, ROW | {"image": "../outside.png"})
    first = table_digest(path)

    outside.write_bytes(png(world_pixels(2)))

    assert table_digest(path) == first


def test_the_digest_of_a_folder_follows_names_and_pictures(folder: Path):
    digests = [folder_digest(folder)]
    (folder / "pictures" / "one.png").rename(folder / "pictures" / "two.png")
    digests.append(folder_digest(folder))
    (folder / "pictures" / "two.png").write_bytes(png(world_pixels(1)))
    digests.append(folder_digest(folder))
    (folder / "notes.txt").write_text("no picture")

    assert len(set(digests)) == 3
    assert folder_digest(folder) == digests[-1]


def test_questions_are_known_by_their_picture_whatever_names_it(folder: Path):
    named = write_csv(folder, ROW, ROW | {"id": "q2", "question": " "})
    held = write_parquet(folder, ROW | {"image": PICTURE, "question": "What stands here?  "})

    asked = [questions_asked(path, None, find_columns(path)) for path in (named, held)]

    assert asked[0] == asked[1]
    assert len(asked[0]) == 1


@pytest.mark.parametrize(
    "cell",
    [
        ["pictures/one.png"],
        '["pictures/one.png"]',
        "['pictures/one.png']",
        "pictures\\one.png",
        PICTURE_TEXT,
        [PICTURE_TEXT],
        PICTURE_TEXT.rstrip("="),
        PICTURE_TEXT.translate(str.maketrans("+/", "-_")),
        "\n".join(PICTURE_TEXT[at : at + 76] for at in range(0, len(PICTURE_TEXT), 76)),
        "\r\n\t ".join(PICTURE_TEXT[at : at + 10] for at in range(0, len(PICTURE_TEXT), 10)),
        f"data:image/png;base64,{PICTURE_TEXT}",
        f"data:;base64,{PICTURE_TEXT}",
        f"DATA:image/png;charset=utf-8;base64,{PICTURE_TEXT}",
        f"data:application/octet-stream;base64, {PICTURE_TEXT}",
        f"b'{PICTURE_TEXT}'",
        f'b"{PICTURE_TEXT}"',
    ],
)
def test_one_picture_may_be_written_in_many_ways(cell: object, folder: Path):
    examples, rejections = read_table(write_jsonl(folder, ROW | {"image": cell}))

    assert rejections == []
    assert [example.image for example in examples] == [PICTURE]


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "AVIF", "HEIF", "BMP"])
def test_base64_of_any_format_is_told_from_a_name(kind: str, folder: Path):
    written = base64.b64encode(encoded(noise(), kind)).decode()

    assert read_table(write_jsonl(folder, ROW | {"image": written}))[0][0].image.startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["Qk1a2b3c4d.jpg", "Qk1a2b3c4d", "iVBORw0K", "R0lGOD.png", "AAAAGGZ0eXA"])
def test_a_name_that_begins_as_base64_of_a_picture_does_is_still_a_name(name: str, folder: Path):
    (folder / name).write_bytes(PICTURE)

    assert [example.image for example in read_table(write_jsonl(folder, ROW | {"image": name}))[0]] == [
        PICTURE
    ]


def test_questions_that_differ_in_case_or_context_are_different_questions(folder: Path):
    questions = ["What is Ff?", "What is FF?", "What is ff?"]
    rows = [ROW | {"id": str(n), "question": text, "hint": ""} for n, text in enumerate(questions)]
    rows.append(rows[0] | {"id": "3", "hint": "a plant"})
    path = write_csv(folder, *rows)

    assert len(questions_asked(path, None, find_columns(path))) == 4


def test_the_context_of_a_question_is_read_with_it(folder: Path):
    hints = ["The plant is Ff.", "", "nan"]
    path = write_csv(folder, *(ROW | {"id": str(n), "hint": hint} for n, hint in enumerate(hints)))

    assert [row.context for row in read_examples(path)] == ["The plant is Ff.", "", ""]
    assert look_at(path).has_context
    assert not look_at(path, {"context": ""}).has_context
    assert table_digest(path) != table_digest(path, columns=find_columns(path, {"context": ""}))


def test_columns_that_are_nothing_are_named_but_those_that_pandas_numbers_rows_by(folder: Path):
    path = write_csv(folder, {"Unnamed: 0": "0"} | ROW | {"hint": "x", "split": "dev", "l2": "logic"})

    assert look_at(path).unused == ["split", "l2"]


def test_how_answers_are_read_is_told_before_any_picture_is_opened(folder: Path):
    path = write_csv(folder, *(ROW | {"id": str(n), "image": "no.png", "answer": str(n)} for n in (1, 2)))

    with pytest.raises(TableError, match="--answers from-zero or --answers from-one"):
        look_at(path)
    assert look_at(path, answers="from-one").reading.way == "from-one"
    assert table_digest(path) != table_digest(path, answers="from-one")


def test_answers_that_are_all_kept_back_can_be_answered_but_neither_teach_nor_judge(folder: Path):
    path = write_csv(folder, *(ROW | {"id": str(n), "answer": "-1"} for n in range(3)))

    examples, rejections = read_table(path, needs_answer=False)

    assert ([row.answer for row in examples], rejections) == (["", "", ""], [])
    with pytest.raises(TableError, match=r"kept back in all rows .*neither teach nor judge"):
        read_table(path)


def test_answers_that_are_kept_back_in_some_rows_teach_nothing(folder: Path):
    path = write_csv(folder, *(ROW | {"id": name, "answer": name} for name in ("A", "?", "C")))

    assert [row.answer for row in read_table(path, needs_answer=False)[0]] == ["A", "", "C"]
    assert [one.reason for one in read_table(path)[1]] == ["hidden-answer"]


@pytest.mark.parametrize(
    "options",
    [
        [ROW[letter] for letter in "abcd"],
        {letter.upper(): ROW[letter] for letter in "dcba"},
        json.dumps([ROW[letter] for letter in "abcd"]),
        str([ROW[letter] for letter in "abcd"]),
        {"text": [ROW[letter] for letter in "abcd"], "label": [*"ABCD"]},
    ],
    ids=["list", "mapping", "JSON", "Python", "labelled"],
)
def test_options_in_one_column_are_those_of_four(options, folder: Path):
    plain = read_examples(write_csv(folder, ROW))
    row = {name: value for name, value in ROW.items() if name not in "abcd"} | {"choices": options}

    for write in (write_jsonl, write_parquet):
        assert read_examples(write(folder, row)) == plain


def test_rows_in_one_column_may_have_different_counts_of_options(folder: Path):
    bare = {name: value for name, value in ROW.items() if name not in "abcd"}
    lists = [["x", "y"], ["x", "y", "z", None], ["x"], [*"xyzuvwrst"], [*"xyzuvwrstqp"]]
    rows = [bare | {"id": str(n), "options": one, "answer": 1} for n, one in enumerate([*lists, lists[0]])]
    path = write_jsonl(folder, *rows, rows[0] | {"id": "last", "answer": 0})

    examples, rejections = read_table(path)

    assert [(row.offered, row.target) for row in examples] == [
        (2, "y"),
        (3, "y"),
        (9, "y"),
        (2, "y"),
        (2, "x"),
    ]
    assert [one.reason for one in rejections] == ["empty-text", "too-many-options"]
    assert len(examples) + len(rejections) == len(rows) + 1


def write_labelled(folder: Path, names: list[str] | None, numbers: list[int]) -> Path:
    from datasets import ClassLabel, Dataset, Features, Image, Value

    label = ClassLabel(names=names) if names else ClassLabel(num_classes=4)
    texts = {name: Value("string") for name in ROW if name not in ("image", "answer")}
    rows = [
        ROW | {"id": str(n), "image": {"bytes": PICTURE, "path": None}, "answer": number}
        for n, number in enumerate(numbers)
    ]
    Dataset.from_list(rows, features=Features(texts | {"image": Image(), "answer": label})).to_parquet(
        str(folder / "t.parquet")
    )
    return folder / "t.parquet"


@pytest.mark.parametrize(
    ("names", "numbers", "letters"),
    [
        (["A", "B", "C", "D"], [0, 1, 2, 3], "ABCD"),
        (["D", "B", "C", "A"], [0, 1, 2, 3], "DBCA"),
        (["a bus", "a cake", "a frog", "a kite"], [0, 1, 2, 3], "BDAC"),
        (["1", "10", "2", "3", "4"], [0, 2, 3, 4], "ABCD"),
    ],
)
def test_a_class_label_means_its_name_and_never_its_number(names, numbers, letters, folder: Path):
    rows = read_examples(write_labelled(folder, names, numbers))

    assert "".join(row.answer for row in rows) == letters


def test_a_class_label_without_names_means_nothing_until_somebody_says(folder: Path):
    path = write_labelled(folder, None, [0, 1, 2, 3])

    with pytest.raises(TableError, match=r"names are not told.*--answers from-zero"):
        read_examples(path)
    assert [row.answer for row in read_examples(path, answers="from-zero")] == ["A", "B", "C", "D"]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "AVIF", "HEIF", "BMP"])
def test_a_picture_that_is_cut_short_costs_its_row_and_is_named(kind: str, folder: Path):
    data = encoded(noise(), kind)
    (folder / f"cut.{kind}").write_bytes(data[: len(data) // 2])
    rows = [ROW, ROW | {"id": "q2", "image": f"cut.{kind}"}]

    [rejection] = read_table(write_jsonl(folder, *rows))[1]

    assert rejection.reason == "unreadable-picture"
    assert rejection.detail.startswith(f"row 2: 'cut.{kind}': the picture cannot be read as a picture: ")
