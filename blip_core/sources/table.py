"""Tables of one's own: CSV, JSONL or Parquet with pictures, questions, options and answers.

Columns, in any case and order: `image` (a path below the table's folder, or the bytes), `question`, `a` to
`d`, and, where they are there, `id`, `answer` (a letter), `description`, `category`, `kind`. Without `a` to
`d` the answers are free texts.
"""

import csv
import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from blip_core.errors import TableError
from blip_core.records import LETTERS, Example, Picture, Rejection
from blip_core.sources.pictures import outside_picture, read_below, upright

STAGE = "table"
IMAGE_COLUMN = "image"
_OPTIONS = ("a", "b", "c", "d")

RawRow = Mapping[str, Any]
Made = TypeVar("Made")

_ID_HEX = 16  # of a picture's sha256: enough to tell the pictures of one table apart


class _RowError(Exception):
    """Why one row cannot be used: a stable slug and what was seen."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def read_table(
    path: Path, images: Path | None = None, needs_answer: bool = True
) -> tuple[list[Example], list[Rejection]]:
    """Read the examples of a table.

    Args:
        path: ends in .csv, .jsonl or .parquet.
        images: folder that picture paths start at; the table's own when absent.
        needs_answer: whether a row without an answer is refused.

    Returns:
        Examples, and rejections with their row's number in the detail. Reasons: `repeated-id`,
        `unreadable-picture`, `empty-text`, `answer-not-a-letter`, `not-an-object`.

    Raises:
        TableError: The table is missing, cannot be read, or lacks a column.
    """
    folder = images or path.parent

    def make(row: RawRow, name: str) -> Example:
        return _example(row, name, folder, needs_answer)

    return _each(path, {IMAGE_COLUMN, "question"}, make)


def read_examples(path: Path) -> list[Example]:
    """Read a table that models are judged on: every row must hold, or the scores would not mean the table.

    Raises:
        TableError: A row cannot be used; the message names the first. Or see `read_table`.
    """
    examples, rejections = read_table(path)
    if rejections:
        first = rejections[0]
        more = f" ({len(rejections)} such rows in all)" if len(rejections) > 1 else ""
        raise TableError(f"{path}: {first.detail}{more}; mend or remove it")
    if not examples:
        raise TableError(f"{path} holds no row")
    return examples


def read_table_pictures(
    path: Path, image_column: str = IMAGE_COLUMN, category_column: str | None = None
) -> tuple[list[Picture], list[Rejection]]:
    """Read the pictures that a table names, to be labelled.

    Raises:
        TableError: See `read_table`.
    """
    columns = {image_column.lower()} | ({category_column.lower()} if category_column else set())

    def make(row: RawRow, name: str) -> Picture:
        category = _text(row, category_column.lower()) if category_column else STAGE
        data = _picture_bytes(row.get(image_column.lower()), path.parent)
        return outside_picture(data, name, category)

    return _each(path, columns, make)


def _each(
    path: Path, columns: set[str], make: Callable[[RawRow, str], Made]
) -> tuple[list[Made], list[Rejection]]:
    made: list[Made] = []
    rejections: list[Rejection] = []
    seen: set[str] = set()
    for number, raw in enumerate(_rows(path, columns)):
        name = f"row-{number:05d}"
        try:
            if not isinstance(raw, Mapping):
                raise _RowError("not-an-object", "is no JSON object with named columns")
            row = {str(column).strip().lower(): value for column, value in raw.items()}
            name = _text(row, "id") or name
            if name in seen:
                raise _RowError("repeated-id", f"id {name!r} comes twice")
            seen.add(name)
            made.append(make(row, name))
        except _RowError as refused:
            rejections.append(Rejection(name, STAGE, refused.reason, f"row {number + 1}: {refused}"))
        except TableError as error:
            rejections.append(Rejection(name, STAGE, "unreadable-picture", f"row {number + 1}: {error}"))
    return made, rejections


def _rows(path: Path, columns: set[str]) -> Iterator[Any]:
    """The rows of a table as they stand, in order."""
    readers = {".csv": _csv_rows, ".jsonl": _jsonl_rows, ".parquet": _parquet_rows}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise TableError(f"{path} is no table that can be read: its name must end in {', '.join(readers)}")
    try:
        yield from reader(path, columns)
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        raise TableError(f"{path} cannot be read: {error}") from error


def _csv_rows(path: Path, columns: set[str]) -> Iterator[Any]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, restkey="", strict=True)
        _require(path, columns, reader.fieldnames or ())
        yield from reader


def _jsonl_rows(path: Path, columns: set[str]) -> Iterator[Any]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise TableError(f"{path}, line {number}: no JSON ({error})") from error
            if isinstance(row, dict):
                _require(path, columns, tuple(row), f", line {number}")
            yield row


def _parquet_rows(path: Path, columns: set[str]) -> Iterator[Any]:
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        _require(path, columns, file.schema_arrow.names)
        for number in range(file.num_row_groups):
            yield from file.read_row_group(number).to_pylist()


def _require(path: Path, columns: set[str], found: Collection[str], where: str = "") -> None:
    missing = columns - {name.strip().lower() for name in found}
    if missing:
        raise TableError(
            f"{path}{where}: no column {', '.join(sorted(missing))}; found {', '.join(found) or 'none'}"
        )


def _example(row: RawRow, name: str, folder: Path, needs_answer: bool) -> Example:
    image = upright(_picture_bytes(row.get(IMAGE_COLUMN), folder), name)
    picture_id = _text(row, "picture_id") or hashlib.sha256(image).hexdigest()[:_ID_HEX]
    options = [_text(row, letter) for letter in _OPTIONS]
    is_choice = any(letter in row for letter in _OPTIONS)
    if is_choice and not all(options):
        raise _RowError("empty-text", f"option {LETTERS[options.index('')]} is empty")
    answer = _answer(row, is_choice, needs_answer)
    a, b, c, d = options
    return Example(
        id=name,
        picture_id=picture_id,
        group=_text(row, "group") or picture_id,
        category=_text(row, "category"),
        task="mcq" if is_choice else "vqa",
        image=image,
        description=_text(row, "description"),
        question=_required(row, "question"),
        a=a,
        b=b,
        c=c,
        d=d,
        answer=answer if is_choice else "",
        target=_option_text(options, answer) if is_choice else answer,
        scene=_text(row, "scene"),
        kind=_text(row, "kind"),
    )


def _answer(row: RawRow, is_choice: bool, needs_answer: bool) -> str:
    answer = _required(row, "answer") if needs_answer else _text(row, "answer")
    if not is_choice or not answer:
        return answer
    letter = answer.upper()
    if letter not in LETTERS:
        raise _RowError("answer-not-a-letter", f"answer is {answer!r}; A, B, C and D are allowed")
    return letter


def _option_text(options: Sequence[str], letter: str) -> str:
    return next((text for name, text in zip(LETTERS, options, strict=True) if name == letter), "")


def _picture_bytes(value: Any, folder: Path) -> bytes:
    """Bytes of a picture that stands in the table (on its own or as Hugging Face writes it) or is named."""
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str) or not value.strip():
        raise TableError("there is no picture")
    return read_below(folder, value.strip())


def _required(row: RawRow, column: str) -> str:
    text = _text(row, column)
    if not text:
        raise _RowError("empty-text", f"{column} is empty")
    return text


def _text(row: RawRow, column: str) -> str:
    value = row.get(column)
    return "" if value is None else str(value).strip()
