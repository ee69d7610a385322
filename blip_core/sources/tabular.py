"""The rows of a CSV, TSV, JSONL or Parquet file or of a dataset's folder as they stand, whoever made it.

A row that cannot be read is handed on as `Broken`, and the next one is read; only what makes the whole file
unreadable is an error. A CSV record that breaks (a quote that never closes, say) costs its first line alone:
reading goes on at the line after it.
"""

import csv
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from blip_core.errors import TableError
from blip_core.lfs import ADVICE, is_lfs_pointer_file
from blip_core.sources import dataset_folders
from blip_core.sources.column_types import ANY, UNTYPED, ColumnType, schema_types, value_of

MAX_ROWS = 100_000
MAX_COLUMNS = 1_000
MAX_TEXT_TABLE_BYTES = 256 * 1024 * 1024
MAX_LINE_CHARACTERS = 4 * 1024 * 1024  # a picture of 3 MB in base64
MAX_RECORD_LINES = 1_000  # of one CSV record: a quote that never closes does not swallow the rest
DELIMITERS = ",;\t"  # spreadsheets write a semicolon where the comma parts decimals

_BATCH_ROWS = 16  # of Parquet: pictures are large
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")  # of UTF-16


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that cannot be read: a stable slug, and what was seen."""

    reason: str
    detail: str


RawRow = Mapping[str, Any] | Broken


def column_names(path: Path) -> list[str]:
    """Names of a table's columns, in order; of a JSONL file those of all its lines.

    Raises:
        TableError: The table is missing, cannot be read, or has more than `MAX_COLUMNS`.
    """
    names: list[str] = _guarded(path, lambda: _format_of(path).names(path))
    if len(names) > MAX_COLUMNS:
        raise TableError(f"{path} has {len(names):,} columns; at most {MAX_COLUMNS:,} are read")
    return names


def column_types(path: Path) -> Mapping[str, ColumnType]:
    """Types of a table's columns, by name: what its format says of the values that `raw_rows` hands on.

    Raises:
        TableError: See `column_names`.
    """
    types: Mapping[str, ColumnType] = _guarded(path, lambda: _format_of(path).types(path))
    return types


def raw_rows(path: Path, columns: Sequence[str]) -> Iterator[RawRow]:
    """The rows of a table, in order; blank lines are none.

    Args:
        path: ends in .csv, .tsv, .jsonl or .parquet, or is a folder that `datasets` wrote.
        columns: those that are needed; a row may hold others.

    Raises:
        TableError: The table is missing, cannot be read, or has more than `MAX_ROWS`.
    """
    rows = _guarded(path, lambda: _format_of(path).rows(path, columns))
    while (row := _guarded(path, lambda: next(rows, None))) is not None:
        yield row


def _guarded(path: Path, read: Callable[[], Any]) -> Any:
    """What reading gives; whatever it trips over tells which table it was."""
    try:
        return read()
    except (OSError, ValueError, csv.Error, pa.ArrowException, OverflowError, NotImplementedError) as error:
        # pyarrow raises the last two plainly, of values and types for which Python has no counterpart
        raise TableError(f"{path} cannot be read: {error}") from error


def _format_of(path: Path) -> "_Format":
    if is_lfs_pointer_file(path):
        raise TableError(f"{path} {ADVICE}")
    if path.is_dir():
        return _FOLDER
    if path.suffix.lower() in _FORMATS:
        return _FORMATS[path.suffix.lower()]
    raise TableError(
        f"{path} is no table that can be read: its name must end in {', '.join(_FORMATS)}, or it is a folder "
        "that the library datasets wrote"
    )


def _open_text(path: Path, newline: str) -> TextIO:
    """Bytes that are no UTF-8 come as lone surrogates, so that they cost their row alone."""
    size_bytes = path.stat().st_size
    if size_bytes > MAX_TEXT_TABLE_BYTES:
        raise TableError(
            f"{path} has {size_bytes >> 20} MiB; at most {MAX_TEXT_TABLE_BYTES >> 20} MiB of text are read. "
            "Split it, or hand it in as Parquet"
        )
    with path.open("rb") as file:
        if file.read(2) in _BYTE_ORDER_MARKS:
            raise TableError(f"{path} is written in UTF-16; save it as UTF-8")
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline=newline)


class _Lines:
    """The lines of a text file; those of a record can be put back, but for the first.

    Attributes:
        taken: lines of the record that is being read.
        number: of the last line handed out, counted from 1.
        is_cut: whether one of the record's lines was too long and lost its end.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._waiting: deque[tuple[str, bool]] = deque()
        self.taken: list[tuple[str, bool]] = []
        self.number = 0

    @property
    def is_cut(self) -> bool:
        return any(cut for _, cut in self.taken)

    def begin(self) -> None:
        """A new record starts with the next line."""
        self.taken = []

    def put_back(self) -> None:
        """Hand out all but the first line of the record again."""
        again = self.taken[1:]
        self._waiting.extendleft(reversed(again))
        self.number -= len(again)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= MAX_RECORD_LINES:
            raise csv.Error(f"more than {MAX_RECORD_LINES:,} lines make one row: a quote is not closed")
        line, is_cut = self._waiting.popleft() if self._waiting else self._read()
        self.taken.append((line, is_cut))
        self.number += 1
        return line

    def _read(self) -> tuple[str, bool]:
        line = rest = self._file.readline(MAX_LINE_CHARACTERS)
        if not line:
            raise StopIteration
        while len(rest) == MAX_LINE_CHARACTERS and not rest.endswith(("\n", "\r")):
            rest = self._file.readline(MAX_LINE_CHARACTERS)
        return line, rest is not line


