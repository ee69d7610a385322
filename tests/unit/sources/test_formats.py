"""The same rows in every format that is read."""

import base64
import csv
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from blip_core.errors import TableError
from blip_core.records import OPTION_LETTERS, Example, Rejection
from blip_core.sources import iter_table, read_examples, read_table, table_digest
from tests.unit.examples import png, world_pixels

TEN = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
PICTURES = [png(world_pixels(index)) for index in range(2)]
QUESTIONS = [
    {"index": "1", "picture": 0, "question": "Which?", "A": "a bus", "B": "a cat", "answer": "B"},
    {"index": "2", "picture": 0, "question": "How many?", "A": "1", "B": "2", "C": "3", "answer": "C"},
    {"index": "3", "picture": 1, "question": "Where?", "A": "w", "B": "x", "C": "y", "D": "z", "answer": "A"},
    {
        "index": "4",
        "picture": 1,
        "question": "Who?",
        **dict(zip("ABCDE", "klmno", strict=True)),
        "answer": "e",
    },
    {
        "index": "5",
        "picture": 1,
        "question": "How?",
        **dict(zip(OPTION_LETTERS, TEN, strict=True)),
        "answer": "H",
    },
    {
        "index": "6",
        "picture": 1,
        "question": "Why?",
        **dict(zip(OPTION_LETTERS, TEN, strict=True)),
        "answer": "ten",
    },
]
COLUMNS = ("index", "image", "question", *OPTION_LETTERS, "answer")


def _rows(image: Callable[[dict], object]) -> list[dict]:
    return [
        {name: image(row) if name == "image" else row.get(name, "") for name in COLUMNS} for row in QUESTIONS
    ]


def _encoded(row: dict) -> str:
    """The field's evaluation kits write a picture once and name its row afterwards."""
    first = next(one for one in QUESTIONS if one["picture"] == row["picture"])
    return base64.b64encode(PICTURES[row["picture"]]).decode() if first is row else first["index"]


def _named(folder: Path, row: dict) -> str:
    (folder / f"{row['picture']}.png").write_bytes(PICTURES[row["picture"]])
    return f"{row['picture']}.png"


def _held(row: dict) -> dict:
    return {"bytes": PICTURES[row["picture"]], "path": None}


def _delimited(path: Path, rows: list[dict], delimiter: str) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_tsv(folder: Path) -> Path:
    return _delimited(folder / "t.tsv", _rows(_encoded), "\t")


def write_csv(folder: Path) -> Path:
    return _delimited(folder / "t.csv", _rows(lambda row: _named(folder, row)), ",")


def write_jsonl(folder: Path) -> Path:
    uri = "data:image/png;base64,"
    rows = _rows(lambda row: uri + base64.b64encode(PICTURES[row["picture"]]).decode())
    (folder / "t.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder / "t.jsonl"


def write_parquet(folder: Path) -> Path:
    pq.write_table(pa.Table.from_pylist(_rows(_held)), folder / "t.parquet")
    return folder / "t.parquet"


def write_dataset(folder: Path) -> Path:
    from datasets import Dataset

    Dataset.from_list(_rows(_held)).save_to_disk(str(folder / "saved"))
    return folder / "saved"


def write_splits(folder: Path) -> Path:
    from datasets import Dataset, DatasetDict

    rows = _rows(_held)
    splits = {"train": Dataset.from_list(rows[:1]), "test": Dataset.from_list(rows)}
    DatasetDict(splits).save_to_disk(str(folder / "splits"))
    return folder / "splits"


def write_shards(folder: Path) -> Path:
    (folder / "hub" / "data").mkdir(parents=True)
    rows = _rows(_held)
    for number, part in enumerate((rows[:2], rows[2:])):
        name = f"test-{number:05d}-of-00002.parquet"
        pq.write_table(pa.Table.from_pylist(part), folder / "hub" / "data" / name)
    pq.write_table(pa.Table.from_pylist(rows[:1]), folder / "hub" / "data" / "train-00000-of-00001.parquet")
    return folder / "hub"


WRITERS = (write_csv, write_tsv, write_jsonl, write_parquet, write_dataset, write_splits, write_shards)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("write", WRITERS)
def test_the_same_rows_are_read_from_every_format(write, tmp_path):
    rows = read_examples(write(tmp_path))

    assert [(row.id, row.image, row.question, row.options, row.answer) for row in rows] == [
        ("1", PICTURES[0], "Which?", ("a bus", "a cat", "", ""), "B"),
        ("2", PICTURES[0], "How many?", ("1", "2", "3", ""), "C"),
        ("3", PICTURES[1], "Where?", ("w", "x", "y", "z"), "A"),
        ("4", PICTURES[1], "Who?", ("k", "l", "m", "n", "o"), "E"),
        ("5", PICTURES[1], "How?", TEN, "H"),
        ("6", PICTURES[1], "Why?", TEN, "J"),
    ]
    assert [row.target for row in rows[3:]] == ["o", "eight", "ten"]


def test_rows_come_one_by_one_and_refused_ones_among_them(tmp_path):
    rows = _rows(_encoded)[3:]
    for row in rows:
        row |= {"image": base64.b64encode(PICTURES[0]).decode(), "K": ""}
    rows[1]["K"] = "an eleventh"
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))

    first, second, third = iter_table(path)

    assert isinstance(first, Example)
    assert isinstance(third, Example)
    assert isinstance(second, Rejection)
    assert second.reason == "too-many-options"
    assert second.detail == "row 2: 'K' holds an eleventh option; at most 10, A to J, are asked"


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("2", "unreadable-picture"),  # a later row
        (base64.b64encode(PICTURES[0]).decode()[:-3], "unreadable-picture"),
        (base64.b64encode(b"\x89PNG, but no picture").decode(), "unreadable-picture"),
        ("", "missing-picture"),
    ],
)
def test_a_picture_that_is_none_costs_its_row_alone(cell, reason, tmp_path):
    rows = _rows(_encoded)
    bad = rows[0] | {"index": "0", "image": cell}
    path = _delimited(tmp_path / "t.tsv", [bad, *rows], "\t")

    examples, rejections = read_table(path)

    assert [row.id for row in examples] == [row["index"] for row in rows]
    assert [row.reason for row in rejections] == [reason]


@pytest.mark.parametrize(
    ("answer", "options"), [("C", ("x", "y", "", "")), ("x", ("x", "", "y", "")), ("A", ("x", "", "", ""))]
)
def test_options_have_no_gap_and_the_answer_is_one_of_them(answer, options, tmp_path):
    row = _rows(_held)[2] | dict(zip("ABCD", options, strict=True)) | {"answer": answer}
    good = [one | {"index": f"g{number}"} for number, one in enumerate(_rows(_held))]
    pq.write_table(pa.Table.from_pylist([*good, row]), tmp_path / "t.parquet")

    _, rejections = read_table(tmp_path / "t.parquet")

    assert [one.reason for one in rejections] in (["answer-not-an-option"], ["empty-text"])


def test_a_folder_of_several_splits_without_test_has_to_be_named_deeper(tmp_path):
    folder = write_shards(tmp_path)
    for path in (folder / "data").glob("test-*"):
        path.rename(path.with_name(path.name.replace("test", "validation")))

    with pytest.raises(TableError, match="splits train, validation, and none is called test"):
        read_examples(folder)


def test_the_digest_of_a_folder_follows_its_files(tmp_path):
    folder = write_shards(tmp_path)
    before = table_digest(folder)
    extra = pa.Table.from_pylist(_rows(_held)[:1])

    pq.write_table(extra, folder / "data" / "test-00001-of-00002.parquet")

    assert table_digest(folder) != before
