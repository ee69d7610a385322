"""JSON: an object a line, or one document that holds rows in one of the ways that tools write them.

A file's ending does not tell which: `datasets` writes lines into `.json`, others a list into `.jsonl`. A
document is a list of objects; or an object with one such list in it, or of objects by their ids, or of
columns, as lists or as pandas writes them.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from blip_core.errors import TableError
from blip_core.sources.column_types import ANY, ColumnType
from blip_core.sources.formats.lines import Lines
from blip_core.sources.formats.rows import (
    JUDGED_SPLIT,
    MAX_COLUMNS,
    Broken,
    Format,
    RawRow,
    TableFacts,
    limited,
)
from blip_core.sources.formats.texts import lines_of, text_of, too_long
from blip_core.sources.opening import TableInput
from blip_core.sources.unchanged import while_unchanged

_BRACKETS = ("[", "]", "],")  # of a list that was written an object a line


class _Repeating(dict[str, Any]):
    """An object in which a name comes twice: one of its values would be lost."""


def _names(table: TableInput) -> list[str]:
    names: dict[str, None] = {}
    broken = None
    for row in _rows(table, ()):
        if isinstance(row, Broken):
            broken = broken or row
            continue
        names |= dict.fromkeys(row)
        if len(names) > MAX_COLUMNS:
            break
    if broken and not names:
        raise TableError(f"{table.path} holds no row that can be read, a JSON object each: {broken.detail}")
    return list(names)


def _types(table: TableInput) -> Mapping[str, ColumnType]:
    return dict.fromkeys(_names(table), ANY)


def _facts(table: TableInput) -> TableFacts:
    text = text_of(table.path, table.encoding)
    form = "JSON" if _is_document(table.path, table.encoding) else "JSON lines"
    return TableFacts(form, text.told, notes=(text.encoding.note,) if text.encoding.note else ())


def _rows(table: TableInput, columns: Sequence[str]) -> Iterator[RawRow]:
    is_document = _is_document(table.path, table.encoding)
    with lines_of(table) as lines:
        rows = _document_rows(table.path, lines.read_all()) if is_document else _line_rows(lines)
        yield from limited(table.path, rows)


# --- an object a line


def _line_rows(lines: Lines) -> Iterator[RawRow]:
    while True:
        lines.begin()
        line = next(lines, None)
        if line is None:
            return
        written = line.strip()
        if lines.is_cut:
            yield too_long(lines.number)
        elif written and written not in _BRACKETS:
            yield _line_row(written.removesuffix(","), lines.number)


def _line_row(written: str, number: int) -> RawRow:
    try:
        row = _parse(written)
    except (ValueError, RecursionError) as error:
        return Broken("unreadable-row", f"line {number} is no JSON: {error}")
    return _row(row, f"line {number}")


def _parse(written: str) -> Any:
    return json.loads(written, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    return made if len(made) == len(pairs) else _Repeating(made)


def _row(value: Any, where: str) -> RawRow:
    if not isinstance(value, dict):
        return Broken("not-an-object", f"{where} is no JSON object with named columns")
    if isinstance(value, _Repeating):
        return Broken("unreadable-row", f"{where} gives a column more than one value")
    return value


# --- one document


@while_unchanged
def _is_document(path: Path, encoding: str) -> bool:
    """Whether a file is one JSON value, rather than one a line."""
    with lines_of(TableInput(path, encoding)) as lines:
        first = _first_written(lines)
        if _is_object(first) and _first_written(lines):
            return False
    with lines_of(TableInput(path, encoding)) as lines:
        try:
            value = _parse(lines.read_all())
        except (ValueError, RecursionError):
            return False
    return isinstance(value, list | dict)


def _first_written(lines: Lines) -> str:
    for line in lines:
        lines.begin()
        if line.strip():
            return line.strip()
    return ""


def _is_object(written: str) -> bool:
    try:
        return isinstance(_parse(written.removesuffix(",")), dict)
    except (ValueError, RecursionError):
        return False


def _document_rows(path: Path, written: str) -> Iterator[RawRow]:
    value = _parse(written)
    within = value if isinstance(value, list) else _rows_within(path, value)
    rows = [value] if within is None else within
    return (_row(row, f"row {number}") for number, row in enumerate(rows, start=1))


def _rows_within(path: Path, value: Mapping[str, Any]) -> Iterable[Any] | None:
    """The rows that an object holds; None where it is a row itself.

    Raises:
        TableError: It holds several lists, or columns that do not fit together.
    """
    lists = {name: one for name, one in value.items() if _is_list_of_objects(one)}
    if lists:
        return _only_list(path, lists)
    columns = value.get("columns")
    if isinstance(columns, list) and isinstance(value.get("data"), list):
        return (_split_row(columns, one) for one in value["data"])
    if len(value) > 1 and all(isinstance(one, list) for one in value.values()):
        return _side_by_side(path, {name: dict(enumerate(one)) for name, one in value.items()})
    if value and all(isinstance(one, dict) for one in value.values()):
        if all(index.isdecimal() for one in value.values() for index in one):
            return _side_by_side(path, value)
        return ({"id": name} | one for name, one in value.items())
    return None


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _only_list(path: Path, lists: Mapping[str, list[Any]]) -> list[Any]:
    if len(lists) == 1:
        return next(iter(lists.values()))
    if JUDGED_SPLIT in lists:
        return lists[JUDGED_SPLIT]
    raise TableError(
        f"{path} holds the lists {', '.join(map(repr, lists))}, and none is called {JUDGED_SPLIT!r}; "
        "hand in a file that holds the one that is meant"
    )


def _split_row(columns: list[Any], values: Any) -> Any:
    if not isinstance(values, list) or len(values) != len(columns):
        return values
    return dict(zip(map(str, columns), values, strict=True))


def _side_by_side(path: Path, columns: Mapping[str, Mapping[Any, Any]]) -> Iterator[dict[str, Any]]:
    first = next(iter(columns.values()))
    for name, values in columns.items():
        if values.keys() != first.keys():
            raise TableError(f"{path}: column {name!r} has {len(values):,} values, others {len(first):,}")
    return ({name: values[index] for name, values in columns.items()} for index in first)


JSON = Format(_names, _types, _rows, _facts)
