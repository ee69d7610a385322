"""Parquet and Arrow files: values as their columns' types mean them, a few rows at a time."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from blip_core.errors import TableError
from blip_core.sources.column_types import ColumnType, schema_types, value_of
from blip_core.sources.formats.rows import Broken, Format, RawRow, TableFacts, limited
from blip_core.sources.opening import TableInput

PARQUET_ENDING = ".parquet"
ARROW_ENDINGS = (".arrow", ".feather")

_ARROW_FILE_MAGIC = b"ARROW1"  # an Arrow stream begins otherwise
_BATCH_ROWS = 16  # pictures are large

Types = Mapping[str, ColumnType]


def schema_of(table: TableInput, file: Path) -> pa.Schema:
    """The schema of a Parquet or Arrow file, with its metadata."""
    if file.suffix.lower() == PARQUET_ENDING:
        with table.open(file) as opened, pq.ParquetFile(opened) as parquet:
            return parquet.schema_arrow
    with _arrow_reader(table, file) as reader:
        return reader.schema


def rows_of(table: TableInput, file: Path, columns: Sequence[str], types: Types) -> Iterator[RawRow]:
    """The rows of a Parquet or Arrow file.

    Args:
        table: that the file belongs to.
        file: of the table.
        columns: those that are needed.
        types: of the columns, maybe from beside the file.
    """
    batches = _parquet_batches if file.suffix.lower() == PARQUET_ENDING else _arrow_batches
    for batch in batches(table, file, columns):
        is_sound = _is_sound(batch)
        for place in range(batch.num_rows):
            yield _row(batch, place, types, is_sound)


def _parquet_batches(table: TableInput, file: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    dotted = any("." in name for name in columns)  # Arrow would take it for a field of a struct
    with table.open(file) as opened, pq.ParquetFile(opened, page_checksum_verification=True) as parquet:
        yield from parquet.iter_batches(batch_size=_BATCH_ROWS, columns=None if dotted else list(columns))


def _arrow_batches(table: TableInput, file: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    with _arrow_reader(table, file) as reader:
        for large in _record_batches(reader):
            chosen = large.select(list(columns))
            for start in range(0, chosen.num_rows, _BATCH_ROWS):
                yield chosen.slice(start, _BATCH_ROWS)


@contextmanager
def _arrow_reader(table: TableInput, file: Path) -> Iterator[Any]:
    with table.map(file) as opened:
        is_file = opened.read(len(_ARROW_FILE_MAGIC)) == _ARROW_FILE_MAGIC
        opened.seek(0)
        with pa.ipc.open_file(opened) if is_file else pa.ipc.open_stream(opened) as reader:
            yield reader


def _record_batches(reader: Any) -> Iterator[pa.RecordBatch]:
    if isinstance(reader, pa.RecordBatchFileReader):
        yield from (reader.get_batch(number) for number in range(reader.num_record_batches))
    else:
        yield from reader


def _is_sound(batch: pa.RecordBatch) -> bool:
    """Whether every value lies where it should: a damaged Arrow file may point anywhere in memory."""
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _row(batch: pa.RecordBatch, place: int, types: Types, is_sound: bool) -> RawRow:
    row: dict[str, Any] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            if not is_sound:
                column.slice(place, 1).validate(full=True)
            row[name] = value_of(types[name], column[place].as_py(maps_as_pydicts="lossy"))
        except UnicodeDecodeError as error:
            return Broken("not-utf-8", f"a text of {name!r} cannot be read: {error.reason}")
        except pa.ArrowInvalid as error:
            reason = "not-utf-8" if "UTF8" in str(error) else "unreadable-row"
            return Broken(reason, f"a value of {name!r} cannot be read: {error}")
        except (ValueError, OverflowError) as error:  # a date beyond what Python counts
            return Broken("unreadable-row", f"a value of {name!r} cannot be read: {error}")
        except (LookupError, NotImplementedError, TypeError) as error:  # Python has no value of such a type
            raise TableError(
                f"column {name!r} is of type {column.type}, which cannot be read: {error}"
            ) from error
    return row


# --- a table that is one such file


def _names(table: TableInput) -> list[str]:
    return list(schema_of(table, table.path).names)


def _types(table: TableInput) -> Types:
    return schema_types(schema_of(table, table.path))


def _rows(table: TableInput, columns: Sequence[str]) -> Iterator[RawRow]:
    yield from limited(table.path, rows_of(table, table.path, columns, _types(table)))


def _parquet_facts(table: TableInput) -> TableFacts:
    return TableFacts("Parquet")


def _arrow_facts(table: TableInput) -> TableFacts:
    return TableFacts("Arrow")


PARQUET = Format(_names, _types, _rows, _parquet_facts)
ARROW = Format(_names, _types, _rows, _arrow_facts)
