"""Rows as they stand: what is broken costs its own row, never its neighbours."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from blip_core.errors import TableError
from blip_core.sources.formats import lines as lines_room
from blip_core.sources.formats import rows as rows_room
from blip_core.sources.formats import texts as texts_room
from blip_core.sources.tabular import Broken, column_names, raw_rows


def rows(path: Path, content: bytes) -> list:
    """Rows, or the reasons of those that are broken."""
    path.write_bytes(content)
    return [row.reason if isinstance(row, Broken) else dict(row) for row in raw_rows(path, ["a", "b"])]


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    return tmp_path / "t.csv"


@pytest.fixture
def jsonl_file(tmp_path: Path) -> Path:
    return tmp_path / "t.jsonl"


GOOD = {"a": "1", "b": "2"}


def test_a_byte_order_mark_and_line_ends_of_any_system_are_no_part_of_the_text(csv_file):
    assert rows(csv_file, b"\xef\xbb\xbfa,b\r\n1,2\r\n") == [GOOD]
    assert column_names(csv_file) == ["a", "b"]


@pytest.mark.parametrize("mark", [b";", b"\t"])
def test_spreadsheets_may_part_fields_by_other_marks(mark, csv_file):
    assert rows(csv_file, b"a,b\n1,2\n".replace(b",", mark)) == [GOOD]


def test_quoted_fields_hold_commas_quotes_and_lines(csv_file):
    assert rows(csv_file, b'a,b\n"1, ""one""\nmore",2\n') == [{"a": '1, "one"\nmore', "b": "2"}]


def test_blank_lines_are_no_rows(csv_file, jsonl_file):
    assert rows(csv_file, b"a,b\n\n1,2\n,\n \n\n") == [GOOD]
    assert rows(jsonl_file, b'\n{"a": "1", "b": "2"}\n\n') == [GOOD]


def test_cells_that_are_missing_at_the_end_are_empty_and_surplus_ones_are_refused(csv_file):
    assert rows(csv_file, b"a,b\n1\n1,2,3\n1,2,\n") == [{"a": "1", "b": ""}, "ragged-row", GOOD]


QUOTED = b'"1, one",2\n'  # shows that cells are quoted in this file
QUOTED_ROW = {"a": "1, one", "b": "2"}


def test_a_quote_that_never_closes_costs_its_own_line(csv_file):
    content = b'a,b\n"1,2\n1,2\n1,2\n' + QUOTED
    assert rows(csv_file, content) == ["unreadable-row", GOOD, GOOD, QUOTED_ROW]


def test_a_quote_in_the_wrong_place_costs_its_own_line(csv_file):
    assert rows(csv_file, b'a,b\n"1"x,2\n1,2\n' + QUOTED) == ["unreadable-row", GOOD, QUOTED_ROW]


def test_a_field_may_hold_a_picture_in_base64(csv_file):
    assert rows(csv_file, b"a,b\n" + b"x" * 200_000 + b",2\n1,2\n") == [{"a": "x" * 200_000, "b": "2"}, GOOD]


def test_a_line_that_never_ends_is_refused_and_not_cut(csv_file, jsonl_file, monkeypatch):
    monkeypatch.setattr(lines_room, "MAX_LINE_CHARACTERS", 20)
    assert rows(csv_file, b"a,b\n" + b"x" * 50 + b",2\n1,2\n") == ["too-long-text", GOOD]
    long = b'{"a": "1", "b": "' + b"x" * 50 + b'"}\n'
    assert rows(jsonl_file, long + b'{"a":"1","b":"2"}\n') == ["too-long-text", GOOD]


def test_bytes_that_are_no_utf_8_reach_their_own_row_alone(csv_file):
    assert rows(csv_file, "a,b\ncafé,2\n1,2\n".encode("latin-1")) == [{"a": "caf\udce9", "b": "2"}, GOOD]


def test_a_line_that_is_no_json_object_costs_itself_alone(jsonl_file):
    lines = [b'{"a": 1', b"[1]", b"null", b"[" * 100_000, b"9" * 5_000, b'{"a": "1", "b": "2"}']
    assert rows(jsonl_file, b"\n".join(lines)) == [
        "unreadable-row",
        "not-an-object",
        "not-an-object",
        "unreadable-row",
        "unreadable-row",
        GOOD,
    ]


def test_columns_of_a_jsonl_file_are_those_of_all_its_lines(jsonl_file):
    jsonl_file.write_text('{"a": 1}\nnonsense\n{"b": 2, "a": 1}\n')
    assert column_names(jsonl_file) == ["a", "b"]


def parquet(path: Path, table: pa.Table) -> Path:
    pq.write_table(table, path)
    return path


def test_a_parquet_text_that_is_no_utf_8_costs_its_own_row(tmp_path):
    broken = pa.array([b"caf\xe9", b"1"]).cast(pa.binary()).view(pa.string())
    path = parquet(tmp_path / "t.parquet", pa.table({"a": broken, "b": ["2", "2"]}))
    first, second = raw_rows(path, ["a", "b"])
    assert isinstance(first, Broken)
    assert first.reason == "not-utf-8"
    assert second == GOOD


def test_columns_that_nobody_asks_for_are_not_read(tmp_path):
    path = parquet(tmp_path / "t.parquet", pa.table({"a": ["1"], "other": ["2"]}))
    assert list(raw_rows(path, ["a"])) == [{"a": "1"}]


def test_a_parquet_column_may_have_a_dot_in_its_name(tmp_path):
    path = parquet(tmp_path / "t.parquet", pa.table({"a.b": ["1"]}))
    assert next(iter(raw_rows(path, ["a.b"])))["a.b"] == "1"


@pytest.mark.parametrize("keep", [4, 100, -1])
def test_a_parquet_file_that_was_cut_short_is_an_error(keep, tmp_path):
    path = parquet(tmp_path / "t.parquet", pa.table({"a": ["1"] * 100, "b": ["2"] * 100}))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(TableError, match=r"t\.parquet cannot be read"):
        list(raw_rows(path, ["a"]))


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_a_table_of_too_many_rows_is_an_error(name, tmp_path, monkeypatch):
    monkeypatch.setattr(rows_room, "MAX_ROWS", 2)
    content = {"t.csv": b"a\n1\n2\n3\n", "t.jsonl": b'{"a": 1}\n' * 3}
    if name in content:
        (tmp_path / name).write_bytes(content[name])
    else:
        parquet(tmp_path / name, pa.table({"a": [1, 2, 3]}))
    with pytest.raises(TableError, match="more than 2 rows; split it"):
        list(raw_rows(tmp_path / name, ["a"]))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.doc", b"", r"must end in \.csv, \.tsv, \.tab, \.txt, \.jsonl"),
        ("t.csv.gz", b"", "is packed: unpack it first"),
        ("t.xls", b"", r"save it as \.xlsx or as CSV"),
        ("t.csv", b"", "no header"),
        ("t.csv", b"\n \n", "no header"),
        ("t.csv", b"a\0b,c\n1,2\n", "no text: its first line holds a zero byte"),
        ("t.jsonl", b"[1]\n[2]", "is no JSON object"),
        ("t.jsonl", b"{", "line 1 is no JSON"),
        ("t.parquet", b"PAR1", "cannot be read"),
        ("t.csv", None, "No such file"),
        ("t.parquet", None, "No such file"),
        ("t.csv", b",".join(b"%d" % number for number in range(1001)), "1,001 columns; at most 1,000"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(name, content, told, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=told) as caught:
        column_names(tmp_path / name)
    assert name in str(caught.value)


def test_a_text_that_would_fill_the_memory_is_an_error(csv_file, monkeypatch):
    monkeypatch.setattr(texts_room, "MAX_TEXT_TABLE_BYTES", 10)
    csv_file.write_bytes(b"a,b\n1,2\n1,2\n")
    with pytest.raises(TableError, match="Split it, or hand it in as Parquet"):
        column_names(csv_file)


def test_a_quote_swallows_no_more_lines_than_a_row_may_have(csv_file, monkeypatch):
    monkeypatch.setattr(lines_room, "MAX_RECORD_LINES", 3)
    content = b'a,b\n"1\n1,2\n1,2\n1,2\n' + QUOTED
    assert rows(csv_file, content) == ["unreadable-row", GOOD, GOOD, GOOD, QUOTED_ROW]


def test_a_folder_without_a_dataset_is_no_table(tmp_path):
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(TableError, match="is a folder, but no dataset"):
        column_names(tmp_path / "t.csv")


def test_a_thousand_columns_are_read_and_not_one_more(csv_file):
    names = [f"c{number}" for number in range(1_001)]
    csv_file.write_text(",".join(names[:-1]) + "\n")
    assert column_names(csv_file) == names[:-1]
    csv_file.write_text(",".join(names) + "\n")
    with pytest.raises(TableError, match="has 1,001 columns; at most 1,000 are read"):
        column_names(csv_file)
