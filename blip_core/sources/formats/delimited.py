"""CSV and TSV, as spreadsheets, pandas and evaluation kits write them.

A cell may be quoted as RFC 4180 says. Evaluation kits also write TSV without any quoting, where a cell that
begins with a quote is no quoted one; read as such it could swallow the rows behind it. All lines of a file
tell which of the two it is: it is read as quoted unless more of its rows break so than break when every quote
is taken for a character of the text.

Cells that are missing at the end of a row are empty: spreadsheets leave them out.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from blip_core.errors import TableError
from blip_core.sources.column_types import UNTYPED, ColumnType
from blip_core.sources.formats.lines import MAX_LINE_CHARACTERS, Lines
from blip_core.sources.formats.rows import Broken, Format, RawRow, TableFacts, limited
from blip_core.sources.formats.texts import lines_of, text_of, too_long
from blip_core.sources.opening import TableInput
from blip_core.sources.unchanged import while_unchanged

DELIMITERS = ",;\t|"  # spreadsheets write a semicolon where the comma parts decimals
TAB_ENDINGS = (".tsv", ".tab")

_TOLD_DELIMITER = re.compile(r'"?sep=(?P<mark>[^"\r\n])"?[,;\t ]*[\r\n]*', re.IGNORECASE)  # Excel's own
_JUDGED_LINES = 20  # of which the delimiter is guessed
_MANY_CELLS = 4  # of a line: so many commas are no chance
_QUOTE = '"'

Record = list[str]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the cells of a file are written.

    Attributes:
        delimiter: what parts them.
        is_told: whether the first line does nothing but name the delimiter.
        header: names of the columns.
        is_quoted: whether a cell that begins with a quote is a quoted one.
        trusts_quotes: whether some row can only be read with its quotes, so that quoted cells may hold what
            looks like rows and cells.
    """

    delimiter: str
    is_told: bool
    header: tuple[str, ...]
    is_quoted: bool = True
    trusts_quotes: bool = True


def _names(table: TableInput) -> list[str]:
    return list(_dialect(table).header)


def _types(table: TableInput) -> Mapping[str, ColumnType]:
    return dict.fromkeys(_names(table), UNTYPED)


def _facts(table: TableInput) -> TableFacts:
    dialect = _dialect(table)
    text = text_of(table.path, table.encoding)
    notes = [text.encoding.note] if text.encoding.note else []
    if not dialect.is_quoted:
        notes.append("quotes are part of the text")
    form = "TSV" if dialect.delimiter == "\t" else "CSV"
    form = form if dialect.is_quoted else f"unquoted {form}"
    return TableFacts(form, text.told, dialect.delimiter, tuple(notes))


def _rows(table: TableInput, columns: Sequence[str]) -> Iterator[RawRow]:
    dialect = _dialect(table)
    with lines_of(table) as lines:
        records = _records(lines, dialect)
        next(records)  # the header
        for record in limited(table.path, records):
            yield record if isinstance(record, Broken) else _named(dialect.header, record)


def _named(header: Sequence[str], record: Record) -> RawRow:
    if _has_surplus(record, len(header)):
        return Broken("ragged-row", f"has {len(record)} fields, the header {len(header)}")
    missing = [""] * (len(header) - len(record))
    return dict(zip(header, [*record, *missing], strict=False))


def _has_surplus(record: Record, width: int) -> bool:
    return any(field.strip() for field in record[width:])


# --- records


def _records(lines: Lines, dialect: Dialect) -> Iterator[Record | Broken]:
    """The header, then the rows; blank ones are none."""
    if dialect.is_told:
        next(lines)
    parsed = _quoted(lines, dialect) if dialect.is_quoted else _raw(lines, dialect.delimiter)
    for record in parsed:
        if isinstance(record, Broken) or any(field.strip() for field in record):
            yield record


def _raw(lines: Lines, delimiter: str) -> Iterator[Record | Broken]:
    while True:
        lines.begin()
        line = next(lines, None)
        if line is None:
            return
        yield too_long(lines.number) if lines.is_cut else _split(line, delimiter)


def _split(line: str, delimiter: str) -> Record:
    return line.rstrip("\r\n").split(delimiter)


def _quoted(lines: Lines, dialect: Dialect) -> Iterator[Record | Broken]:
    # Of the whole process, hence never lowered; a picture in base64 exceeds the default.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_CHARACTERS))
    reader = csv.reader(lines, strict=True, delimiter=dialect.delimiter)
    while True:
        lines.begin()
        start = lines.number + 1
        try:
            record = next(reader, None)
            if record is None:
                return
            if not dialect.trusts_quotes and _hides_others(record, lines, dialect):
                raise csv.Error("its quotes span what looks like rows or cells of their own")
        except csv.Error as error:
            lines.put_back()
            reader = csv.reader(lines, strict=True, delimiter=dialect.delimiter)
            yield Broken("unreadable-row", f"line {start} is no CSV: {error}")
            continue
        yield too_long(start) if lines.is_cut else record


