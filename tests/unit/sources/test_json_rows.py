"""JSON in all the ways that tools write rows into it."""

import json
from pathlib import Path

import pytest
from datasets import Dataset

from blip_core.errors import TableError
from blip_core.sources.tabular import Broken, column_names, raw_rows, table_facts

ROWS = [
    {"id": "q1", "question": "Who?\u2028Where?", "choices": ["a", "b"]},
    {"id": "q2", "question": "What?", "choices": ["c", "d"]},
]
LINES = "\n".join(map(json.dumps, ROWS))


def read(path: Path, text: str) -> list:
    path.write_text(text, encoding="utf-8")
    names = column_names(path)
    return [row.reason if isinstance(row, Broken) else dict(row) for row in raw_rows(path, names)]


FORMS = {
    "a line each": LINES,
    "with a mark and blank lines": "\ufeff\n" + LINES.replace("\n", "\n\n\n") + "\n\n",
    "with carriage returns": LINES.replace("\n", "\r\n"),
    "with commas between": LINES.replace("\n", ",\n") + ",\n",
    "a list of lines with a comma too many": "[\n" + LINES.replace("\n", ",\n") + ",\n]\n",
    "a list": json.dumps(ROWS),
    "an indented list": json.dumps(ROWS, indent=2, ensure_ascii=False),
    "a list within": json.dumps({"info": {"version": 1}, "license": "none", "questions": ROWS}),
    "a list of the judged split": json.dumps({"train": ROWS[:1], "test": ROWS}),
    "columns": json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0]}),
    "columns as pandas writes them": json.dumps(
        {name: {str(number): row[name] for number, row in enumerate(ROWS)} for name in ROWS[0]}
    ),
    "names and values apart": json.dumps(
        {"columns": list(ROWS[0]), "index": [0, 1], "data": [list(row.values()) for row in ROWS]}
    ),
    "by id": json.dumps({row["id"]: {name: row[name] for name in ("question", "choices")} for row in ROWS}),
}


@pytest.mark.parametrize("ending", [".json", ".jsonl", ".ndjson"])
@pytest.mark.parametrize("form", FORMS)
def test_the_same_rows_are_read_from_every_form(form, ending, tmp_path):
    assert read(tmp_path / f"t{ending}", FORMS[form]) == ROWS


def test_a_single_row_is_a_row_and_no_document(tmp_path):
    assert read(tmp_path / "t.json", json.dumps(ROWS[0])) == ROWS[:1]
    assert read(tmp_path / "t.json", json.dumps(ROWS[0], indent=1)) == ROWS[:1]


@pytest.mark.parametrize("ending", [".json", ".jsonl"])
@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        ("{}", [], [{}]),
        ("[{}]", [], [{}]),
        ("[]", [], []),
        ('{"a": []}', ["a"], [{"a": []}]),
        ('{"a": [1, 2]}', ["a"], [{"a": [1, 2]}]),
        ('{"a": [], "b": []}', [], []),
        ('{"a": [1], "b": [2]}', ["a", "b"], [{"a": 1, "b": 2}]),
        ('{"a": {}}', [], []),
        ('{"a": {"0": 1}}', ["a"], [{"a": 1}]),
    ],
)
def test_small_and_empty_documents_are_what_they_say(text, names, rows, ending, tmp_path):
    assert read(tmp_path / f"t{ending}", text) == rows
    assert column_names(tmp_path / f"t{ending}") == names


def test_what_the_library_datasets_writes_is_read(tmp_path):
    Dataset.from_list(ROWS).to_json(str(tmp_path / "t.json"))
    assert list(raw_rows(tmp_path / "t.json", ["id"])) == ROWS


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('[{"a": 1}, 2, null, {"a": 3}]', [{"a": 1}, "not-an-object", "not-an-object", {"a": 3}]),
        ('[{"a": 1}, {"a": 2, "a": 3}]', [{"a": 1}, "unreadable-row"]),
        ('{"a": 1}\n{"a": 2, "a": 3}\n', [{"a": 1}, "unreadable-row"]),
        ('{"a": 1}\n{"a": 2\n{"a": 3}', [{"a": 1}, "unreadable-row", {"a": 3}]),
        ('{"a": 1}\n[{"a": 2}]\n', [{"a": 1}, "not-an-object"]),
        ('{"columns": ["a"], "data": [[1], [2, 3]]}', [{"a": 1}, "not-an-object"]),
    ],
)
def test_a_row_that_is_none_costs_itself_alone(text, found, tmp_path):
    assert read(tmp_path / "t.json", text) == found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": [1, 2], "b": [1]}', "column 'b' has 1 values, others 2"),
        ('{"a": {"0": 1}, "b": {"1": 1}}', "column 'b' has 1 values"),
        ('{"images": [{"id": 1}], "annotations": [{"id": 2}]}', "holds the lists 'images', 'annotations'"),
        ("[1, 2]", "holds no row that can be read"),
        ("nonsense", "holds no row that can be read"),
        ("[" * 100_000, "holds no row that can be read"),
    ],
)
def test_what_holds_no_rows_says_so(text, told, tmp_path):
    with pytest.raises(TableError, match=told):
        read(tmp_path / "t.json", text)


def test_what_a_file_was_taken_for_is_told(tmp_path):
    read(tmp_path / "t.json", FORMS["a list"])
    assert table_facts(tmp_path / "t.json").describe() == "JSON in utf-8"
    read(tmp_path / "u.json", FORMS["a line each"])
    assert table_facts(tmp_path / "u.json").describe() == "JSON lines in utf-8"