def _too_long(line: int) -> Broken:
    return Broken("too-long-text", f"line {line} has more than {MAX_LINE_CHARACTERS:,} characters")


# --- CSV


def _csv_names(path: Path) -> list[str]:
    with _open_text(path, newline="") as file:
        return _csv_header(path, _Lines(file))[0]


def _csv_types(path: Path) -> Mapping[str, ColumnType]:
    return dict.fromkeys(_csv_names(path), UNTYPED)


def _csv_header(path: Path, lines: _Lines) -> tuple[list[str], str]:
    """Names of the columns, and what parts them."""
    first = next(lines, "")
    if "\0" in first:
        raise TableError(f"{path} is no text, or written in UTF-16; save it as UTF-8")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(DELIMITERS, key=first.count)
    header = next(csv.reader([first], strict=True, delimiter=delimiter), [])
    if not header:
        raise TableError(f"{path} has no header: its first line must name the columns")
    return [name.strip() for name in header], delimiter


def _csv_rows(path: Path, columns: Sequence[str]) -> Iterator[RawRow]:
    with _open_text(path, newline="") as file:
        lines = _Lines(file)
        header, delimiter = _csv_header(path, lines)
        for row in _limited(path, _csv_records(lines, delimiter)):
            yield row if isinstance(row, Broken) else _named(header, row)


def _csv_records(lines: _Lines, delimiter: str) -> Iterator[list[str] | Broken]:
    # Of the whole process, hence never lowered; a picture in base64 exceeds the default.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_CHARACTERS))
    reader = csv.reader(lines, strict=True, delimiter=delimiter)
    while True:
        lines.begin()
        start = lines.number + 1
        try:
            record = next(reader, None)
        except csv.Error as error:
            lines.put_back()
            reader = csv.reader(lines, strict=True, delimiter=delimiter)
            yield Broken("unreadable-row", f"line {start} is no CSV: {error}")
            continue
        if record is None:
            return
        if lines.is_cut:
            yield _too_long(start)
        elif any(field.strip() for field in record):
            yield record


def _named(header: Sequence[str], record: Sequence[str]) -> RawRow:
    surplus = any(field.strip() for field in record[len(header) :])
    if len(record) < len(header) or surplus:
        return Broken("ragged-row", f"has {len(record)} fields, the header {len(header)}")
    return dict(zip(header, record, strict=False))


# --- JSONL


def _jsonl_names(path: Path) -> list[str]:
    names: dict[str, None] = {}
    broken = None
    for row in _jsonl_rows(path, ()):
        if isinstance(row, Broken):
            broken = broken or row
            continue
        names |= dict.fromkeys(row)
        if len(names) > MAX_COLUMNS:
            break
    if broken and not names:
        raise TableError(f"{path} holds no row that can be read, one JSON object a line: {broken.detail}")
    return list(names)


def _jsonl_types(path: Path) -> Mapping[str, ColumnType]:
    return dict.fromkeys(_jsonl_names(path), ANY)


def _jsonl_rows(path: Path, columns: Sequence[str]) -> Iterator[RawRow]:
    with _open_text(path, newline="\n") as file:
        yield from _limited(path, _json_objects(_Lines(file)))


