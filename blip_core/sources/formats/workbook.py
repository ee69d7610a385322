"""Excel's XLSX: the first visible sheet that has a header; formulas by the values they had last.

The header is the first row with more than one cell, so that a title above it does no harm. A cell that is
merged with those below it stands in each of their rows. openpyxl streams the rows; a workbook is an archive,
and what it says it unpacks to is bounded before anything is.
"""

import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, time
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from blip_core.errors import TableError
from blip_core.sources.column_types import ANY, ColumnType
from blip_core.sources.formats.rows import (
    MAX_COLUMNS,
    MAX_TEXT_TABLE_BYTES,
    Broken,
    Format,
    RawRow,
    TableFacts,
    limited,
)
from blip_core.sources.opening import TableInput
from blip_core.sources.unchanged import while_unchanged

MAX_SHEET_ROWS = 1_048_576  # Excel's own bound, blank rows included
MAX_PARTS = 10_000  # of the archive

_TITLE_ROWS = 20  # above a header, at most
_OLD_FORMAT = b"\xd0\xcf\x11\xe0"  # of .xls, and of workbooks with a password
_MARKS = re.compile(  # of a formula, and of cells that are merged
    rb"<(?:\w+:)?(?:(?P<formula>f)[\s/>]"
    rb"|mergeCell\s[^>]*?ref=[\"'](?P<column>[A-Z]{1,3})(?P<first>\d{1,7}):[A-Z]{1,3}(?P<last>\d{1,7})[\"'])"
)
_CHUNK_BYTES = 1 << 20
_LONGEST_MARK_BYTES = 256
_NOT_AVAILABLE = "#N/A"  # an error by which people write that there is no value
_NAMED_SHEETS = 5  # in a message

Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the table of a workbook lies.

    Attributes:
        sheet: its title.
        header: names of the columns.
        header_row: where they stand, counted from 1.
        merged: of cells that are merged downwards: first row -> column, counted from 0, and last row.
        has_formulas: whether some cells are computed.
        notes: what a person should be told.
    """

    sheet: str
    header: tuple[str, ...]
    header_row: int
    merged: Mapping[int, Sequence[tuple[int, int]]]
    has_formulas: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Cell:
    """A cell's value, or why it has none that means anything."""

    value: Any = None
    fault: str = ""


def _names(table: TableInput) -> list[str]:
    return list(_layout(table.path).header)


def _types(table: TableInput) -> Mapping[str, ColumnType]:
    return dict.fromkeys(_names(table), ANY)


def _facts(table: TableInput) -> TableFacts:
    return TableFacts("XLSX", notes=_layout(table.path).notes)


def _rows(table: TableInput, columns: Sequence[str]) -> Iterator[RawRow]:
    layout = _layout(table.path)
    yield from limited(table.path, _named_rows(table, layout, columns))


def _named_rows(table: TableInput, layout: _Layout, columns: Sequence[str]) -> Iterator[RawRow]:
    for number, cells in _cells(table, layout):
        if number > layout.header_row and any(cell.value is not None or cell.fault for cell in cells):
            yield _named(layout.header, number, cells, columns)


def _named(header: Sequence[str], number: int, cells: Sequence[_Cell], columns: Sequence[str]) -> RawRow:
    if any(cell.value is not None for cell in cells[len(header) :]):
        return Broken("ragged-row", f"row {number} of the sheet has cells beyond the last named column")
    missing = [_Cell()] * (len(header) - len(cells))
    named = dict(zip(header, [*cells, *missing], strict=False))
    for name in columns:
        if named[name].fault:
            return Broken("unreadable-row", f"row {number} of the sheet, {name!r}: {named[name].fault}")
    return {name: cell.value for name, cell in named.items()}


# --- cells


def _cells(table: TableInput, layout: _Layout) -> Iterator[tuple[int, list[_Cell]]]:
    """The rows of the sheet from its first one on, with their numbers; what is merged stands in every row."""
    with table.open() as opened, _workbook(table.path, opened, data_only=True) as values:
        merged: dict[int, tuple[int, _Cell]] = {}  # column -> last row, value
        formulas = _formulas(table, layout)
        for number, row in _numbered(table.path, values[layout.sheet]):
            cells = [_cell(cell, typed) for cell, typed in zip_longest(row, next(formulas, ()))]
            for column, last in layout.merged.get(number, ()):
                merged[column] = last, cells[column] if column < len(cells) else _Cell()
            for column, (last, cell) in merged.items():
                if number <= last:
                    cells += [_Cell()] * (column + 1 - len(cells))
                    cells[column] = cell
            yield number, cells


def _formulas(table: TableInput, layout: _Layout) -> Iterator[Sequence[Any]]:
    """The same rows as they were typed in; none where nothing is computed."""
    if not layout.has_formulas:
        return
    with table.open() as opened, _workbook(table.path, opened, data_only=False) as typed:
        yield from (row for _, row in _numbered(table.path, typed[layout.sheet]))


def _numbered(path: Path, sheet: Any) -> Iterator[tuple[int, Sequence[Any]]]:
    sheet.reset_dimensions()  # some tools write wrong ones
    rows = sheet.iter_rows()
    for number in range(1, MAX_SHEET_ROWS + 1):
        row = _from_library(path, lambda: next(rows, None))
        if row is None:
            return
        if len(row) > MAX_COLUMNS and any(cell.value is not None for cell in row[MAX_COLUMNS:]):
            raise TableError(f"{path}: row {number} has more than {MAX_COLUMNS:,} columns")
        yield number, row[:MAX_COLUMNS]
    raise TableError(f"{path}: the sheet {sheet.title!r} goes beyond row {MAX_SHEET_ROWS:,}")


