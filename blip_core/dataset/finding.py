"""Finds single rows in published Parquet files, without decoding the others."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from blip_core.errors import TableError
from blip_core.records import Example, Row

RowType = TypeVar("RowType", bound=Row)

_PICTURE = "image"


def rows_where(path: Path, record: type[RowType], column: str, value: str) -> list[RowType]:
    """Rows whose text column has a value; see `raw_rows_where`."""
    return [record.from_row(row) for row in raw_rows_where(path, column, value)]


def raw_rows_where(path: Path, column: str, value: str) -> list[dict[str, Any]]:
    """Rows whose text column has a value; of row groups without one, that column alone is read.

    Raises:
        TableError: The file is missing or damaged, or has no such column.
    """
    found: list[dict[str, Any]] = []
    with _opened(path) as file:
        for number in range(file.num_row_groups):
            values = file.read_row_group(number, columns=[column]).column(column).to_pylist()
            places = [place for place, held in enumerate(values) if held == value]
            if places:  # compared here: Arrow's own comparison would import pandas
                group = file.read_row_group(number)
                found += [row for place in places for row in group.slice(place, 1).to_pylist()]
    return found


def read_column(path: Path, column: str) -> list[str]:
    """One text column of a file.

    Raises:
        TableError: The file is missing or damaged, or has no such column.
    """
    with _opened(path) as file:
        found: list[str] = file.read(columns=[column]).column(column).to_pylist()
    return found


def iter_texts(path: Path) -> Iterator[Example]:
    """The examples of one file with empty pictures, which are not read.

    Raises:
        TableError: The file is missing or damaged, or holds something else.
    """
    with _opened(path) as file:
        columns = [name for name in file.schema_arrow.names if name != _PICTURE]
        for number in range(file.num_row_groups):
            for row in file.read_row_group(number, columns=columns).to_pylist():
                yield _without_picture(path, row)


def _without_picture(path: Path, row: dict[str, Any]) -> Example:
    try:
        return Example.from_row(row | {_PICTURE: {"bytes": b"", "path": None}})
    except TypeError as error:
        raise TableError(f"{path} holds no examples: {error}") from error


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except (pa.ArrowException, OSError, KeyError) as error:
        raise TableError(f"{path} cannot be read: {error}. Run again, and it is made anew") from error