def _json_objects(lines: _Lines) -> Iterator[RawRow]:
    while True:
        lines.begin()
        line = next(lines, None)
        if line is None:
            return
        if lines.is_cut:
            yield _too_long(lines.number)
        elif line.strip():
            yield _json_object(line, lines.number)


def _json_object(line: str, number: int) -> RawRow:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Broken("unreadable-row", f"line {number} is no JSON: {error}")
    if not isinstance(row, dict):
        return Broken("not-an-object", f"line {number} is no JSON object with named columns")
    return row


# --- Parquet


def _parquet_names(path: Path) -> list[str]:
    with pq.ParquetFile(path) as file:
        return list(file.schema_arrow.names)


def _parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[RawRow]:
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        if file.metadata.num_rows > MAX_ROWS:
            raise _too_many(path)
        dotted = any("." in name for name in columns)  # Arrow would take it for a field of a struct
        chosen = None if dotted else list(columns)
        types = schema_types(file.schema_arrow)
        yield from _limited(
            path, _arrow_rows(file.iter_batches(batch_size=_BATCH_ROWS, columns=chosen), types)
        )


def _parquet_types(path: Path) -> Mapping[str, ColumnType]:
    with pq.ParquetFile(path) as file:
        return schema_types(file.schema_arrow)


def _arrow_rows(batches: Iterable[pa.RecordBatch], types: Mapping[str, ColumnType]) -> Iterator[RawRow]:
    return (_arrow_row(batch, place, types) for batch in batches for place in range(batch.num_rows))


def _arrow_row(batch: pa.RecordBatch, place: int, types: Mapping[str, ColumnType]) -> RawRow:
    row: dict[str, Any] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            row[name] = value_of(types[name], column[place].as_py(maps_as_pydicts="lossy"))
        except UnicodeDecodeError as error:
            return Broken("not-utf-8", f"a text of {name!r} cannot be read: {error.reason}")
        except (ValueError, OverflowError) as error:  # a date beyond what Python counts
            return Broken("unreadable-row", f"a value of {name!r} cannot be read: {error}")
        except (
            LookupError,
            NotImplementedError,
            TypeError,
        ) as error:  # of types that Python has no value for
            raise TableError(
                f"column {name!r} is of type {column.type}, which cannot be read: {error}"
            ) from error
    return row


# --- folders that the library `datasets` wrote


def _folder_names(path: Path) -> list[str]:
    files = dataset_folders.parquet_files(path)
    return (
        _parquet_names(files[0]) if files else dataset_folders.arrow_names(dataset_folders.arrow_folder(path))
    )


def _folder_rows(path: Path, columns: Sequence[str]) -> Iterator[RawRow]:
    files = dataset_folders.parquet_files(path)
    if files:
        yield from _limited(path, (row for file in files for row in _parquet_rows(file, columns)))
        return
    split = dataset_folders.arrow_folder(path)
    if dataset_folders.arrow_rows(split) > MAX_ROWS:
        raise _too_many(path)
    dotted = any("." in name for name in columns)
    types = dataset_folders.arrow_types(split)
    yield from _arrow_rows(dataset_folders.arrow_batches(split, None if dotted else list(columns)), types)


def _folder_types(path: Path) -> Mapping[str, ColumnType]:
    files = dataset_folders.parquet_files(path)
    return (
        _parquet_types(files[0]) if files else dataset_folders.arrow_types(dataset_folders.arrow_folder(path))
    )


def _limited(path: Path, rows: Iterator[Any]) -> Iterator[Any]:
    yield from islice(rows, MAX_ROWS)
    if next(rows, None) is not None:
        raise _too_many(path)


def _too_many(path: Path) -> TableError:
    return TableError(f"{path} has more than {MAX_ROWS:,} rows; split it")


@dataclass(frozen=True, slots=True)
class _Format:
    names: Callable[[Path], list[str]]
    types: Callable[[Path], Mapping[str, ColumnType]]
    rows: Callable[[Path, Sequence[str]], Iterator[RawRow]]


_FORMATS: Mapping[str, _Format] = {
    ".csv": _Format(_csv_names, _csv_types, _csv_rows),
    ".tsv": _Format(_csv_names, _csv_types, _csv_rows),
    ".jsonl": _Format(_jsonl_names, _jsonl_types, _jsonl_rows),
    ".parquet": _Format(_parquet_names, _parquet_types, _parquet_rows),
}
_FOLDER = _Format(_folder_names, _folder_types, _folder_rows)