def _hides_others(record: Record, lines: Lines, dialect: Dialect) -> bool:
    """Whether a record's lines would do as rows, or, parted by tabs, its quoted cells as several cells.

    Text that runs over lines has commas in it, too; it hardly has as many in each line as there are columns.
    It has no tabs.
    """
    widths = [len(_split(line.text, dialect.delimiter)) for line in lines.taken]
    has_tabs = dialect.delimiter == "\t"
    if len(widths) == 1:
        return has_tabs and len(record) < len(dialect.header) == widths[0]
    if has_tabs and any("\t" in cell for cell in record):
        return True
    cells = min(len(record), len(dialect.header))
    return min(widths) >= (cells if has_tabs else max(cells, _MANY_CELLS))


# --- how a file is written


def _dialect(table: TableInput) -> Dialect:
    return _find_dialect(table.path, table.encoding)


@while_unchanged
def _find_dialect(path: Path, encoding: str) -> Dialect:
    table = TableInput(path, encoding)
    with lines_of(table) as lines:
        first = list(islice(_each_alone(lines), _JUDGED_LINES))
    told = _TOLD_DELIMITER.fullmatch(first[0]) if first else None
    judged = [line for line in first[bool(told) :] if line.strip()]
    if not judged:
        raise _no_header(path)
    if "\0" in judged[0]:
        raise TableError(f"{path} is no text: its first line holds a zero byte")
    delimiter = told["mark"] if told else _guess_delimiter(judged, path.suffix.lower())
    settled = _settle_quotes(table, Dialect(delimiter, bool(told), ()))
    if not any(name.strip(_QUOTE) for name in settled.header):
        raise _no_header(path)  # delimiters and quotes alone name nothing
    return settled


def _no_header(path: Path) -> TableError:
    return TableError(f"{path} has no header: its first line must name the columns")


def _guess_delimiter(lines: Sequence[str], ending: str) -> str:
    """The one by which most of the first lines have as many cells as the header."""
    if ending in TAB_ENDINGS and "\t" in lines[0]:
        return "\t"
    widths = {mark: [_width(line, mark) for line in lines] for mark in DELIMITERS}
    alike = {mark: found.count(found[0]) for mark, found in widths.items() if found[0] > 1}
    return max(alike, key=lambda mark: (alike[mark], widths[mark][0]), default=DELIMITERS[0])


def _width(line: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return 0


def _settle_quotes(table: TableInput, unsettled: Dialect) -> Dialect:
    raw = _with_header(table, replace(unsettled, is_quoted=False))
    quoted = _with_header(table, unsettled)
    if not quoted.header:
        return raw
    if not _has_quotes(table):
        return quoted
    broken, needs_quotes = _broken_rows(table, quoted)
    if not needs_quotes:
        quoted = replace(quoted, trusts_quotes=False)
        broken, _ = _broken_rows(table, quoted)
    return raw if broken > _broken_by_raw_quotes(table, raw) else quoted


def _with_header(table: TableInput, dialect: Dialect) -> Dialect:
    with lines_of(table) as lines:
        header = next(_records(lines, dialect), [])
    names = () if isinstance(header, Broken) else (name.strip().lstrip("\ufeff") for name in header)
    return replace(dialect, header=tuple(names))


def _has_quotes(table: TableInput) -> bool:
    with lines_of(table) as lines:
        return any(_QUOTE in line for line in _each_alone(lines))


def _broken_rows(table: TableInput, dialect: Dialect) -> tuple[int, bool]:
    """How many rows cannot be read, and whether there is one that can only be read with its quotes."""
    broken, needs_quotes = 0, False
    with lines_of(table) as lines:
        for record in islice(_records(lines, dialect), 1, None):
            if isinstance(record, Broken) or _has_surplus(record, len(dialect.header)):
                broken += 1
            elif not needs_quotes and not _hides_others(record, lines, dialect):
                needs_quotes = _needs_quotes(record, lines, dialect)
    return broken, needs_quotes


def _needs_quotes(record: Record, lines: Lines, dialect: Dialect) -> bool:
    """Whether a record has all cells, and a quoted one with a delimiter or with doubled quotes in it."""
    if len(record) != len(dialect.header):
        return False
    written = "".join(line.text for line in lines.taken)
    escaped = (f'"{field.replace(_QUOTE, _QUOTE * 2)}"' for field in record if _QUOTE in field)
    if any(field in written for field in escaped):
        return True
    return len(lines.taken) == 1 and len(_split(written, dialect.delimiter)) != len(record)


def _broken_by_raw_quotes(table: TableInput, dialect: Dialect) -> int:
    """How many lines with quotes do not have the cells of the header, if a quote is but a character."""
    width = len(dialect.header)
    with lines_of(table) as lines:
        quoting = (line for line in islice(_each_alone(lines), 1, None) if _QUOTE in line)
        cells = (_split(line, dialect.delimiter) for line in quoting)
        return sum(len(found) < width or _has_surplus(found, width) for found in cells)


def _each_alone(lines: Lines) -> Iterator[str]:
    for line in lines:
        lines.begin()
        yield line


DELIMITED = Format(_names, _types, _rows, _facts)
