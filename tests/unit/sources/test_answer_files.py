"""Tables whose right answers are known, in every kind of file: read to the same, or refused with the flag."""

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blip_core.errors import TableError
from blip_core.records import OPTION_LETTERS
from blip_core.sources import read_table
from tests.examples import examples
from tests.unit.examples import png, world_pixels
from tests.unit.sources.test_answer_properties import NUMBERS, ODD, THINGS, written

PICTURE = png(world_pixels(0))
COLUMNS = [f"option_{letter.lower()}" for letter in OPTION_LETTERS]
FORMS = [form for form in written(0, ["x"]) if "listed" not in form]
pools = st.sampled_from([THINGS, THINGS + ODD, NUMBERS])
rows_of = pools.flatmap(
    lambda pool: st.lists(
        st.tuples(st.lists(st.sampled_from(pool), min_size=2, max_size=10, unique=True), st.integers(0, 9)),
        min_size=1,
        max_size=12,
    )
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    (folder / "one.png").write_bytes(PICTURE)
    return folder


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(
            {
                name: json.dumps(value) if isinstance(value, list | dict) else value
                for name, value in row.items()
            }
            for row in rows
        )


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    lines = [json.dumps(row, default=float) for row in rows]
    path.write_text("\n".join(lines), encoding="utf-8")


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    names = dict.fromkeys(name for row in rows for name in row)
    pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in names}), path)


WRITERS = {"csv": write_csv, "jsonl": write_jsonl, "parquet": write_parquet}


def offered(texts: list[str], cell: str) -> dict[str, Any]:
    if cell == "columns":
        return dict(zip(COLUMNS, [*texts, *[""] * (len(COLUMNS) - len(texts))], strict=True))
    return {"choices": texts}


@settings(max_examples=examples(120), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=rows_of,
    form=st.sampled_from(FORMS),
    ending=st.sampled_from(sorted(WRITERS)),
    cell=st.sampled_from(["columns", "list"]),
)
def test_a_table_in_a_file_is_read_as_it_was_meant_or_refused(rows, form, ending, cell, folder: Path):
    truths = [place % len(texts) for texts, place in rows]
    table = [
        {"id": str(number), "image": "one.png", "question": "What?"}
        | offered(texts, cell)
        | {"answer": written(truth, texts)[form][0]}
        for number, ((texts, _), truth) in enumerate(zip(rows, truths, strict=True))
    ]
    path = folder / f"t.{ending}"
    WRITERS[ending](path, table)
    read = _read(path)
    if isinstance(read, str):
        assert "--answers" in read or "--column answer=" in read or "more than 50%" in read
        return
    examples, rejections = read
    assert len(examples) + len(rejections) == len(rows)
    for row in examples:
        assert row.answer in ("", OPTION_LETTERS[truths[int(row.id)]])


def _read(path: Path) -> Any:
    try:
        return read_table(path, needs_answer=False)
    except TableError as refused:
        return str(refused)


@pytest.mark.parametrize(
    "answers",
    [
        [0, 1, None, 3],
        [0.0, 1.0, None, 3.0],
        [Decimal("0.0"), Decimal("1.0"), None, Decimal("3.0")],
        ["0", "1", None, "3"],
        ["A", "B", None, "D"],
        pa.array(["A", "B", None, "D"]).dictionary_encode(),
        pa.array([[0], [1], [], [3]]),
        pa.array([["A"], ["B"], None, ["D"]], pa.large_list(pa.large_string())),
        pa.array([0, 1, None, 3], pa.uint8()),
        pa.array([0, 1, None, 3], pa.float16()),
        pa.array(["a", "b", None, "d"], pa.large_string()),
    ],
    ids=[
        "int",
        "float",
        "decimal",
        "text",
        "letter",
        "dictionary",
        "list",
        "large list",
        "uint8",
        "half",
        "large",
    ],
)
def test_a_column_means_the_same_whatever_its_type(answers, folder: Path):
    names = {"image": [{"bytes": PICTURE, "path": None}] * 4, "question": ["What?", "Where?", "Who?", "Why?"]}
    options = {letter: [f"{letter} thing"] * 4 for letter in "abcd"}
    pq.write_table(pa.table({**names, **options, "answer": answers}), folder / "typed.parquet")

    examples, rejections = read_table(folder / "typed.parquet", needs_answer=False)

    assert rejections == []
    assert [row.answer for row in examples] == ["A", "B", "", "D"]
