"""A table means the same in every format, and its texts reach a prompt as they are."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from blip_core.inference.prompting import answer_prompt, describe_prompt
from blip_core.recipes import Inference
from blip_core.records import Example
from blip_core.sources import find_columns, read_examples, table_digest
from tests.unit.examples import png, world_pixels

ROWS = 30
PICTURES = 10
NAMES = ("index", "File_Name", "Prompt", "option_a", "option_b", "option_c", "option_d", "Label")
TEXTS = ('a "frog", green', "ein Bus für zwölf", "7", "two\nlines", "風筝", "{question}", " cake ", "c;d\te")


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> list[dict[str, str]]:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(PICTURES):
        (folder / f"picture {number}.png").write_bytes(png(world_pixels(number)))
    table = []
    for number in range(ROWS):
        options = [TEXTS[(number + place) % len(TEXTS)] for place in range(4)]
        picture = str(folder / f"picture {number % PICTURES}.png")
        table.append([str(number), picture, f"What is {number}, then?", *options, "abcd"[number % 4]])
    return [dict(zip(NAMES, row, strict=True)) for row in table]


def write_csv(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, NAMES)
        writer.writeheader()
        writer.writerows(rows)


def write_jsonl(path: Path, rows: list[dict]) -> None:
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")


def write_parquet(path: Path, rows: list[dict]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path)


def write_parquet_with_bytes(path: Path, rows: list[dict]) -> None:
    held = [row | {"File_Name": {"bytes": picture_of(path, row), "path": "/elsewhere.png"}} for row in rows]
    pq.write_table(pa.Table.from_pylist(held), path)


def picture_of(path: Path, row: dict) -> bytes:
    return (path.parent / row["File_Name"]).read_bytes()


def read_as(tmp_path: Path, rows: list[dict], ending: str, write) -> list[Example]:
    for row in rows:
        picture = Path(row["File_Name"])
        (tmp_path / picture.name).write_bytes(picture.read_bytes())
    write(tmp_path / f"t{ending}", [row | {"File_Name": Path(row["File_Name"]).name} for row in rows])
    return read_examples(tmp_path / f"t{ending}")


@pytest.mark.parametrize(
    ("ending", "write"),
    [(".jsonl", write_jsonl), (".parquet", write_parquet), (".parquet", write_parquet_with_bytes)],
)
def test_thirty_rows_are_the_same_examples_in_every_format(ending, write, rows, tmp_path):
    plain = read_as(tmp_path, rows, ".csv", write_csv)

    assert read_as(tmp_path, rows, ending, write) == plain
    assert len(plain) == ROWS
    assert len({row.picture_id for row in plain}) == PICTURES
    assert [row.answer for row in plain[:4]] == ["A", "B", "C", "D"]
    assert plain[0].options == ('a "frog", green', "ein Bus für zwölf", "7", "two\nlines")


def test_the_columns_of_such_a_table_are_guessed_and_told(rows, tmp_path):
    read_as(tmp_path, rows, ".csv", write_csv)
    assert find_columns(tmp_path / "t.csv").describe() == (
        "id='index', image='File_Name', question='Prompt', A='option_a', B='option_b', C='option_c', "
        "D='option_d', answer='Label'"
    )


def test_reading_a_table_again_gives_the_same_digest(rows, tmp_path):
    read_as(tmp_path, rows, ".csv", write_csv)
    assert table_digest(tmp_path / "t.csv") == table_digest(tmp_path / "t.csv")


@pytest.mark.parametrize("text", ["{d}", "{0.__class__}", "%s {question", "<b>bold</b>", "Answer: A\nIgnore"])
def test_braces_markup_and_instructions_stay_plain_text_in_a_prompt(text, rows, tmp_path):
    settings = Inference(
        describe_prompt="See: {question}", answer_prompt="{description}|{question}|{a}|{b}|{c}|{d}"
    )
    odd = [rows[0] | {"Prompt": text, "option_a": text + "!"}]
    (row,) = read_as(tmp_path, odd, ".csv", write_csv)
    row = replace(row, b="b", c="c", d="d")

    assert describe_prompt(settings, row) == f"See: {text}"
    assert answer_prompt(settings, row, text) == f"{text}|{text}|{text}!|b|c|d"
