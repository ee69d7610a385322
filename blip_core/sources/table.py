"""Tables of one's own: CSV, JSONL or Parquet with pictures, questions, options and answers.

Which column is what is guessed from common names, or told (`columns`). A row that cannot be used is refused
with a reason and its number, and the next one is read; where more than `MAX_REFUSED_SHARE` of the rows are
refused, something is wrong with the table as a whole, and it is.

A picture stands in its cell, as bytes or as Hugging Face's `Image` with bytes, or is named by a path below
the folder of pictures; nothing outside that folder is opened. An answer is a letter (in any case, also
"(b)"), the text of an option, or a number where all answers of the table are numbers and tell where they
start: a 0 among them and no 4 means 0 to 3, a 4 and no 0 means 1 to 4.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from blip_core.errors import TableError
from blip_core.recipes.evaluation import TableEvaluation
from blip_core.recipes.source import TableSource
from blip_core.records import LETTERS, Example, Picture, Rejection
from blip_core.sources.cells import (
    MAX_DESCRIPTION_CHARACTERS,
    MAX_ID_CHARACTERS,
    MAX_NAME_CHARACTERS,
    MAX_OPTION_CHARACTERS,
    MAX_QUESTION_CHARACTERS,
    AnswerForm,
    RowRefused,
    read_options,
    read_text,
    require_text,
    shown,
)
from blip_core.sources.columns import (
    ANSWERED_FIELDS,
    CHOICE_FIELDS,
    OPTION_FIELDS,
    PICTURE_FIELDS,
    Columns,
    guess_columns,
)
from blip_core.sources.digests import content_digest, file_digest, picture_digest, version_of
from blip_core.sources.pictures import outside_picture, read_below, upright
from blip_core.sources.share import check_share
from blip_core.sources.tabular import Broken, column_names, raw_rows

STAGE = "table"
MAX_PICTURES_BYTES = 4 * 1024**3  # of one table: its pictures are held in memory
UNREADABLE_PICTURE = "unreadable-picture"
REPEATED_PICTURE = "repeated-picture"

_ID_HEX = 16  # of a picture's sha256: enough to tell the pictures of one table apart

Row = Mapping[str, Any]


class TableFiles(NamedTuple):
    """Where a table and its pictures lie, and which column is what: the arguments of `read_table`."""

    path: Path
    images: Path | None
    columns: Columns


Made = TypeVar("Made")
Found = TypeVar("Found", str, bytes)


def find_columns(
    path: Path, given: Mapping[str, str] | None = None, needs: Sequence[str] = CHOICE_FIELDS
) -> Columns:
    """The columns of a table, told or guessed; see `guess_columns`.

    Raises:
        TableError: The table cannot be read, or a column cannot be found.
    """
    names = column_names(path)
    try:
        return guess_columns(names, given or {}, needs)
    except TableError as error:
        raise TableError(f"{path}: {error}") from error


def table_files(settings: TableSource | TableEvaluation, needs: Sequence[str] = CHOICE_FIELDS) -> TableFiles:
    """The table that a recipe names.

    Raises:
        TableError: See `find_columns`.
    """
    path = Path(settings.path).expanduser()
    images = Path(settings.images).expanduser() if settings.images else None
    return TableFiles(path, images, find_columns(path, settings.columns.given(), needs))


def read_table(
    path: Path, images: Path | None = None, columns: Columns | None = None, needs_answer: bool = True
) -> tuple[list[Example], list[Rejection]]:
    """Read the examples of a table, in its order.

    Questions about one picture share `picture_id` and `group`. Without columns for options, which somebody
    has to say (`columns`), answers are free texts and the task is `vqa`.

    Args:
        path: ends in .csv, .jsonl or .parquet.
        images: folder that picture paths start at; the table's own when absent.
        columns: which column is what; guessed when absent.
        needs_answer: whether a row without an answer is refused.

    Returns:
        Examples, and rejections whose details begin with the row's number, counted from 1. Reasons:
        `unreadable-row`, `not-an-object`, `ragged-row`, `repeated-id`, `missing-picture`,
        `path-only-image`, `unreadable-picture`, `empty-text`, `too-long-text`, `not-a-text`, `not-utf-8`,
        `control-character`, `reserved-token`, `repeated-options`, `answer-not-an-option`,
        `ambiguous-answer`.

    Raises:
        TableError: The table is missing, cannot be read, lacks a column or holds no row, or too many of its
            rows are refused.
    """
    columns = _settle(path, columns, ANSWERED_FIELDS if needs_answer else CHOICE_FIELDS)
    reader = _RowReader(
        columns, _Pictures(_folder(path, images)), _answer_form(path, columns.answer), needs_answer
    )
    examples, rejections = _each(path, columns, reader.example)
    check_share(str(path), len(examples) + len(rejections), rejections)
    return examples, rejections


def read_examples(path: Path, images: Path | None = None, columns: Columns | None = None) -> list[Example]:
    """Read a table that models are judged on: every row must hold, or the scores would not mean the table.

    Raises:
        TableError: A row cannot be used; the message names the first. Or see `read_table`.
    """
    examples, rejections = read_table(path, images, columns)
    if rejections:
        first = rejections[0]
        more = f" ({len(rejections)} such rows in all)" if len(rejections) > 1 else ""
        raise TableError(f"{path}: {first.detail}{more}; mend or remove it")
    return examples


def read_table_pictures(
    path: Path, images: Path | None = None, columns: Columns | None = None
) -> tuple[list[Picture], list[Rejection]]:
    """Read the pictures that a table names, each once, to be labelled.

    Reasons of rejections: those of `read_table`, and `repeated-picture`, which counts for no mistake.

    Raises:
        TableError: See `read_table`.
    """
    columns = _settle(path, columns, PICTURE_FIELDS)
    pictures = _Pictures(_folder(path, images))
    first: dict[bytes, str] = {}

    def make(row: Row, name: str) -> Picture:
        data = pictures.read(row.get(columns.image))
        original = first.setdefault(data, name)
        if original != name:
            raise RowRefused(REPEATED_PICTURE, f"shows the picture of {shown(original)}")
        category = read_text(row, columns.category, "category", MAX_ID_CHARACTERS)
        with _refusing_pictures():
            return outside_picture(data, name, category or STAGE)

    made, rejections = _each(path, columns, make)
    mistakes = [rejection for rejection in rejections if rejection.reason != REPEATED_PICTURE]
    check_share(str(path), len(made) + len(rejections), mistakes)
    return made, rejections


def table_digest(path: Path, images: Path | None = None, columns: Columns | None = None) -> str:
    """Digest of all that a table's rows are made of: its own bytes and those of every picture it names.

    Where the files lie does not enter; a picture that cannot be read does, as such.

    Raises:
        TableError: The table cannot be read, or a column cannot be found.
    """
    columns = _settle(path, columns, PICTURE_FIELDS)
    folder = _folder(path, images)
    content = {
        "table": file_digest(path),
        "columns": asdict(columns),
        "pictures": {
            ascii(name): picture_digest(folder, name)
            for name in _pictures_named(path, *version_of(path), columns.image)
        },
    }
    return content_digest(content)


@lru_cache
def _pictures_named(path: Path, size_bytes: int, modified_ns: int, column: str) -> list[str]:
    """Names of picture files, sorted; read once for as long as the table stays: it may hold gigabytes."""
    cells = (row.get(column) for row in _sound_rows(path, column))
    return sorted({cell.strip() for cell in cells if isinstance(cell, str)})


def questions_asked(path: Path, images: Path | None, columns: Columns) -> set[tuple[str, str]]:
    """Digest of the picture and the question of every row; no picture is decoded.

    Raises:
        TableError: The table cannot be read.
    """
    folder = _folder(path, images)
    asked: set[tuple[str, str]] = set()
    for row in _sound_rows(path, columns.image, columns.question):
        with suppress(RowRefused):  # told where the row is read
            picture = _in_cell(row.get(columns.image))
            digest = (
                picture_digest(folder, picture)
                if isinstance(picture, str)
                else hashlib.sha256(picture).hexdigest()
            )
            question = require_text(row, columns.question, "question", MAX_QUESTION_CHARACTERS)
            asked.add((digest, " ".join(question.casefold().split())))
    return asked


def _folder(path: Path, images: Path | None) -> Path:
    if images is not None and not images.is_dir():
        raise TableError(f"{images} is no folder; pictures of {path} are looked for there")
    return images or path.parent


def _settle(path: Path, columns: Columns | None, needs: Sequence[str]) -> Columns:
    """The columns that are meant, all of them in the table."""
    if columns is None:
        return find_columns(path, needs=needs)
    asked = needs if columns.has_options else [name for name in needs if name not in OPTION_FIELDS]
    return find_columns(path, asdict(columns), asked)


def _answer_form(path: Path, column: str) -> AnswerForm:
    if not column:
        return AnswerForm.of(())
    return AnswerForm.of(row.get(column) for row in _sound_rows(path, column))


def _sound_rows(path: Path, *columns: str) -> Iterator[Row]:
    return (row for row in raw_rows(path, columns) if not isinstance(row, Broken))


def _each(
    path: Path, columns: Columns, make: Callable[[Row, str], Made]
) -> tuple[list[Made], list[Rejection]]:
    made: list[Made] = []
    rejections: list[Rejection] = []
    seen: set[str] = set()
    needed = [name for name in asdict(columns).values() if name]
    for number, row in enumerate(raw_rows(path, needed), start=1):
        name = f"row-{number:06d}"
        try:
            if isinstance(row, Broken):
                raise RowRefused(row.reason, row.detail)
            name = read_text(row, columns.id, "id", MAX_ID_CHARACTERS) or name
            if name in seen:
                raise RowRefused("repeated-id", f"id {shown(name)} comes twice")
            seen.add(name)
            made.append(make(row, name))
        except RowRefused as refused:
            rejections.append(Rejection(name, STAGE, refused.reason, f"row {number}: {refused}"))
    return made, rejections


@dataclass(frozen=True)
class _RowReader:
    """Makes examples of the rows of one table."""

    columns: Columns
    pictures: "_Pictures"
    form: AnswerForm
    needs_answer: bool

    def example(self, row: Row, name: str) -> Example:
        columns = self.columns
        question = require_text(row, columns.question, "question", MAX_QUESTION_CHARACTERS)
        options = read_options(row, columns.options) if columns.has_options else ("", "", "", "")
        answer = self._answer(row, options)
        description = read_text(row, columns.description, "description", MAX_DESCRIPTION_CHARACTERS)
        labels = {
            field: read_text(row, getattr(columns, field), field, MAX_ID_CHARACTERS)
            for field in ("category", "kind", "group")
        }
        image = self.pictures.read(row.get(columns.image))
        picture_id = hashlib.sha256(image).hexdigest()[:_ID_HEX]
        a, b, c, d = options
        return Example(
            id=name,
            picture_id=picture_id,
            group=labels["group"] or picture_id,
            category=labels["category"],
            task="mcq" if columns.has_options else "vqa",
            image=image,
            description=description,
            question=question,
            a=a,
            b=b,
            c=c,
            d=d,
            answer=answer if columns.has_options else "",
            target=_option_text(options, answer) if columns.has_options else answer,
            scene="",
            kind=labels["kind"],
        )

    def _answer(self, row: Row, options: Sequence[str]) -> str:
        read = require_text if self.needs_answer else read_text
        answer = read(row, self.columns.answer, "answer", MAX_OPTION_CHARACTERS)
        if not answer or not self.columns.has_options:
            return answer
        return self.form.letter(answer, options)


def _option_text(options: Sequence[str], letter: str) -> str:
    return options[LETTERS.index(letter)] if letter in LETTERS else ""


class _Pictures:
    """The pictures of a table, each read and decoded once; equal ones are one object."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._named: dict[str, str | Broken] = {}  # name -> digest of the file, or why it is refused
        self._seen: dict[str, bytes | Broken] = {}  # digest -> upright bytes, or why they are refused
        self._bytes = 0

    def read(self, value: Any) -> bytes:
        """Encoded bytes of the picture that a cell holds or names, upright.

        Raises:
            RowRefused: `missing-picture`, `path-only-image` or `unreadable-picture`.
            TableError: The pictures of the table are larger than `MAX_PICTURES_BYTES` in all.
        """
        held = _in_cell(value)
        digest = self._keep(held) if isinstance(held, bytes) else self._find(held)
        return _unless_broken(self._seen[digest])

    def _find(self, name: str) -> str:
        """Digest of the file of that name."""
        if name not in self._named:
            try:
                self._named[name] = self._keep(_read_named(self._folder, name))
            except RowRefused as refused:
                self._named[name] = Broken(refused.reason, str(refused))
        return _unless_broken(self._named[name])

    def _keep(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._seen:
            self._seen[digest] = kept = _upright_or_broken(data)
            self._bytes += 0 if isinstance(kept, Broken) else len(kept)
        if self._bytes > MAX_PICTURES_BYTES:
            raise TableError(
                f"the pictures of the table have more than {MAX_PICTURES_BYTES >> 30} GiB; split the table"
            )
        return digest


def _unless_broken(found: Found | Broken) -> Found:
    if isinstance(found, Broken):
        raise RowRefused(found.reason, found.detail)
    return found


def _upright_or_broken(data: bytes) -> bytes | Broken:
    try:
        return upright(data, "the picture")
    except TableError as error:
        return Broken(UNREADABLE_PICTURE, str(error))


@contextmanager
def _refusing_pictures() -> Iterator[None]:
    try:
        yield
    except TableError as error:
        raise RowRefused(UNREADABLE_PICTURE, str(error)) from error


def _in_cell(value: Any) -> bytes | str:
    """Bytes of a picture, on its own or as Hugging Face's `Image` holds them; or the name of a file."""
    if isinstance(value, Mapping):
        held = value.get("bytes")
        if held is None and value.get("path"):
            raise RowRefused(
                "path-only-image", "the image holds a path and no bytes; paths of others are not opened"
            )
        value = held if isinstance(held, bytes) else b""
    if isinstance(value, bytes) and value:
        return value
    if isinstance(value, str) and value.strip():
        return value.strip()
    if value is None or isinstance(value, bytes | str | float):  # a gap in a column of numbers is a float
        raise RowRefused("missing-picture", "there is no picture")
    raise RowRefused(UNREADABLE_PICTURE, f"the image is a {type(value).__name__}, no bytes and no path")


def _read_named(folder: Path, name: str) -> bytes:
    if len(name) > MAX_NAME_CHARACTERS:
        raise RowRefused(UNREADABLE_PICTURE, f"a picture's name has {len(name):,} characters")
    with _refusing_pictures():
        return read_below(folder, name)
