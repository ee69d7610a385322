"""The rows of a table as they stand, whoever made it and in whatever format.

A row that cannot be read is handed on as `Broken`, and the next one is read; only what makes the whole file
unreadable is an error. A CSV record that breaks (a quote that never closes, say) costs its first line alone:
reading goes on at the line after it. Every row is handed on, as it is or broken; blank ones are none.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from blip_core.errors import TableError
from blip_core.sources.column_types import ColumnType
from blip_core.sources.formats.arrow_rows import ARROW, ARROW_ENDINGS, PARQUET, PARQUET_ENDING
from blip_core.sources.formats.dataset_folders import FOLDER, dataset_folder
from blip_core.sources.formats.delimited import DELIMITED
from blip_core.sources.formats.json_rows import JSON
from blip_core.sources.formats.rows import MAX_COLUMNS, Broken, Format, RawRow, TableFacts
from blip_core.sources.formats.workbook import WORKBOOK
from blip_core.sources.opening import TableInput, as_input

__all__ = ["Broken", "RawRow", "TableFacts", "column_names", "column_types", "raw_rows", "table_facts"]

_FORMATS: Mapping[str, Format] = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt"), DELIMITED),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), JSON),
    **dict.fromkeys((".xlsx", ".xlsm"), WORKBOOK),
    PARQUET_ENDING: PARQUET,
    **dict.fromkeys(ARROW_ENDINGS, ARROW),
}
_ADVICE = {  # for endings of what is not read
    **dict.fromkeys((".gz", ".zip", ".bz2", ".xz", ".zst", ".7z", ".tar"), "is packed: unpack it first"),
    **dict.fromkeys((".xls", ".xlsb", ".ods", ".numbers"), "is a spreadsheet: save it as .xlsx or as CSV"),
}


def column_names(table: Path | TableInput) -> list[str]:
    """Names of a table's columns, in order; of JSON those of all its rows.

    Raises:
        TableError: The table is missing, cannot be read, or has more than `MAX_COLUMNS`.
    """
    table = as_input(table)
    names: list[str] = _guarded(table, lambda: _format_of(table).names(table))
    if len(names) > MAX_COLUMNS:
        raise TableError(f"{table.path} has {len(names):,} columns; at most {MAX_COLUMNS:,} are read")
    return names


def column_types(table: Path | TableInput) -> Mapping[str, ColumnType]:
    """Types of a table's columns, by name: what its format says of the values that `raw_rows` hands on.

    Raises:
        TableError: See `column_names`.
    """
    table = as_input(table)
    types: Mapping[str, ColumnType] = _guarded(table, lambda: _format_of(table).types(table))
    return types


def table_facts(table: Path | TableInput) -> TableFacts:
    """How a table is written: its format, and what of it was found out rather than declared.

    Raises:
        TableError: See `column_names`.
    """
    table = as_input(table)
    facts: TableFacts = _guarded(table, lambda: _format_of(table).facts(table))
    return facts


def raw_rows(table: Path | TableInput, columns: Sequence[str]) -> Iterator[RawRow]:
    """The rows of a table, in order; blank ones are none.

    Args:
        table: a file with one of the known endings, or a folder that `datasets` wrote.
        columns: those that are needed; a row may hold others.

    Raises:
        TableError: The table is missing, cannot be read, or has more than `MAX_ROWS`.
    """
    table = as_input(table)
    rows = _guarded(table, lambda: _format_of(table).rows(table, columns))
    while (row := _guarded(table, lambda: next(rows, None))) is not None:
        yield row


def _guarded(table: TableInput, read: Callable[[], Any]) -> Any:
    """What reading gives; whatever it trips over tells which table it was."""
    try:
        return read()
    except (OSError, ValueError, csv.Error, pa.ArrowException, OverflowError, NotImplementedError) as error:
        # pyarrow raises the last two plainly, of values and types for which Python has no counterpart
        raise TableError(f"{table.path} cannot be read: {error}") from error


def _format_of(table: TableInput) -> Format:
    path = table.path
    if dataset_folder(path):
        return FOLDER
    ending = path.suffix.lower()
    if ending in _FORMATS:
        return _FORMATS[ending]
    if ending in _ADVICE:
        raise TableError(f"{path} {_ADVICE[ending]}")
    raise TableError(
        f"{path} is no table that can be read: its name must end in {', '.join(_FORMATS)}, or it is a folder "
        "that the library datasets wrote, or names a split of one"
    )
