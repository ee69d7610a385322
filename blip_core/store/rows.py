"""Rows in Parquet files: about a hundred a row group, every page with its checksum."""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from blip_core.errors import TableError
from blip_core.records import Row

RowType = TypeVar("RowType", bound=Row)

ROWS_PER_GROUP = 100  # pictures are large: a reader that wants one row should not decode thousands
_COMPRESSION = "zstd"


def write_rows(
    path: Path, rows: Iterable[Row], schema: pa.Schema, rows_per_group: int = ROWS_PER_GROUP
) -> int:
    """Write rows to one Parquet file, group by group; equal rows give equal bytes.

    Returns:
        How many rows were written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = iter(rows)
    written = 0
    with pq.ParquetWriter(path, schema, compression=_COMPRESSION, write_page_checksum=True) as writer:
        while group := list(islice(waiting, rows_per_group)):
            table = pa.Table.from_pylist([row.to_row() for row in group], schema=schema)
            writer.write_table(table, row_group_size=rows_per_group)
            written += len(group)
    return written


def read_rows(path: Path, record: type[RowType]) -> list[RowType]:
    """Read all rows of one Parquet file; see `iter_rows`."""
    return list(iter_rows(path, record))


def iter_rows(path: Path, record: type[RowType]) -> Iterator[RowType]:
    """Read the rows of one Parquet file, one row group in memory at a time.

    Raises:
        TableError: The file is missing, cut short, fails a checksum or holds other columns.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            _check_columns(path, file.schema_arrow, record)
            for number in range(file.num_row_groups):
                for row in file.read_row_group(number).to_pylist():
                    yield record.from_row(row)
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{path} cannot be read: {error}. Make it again, or hand in a whole file") from error


def _check_columns(path: Path, schema: pa.Schema, record: type[Row]) -> None:
    expected = [field.name for field in fields(record)]  # type: ignore[arg-type]
    if sorted({*schema.names, *record.LATER}) != sorted(expected):
        raise TableError(
            f"{path} holds the columns {', '.join(schema.names)}; "
            f"{record.__name__} needs {', '.join(expected)}"
        )