def _cell(cell: Any, typed: Any) -> _Cell:
    if cell is None or cell.value is None or cell.value == "":
        is_computed = typed is not None and typed.data_type == "f" and cell.data_type not in ("s", "str")
        return (
            _Cell(fault="a formula without a value; open and save the file in a spreadsheet")
            if is_computed
            else _Cell()
        )
    if cell.data_type == "e" and cell.value != _NOT_AVAILABLE:
        return _Cell(fault=f"an error, {cell.value}")
    if isinstance(cell.value, datetime) and cell.value.time() == time():
        return _Cell(cell.value.date())
    return _Cell(cell.value)


# --- the workbook


@while_unchanged
def _layout(path: Path) -> _Layout:
    with TableInput(path).open() as opened, _workbook(path, opened, data_only=True) as workbook:
        visible = [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"]
        hidden = [sheet.title for sheet in workbook.worksheets if sheet.sheet_state != "visible"]
        for sheet in visible:
            number, header = _header(path, sheet)
            if header:
                break
        else:
            raise TableError(f"{path} has no header: the first row of a sheet must name the columns")
        others = [one.title for one in visible if one.title != sheet.title]
        notes = [f"sheet {sheet.title!r}"]
        notes += [f"header in row {number}"] if number > 1 else []
        notes += [f"not read: {_listed(others)}"] if others else []
        notes += [f"hidden: {_listed(hidden)}"] if hidden else []
        merged, has_formulas = _scan(opened, sheet._worksheet_path)  # noqa: SLF001  (no other way to its part)
        return _Layout(sheet.title, header, number, merged, has_formulas, tuple(notes))


def _listed(titles: Sequence[str]) -> str:
    more = ", ..." if len(titles) > _NAMED_SHEETS else ""
    return ", ".join(map(repr, titles[:_NAMED_SHEETS])) + more


def _header(path: Path, sheet: Any) -> tuple[int, tuple[str, ...]]:
    """Number and names of the first row with several cells, else of the first with one."""
    first: tuple[int, tuple[str, ...]] = (0, ())
    for number, row in islice(_numbered(path, sheet), _TITLE_ROWS):
        names = ["" if cell.value is None else str(cell.value).strip() for cell in row]
        while names and not names[-1]:
            names.pop()
        if sum(map(bool, names)) > 1:
            return number, tuple(names)
        first = first if first[1] or not names else (number, tuple(names))
    return first


def _scan(opened: BinaryIO, part: str) -> tuple[dict[int, list[tuple[int, int]]], bool]:
    """Cells merged downwards, and whether there are formulas; openpyxl tells neither while it streams."""
    merged: dict[int, list[tuple[int, int]]] = {}
    has_formulas = False
    with zipfile.ZipFile(opened) as archive, archive.open(part) as file:
        tail = b""
        while chunk := file.read(_CHUNK_BYTES):
            for mark in _MARKS.finditer(tail + chunk):
                has_formulas = has_formulas or bool(mark["formula"])
                if mark["first"] and int(mark["last"]) > int(mark["first"]):
                    column = _column_index(mark["column"].decode())
                    merged.setdefault(int(mark["first"]), []).append((column, int(mark["last"])))
            tail = chunk[-_LONGEST_MARK_BYTES:]
    return merged, has_formulas


def _column_index(letters: str) -> int:
    """Of a column, counted from 0: A is 0, AA is 26."""
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - ord("A") + 1
    return index - 1


@contextmanager
def _workbook(path: Path, opened: BinaryIO, data_only: bool) -> Iterator[Any]:
    from openpyxl import load_workbook

    if opened.read(len(_OLD_FORMAT)) == _OLD_FORMAT:
        raise TableError(f"{path} is an old .xls or has a password: save it as .xlsx without one, or as CSV")
    opened.seek(0)
    _check_size(path, opened)
    workbook = _from_library(path, lambda: load_workbook(opened, read_only=True, data_only=data_only))
    try:
        yield workbook
    finally:
        workbook.close()


def _check_size(path: Path, opened: BinaryIO) -> None:
    """No more of a part is unpacked than the archive declares, so that this is what counts."""
    try:
        with zipfile.ZipFile(opened) as archive:
            parts = archive.infolist()
    except zipfile.BadZipFile as error:
        raise TableError(f"{path} is no XLSX: {error}") from error
    size_bytes = sum(part.file_size for part in parts)
    if size_bytes > MAX_TEXT_TABLE_BYTES or len(parts) > MAX_PARTS:
        raise TableError(
            f"{path} unpacks to {size_bytes >> 20:,} MiB in {len(parts):,} parts; at most "
            f"{MAX_TEXT_TABLE_BYTES >> 20} MiB in {MAX_PARTS:,} are read. Remove pictures and sheets, or "
            "save it as CSV"
        )


def _from_library(path: Path, read: Callable[[], Given]) -> Given:
    """What openpyxl gives; of a damaged workbook it raises whatever its parsers trip over."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and validations that it does not know
            return read()
    except Exception as error:
        raise TableError(f"{path} cannot be read as XLSX: {type(error).__name__}: {error}") from error


WORKBOOK = Format(_names, _types, _rows, _facts)
