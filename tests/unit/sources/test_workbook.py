"""XLSX as spreadsheets and libraries save it; files are written by openpyxl, what it cannot write by hand."""

import datetime
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl import Workbook

from blip_core.errors import TableError
from blip_core.sources.formats import workbook as room
from blip_core.sources.tabular import Broken, column_names, raw_rows, table_facts

HEADER = ["id", "image", "question", "a", "answer"]
ROWS = [[n, f"p{n}.png", f"What is {n}?", "a dog", "AB"[n % 2]] for n in range(3)]


def saved(path: Path, *rows: list, change: Callable[[Workbook], object] = lambda book: None) -> Path:
    book = Workbook()
    book.active.title = "Data"
    for row in rows:
        book.active.append(row)
    change(book)
    book.save(path)
    return path


def read(path: Path) -> list:
    names = column_names(path)
    return [row if isinstance(row, Broken) else list(row.values()) for row in raw_rows(path, names)]


def rewritten(path: Path, part: str, change: Callable[[str], str]) -> Path:
    """The same workbook with one part of its archive changed."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[part] = change(parts[part].decode()).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


SHEET = "xl/worksheets/sheet1.xml"


def test_rows_come_with_the_values_of_their_cells(tmp_path):
    day, moment = datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 10, 5)  # noqa: DTZ001  (Excel's)
    cells = ["x", 1, 1.5, True, False, day, moment, None]
    path = saved(tmp_path / "t.xlsx", [f"c{n}" for n in range(8)], cells)
    assert read(path) == [cells]


def test_blank_rows_are_none_and_missing_cells_are_empty(tmp_path):
    path = saved(tmp_path / "t.xlsx", HEADER, ROWS[0], [], [None] * 5, ["q", "p.png"], ["", None, ""])
    assert read(path) == [ROWS[0], ["q", "p.png", None, None, None]]


def test_a_cell_beyond_the_header_is_refused(tmp_path):
    path = saved(tmp_path / "t.xlsx", HEADER, [*ROWS[0], "surplus"], ROWS[1])
    first, second = read(path)
    assert first.reason == "ragged-row"
    assert second == ROWS[1]


def test_a_title_above_the_header_is_no_header(tmp_path):
    path = saved(tmp_path / "t.xlsx", ["Questions of May"], [], HEADER, *ROWS)
    assert read(path) == ROWS
    assert "header in row 3" in table_facts(path).describe()


@pytest.mark.parametrize("above", [[], [[]], [[], [None, None]]], ids=["first", "second", "third"])
def test_where_all_rows_have_one_cell_the_first_is_the_header(above, tmp_path):
    path = saved(tmp_path / "t.xlsx", *above, ["question"], ["What?"], ["Where?"])
    assert column_names(path) == ["question"]
    assert read(path) == [["What?"], ["Where?"]]


def test_the_first_visible_sheet_with_a_header_is_read_and_the_others_are_named(tmp_path):
    def add(book: Workbook) -> None:
        book.create_sheet("Cover", 0)
        book.create_sheet("Old", 0).append(HEADER)
        book["Old"].sheet_state = "hidden"
        book.create_sheet("More").append(HEADER)

    path = saved(tmp_path / "t.xlsx", HEADER, *ROWS, change=add)
    assert read(path) == ROWS
    assert table_facts(path).describe() == "XLSX; sheet 'Data'; not read: 'Cover', 'More'; hidden: 'Old'"


def test_a_cell_merged_downwards_stands_in_each_of_its_rows(tmp_path):
    def merge(book: Workbook) -> None:
        for rows in ("B2:B4", "D3:E3"):
            book.active.merge_cells(rows)

    path = saved(tmp_path / "t.xlsx", HEADER, *ROWS, change=merge)
    assert [row[1] for row in read(path)] == ["p0.png"] * 3
    assert [row[3:] for row in read(path)] == [["a dog", "A"], ["a dog", None], ["a dog", "A"]]


def test_formulas_are_read_by_the_values_they_had_last(tmp_path):
    path = saved(tmp_path / "t.xlsx", ["id", "n"], ["q0", "=1+1"], ["q1", '=""'], ["q2", "=2+2"])

    def compute(sheet: str) -> str:
        sheet = re.sub(r"<f>1\+1</f><v ?/?>(</v>)?", "<f>1+1</f><v>2</v>", sheet)
        return re.sub(r'<c r="B3"[^>]*><f>""</f><v ?/?>(</v>)?', '<c r="B3" t="str"><f>""</f><v></v>', sheet)

    first, second, third = read(rewritten(path, SHEET, compute))
    assert first == ["q0", 2]
    assert second == ["q1", None]
    assert third.reason == "unreadable-row"
    assert "row 4 of the sheet, 'n': a formula without a value; open and save the file" in third.detail


def test_an_error_costs_its_row_where_its_column_is_needed(tmp_path):
    path = saved(tmp_path / "t.xlsx", ["id", "n", "answer"], ["q0", "#REF!", "A"], ["q1", 1, "#N/A"])
    assert [isinstance(row, Broken) for row in raw_rows(path, ["id", "n"])] == [True, False]
    assert [isinstance(row, Broken) for row in raw_rows(path, ["id", "answer"])] == [False, False]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is no XLSX"),
        (b"PK\x03\x04 nonsense", "is no XLSX"),
        (b"\xd0\xcf\x11\xe0" + bytes(100), "is an old .xls or has a password"),
        (b"id,image\n1,2\n", "is no XLSX"),
    ],
)
def test_what_is_no_workbook_says_what_it_is(content, told, tmp_path):
    (tmp_path / "t.xlsx").write_bytes(content)
    with pytest.raises(TableError, match=told):
        column_names(tmp_path / "t.xlsx")


def test_a_workbook_without_a_header_is_named(tmp_path):
    with pytest.raises(TableError, match="has no header: the first row of a sheet must name the columns"):
        column_names(saved(tmp_path / "t.xlsx"))


def test_an_archive_that_unpacks_to_more_than_is_read_is_not_unpacked(tmp_path, monkeypatch):
    path = saved(tmp_path / "t.xlsx", HEADER, ["x" * 1_000] * 5)
    monkeypatch.setattr(room, "MAX_TEXT_TABLE_BYTES", 1_000)
    with pytest.raises(TableError, match="unpacks to 0 MiB in"):
        column_names(path)


def test_an_archive_of_too_many_parts_is_told_with_what_is_read(tmp_path, monkeypatch):
    path = saved(tmp_path / "t.xlsx", HEADER, *ROWS)
    monkeypatch.setattr(room, "MAX_PARTS", 2)
    with pytest.raises(TableError, match=r"in \d+ parts; at most 256 MiB in 2 are read"):
        column_names(path)


def test_a_part_that_is_larger_than_it_says_is_damaged(tmp_path):
    path = saved(tmp_path / "t.xlsx", HEADER, *ROWS)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = archive.getinfo(SHEET).file_size
    at = content.rindex(SHEET.encode()) - 46 + 24  # the size in the archive's directory
    assert int.from_bytes(content[at : at + 4], "little") == size
    content[at : at + 4] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(TableError, match="cannot be read"):
        read(path)


@pytest.mark.parametrize("cell", ["XFD1048576", "A1048576", "A99999999"])
def test_a_cell_far_away_neither_fills_the_memory_nor_hides_a_row(cell, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "MAX_SHEET_ROWS", 1_000)
    path = saved(tmp_path / "t.xlsx", HEADER, *ROWS)
    row = int("".join(filter(str.isdigit, cell)))
    far = f'<row r="{row}"><c r="{cell}" t="inlineStr"><is><t>far</t></is></c></row></sheetData>'
    rewritten(path, SHEET, lambda sheet: sheet.replace("</sheetData>", far))
    with pytest.raises(TableError, match="goes beyond row 1,000"):
        read(path)
