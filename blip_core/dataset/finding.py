"""Finds single rows in published Parquet files, without decoding the others."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from blip_core.errors import TableError
from blip_core.records import Row

RowType = TypeVar("RowType", bound=Row)


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


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except (pa.ArrowException, OSError, KeyError) as error:
        raise TableError(f"{path} cannot be read: {error}. Run again, and it is made anew") from error
