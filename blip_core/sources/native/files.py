"""Files of a set as they are read: whole, and refused by their name."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blip_core.errors import TableError
from blip_core.lfs import ADVICE, is_lfs_pointer


def read_text_file(path: Path) -> str:
    """The text of a file.

    Raises:
        TableError: It cannot be read, is no UTF-8, or is a git-lfs pointer.
    """
    try:
        data = path.read_bytes()
        if is_lfs_pointer(data):
            raise TableError(f"{path} {ADVICE}")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TableError(f"{path} is no text in UTF-8: {error}; fetch it again") from error


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        TableError: It is no JSON, or cannot be read.
    """
    try:
        return json.loads(read_text_file(path))
    except (ValueError, RecursionError) as error:
        raise TableError(f"{path} is no whole JSON: {error}; fetch it again") from error


def json_list(path: Path, key: str) -> list[Any]:
    """The list under a key of the object that a JSON file holds.

    Raises:
        TableError: There is none.
    """
    content = read_json(path)
    found = content.get(key) if isinstance(content, dict) else None
    if not isinstance(found, list):
        raise TableError(f"{path} holds no list named {key!r}; it is another file than its name says")
    return found


def json_object(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises:
        TableError: It holds something else.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise TableError(f"{path} holds a {type(content).__name__} where an object is owed")
    return content


def csv_rows(path: Path, needed: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Rows of a CSV file with a header, absent cells empty.

    Raises:
        TableError: It cannot be read, or lacks a column.
    """
    reader = csv.DictReader(read_text_file(path).splitlines())
    missing = [name for name in needed if name not in (reader.fieldnames or ())]
    if missing:
        found = ", ".join(reader.fieldnames or ()) or "none"
        raise TableError(f"{path} has no column {', '.join(missing)}; it has {found}")
    try:
        for row in reader:
            yield {name: value or "" for name, value in row.items() if isinstance(name, str)}
    except csv.Error as error:
        raise TableError(f"{path} cannot be read as CSV: {error}") from error
