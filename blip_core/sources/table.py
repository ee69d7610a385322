"""Tables of one's own: CSV, TSV, JSONL, Parquet or a dataset's folder, with pictures, questions and options.

Which column is what is guessed from common names, or told (`columns`). A row that cannot be used is refused
with a reason and its number, and the next one is read; where more than `MAX_REFUSED_SHARE` of the rows are
refused, something is wrong with the table as a whole, and it is.

A picture stands in its cell, as bytes, in base64 or as Hugging Face's `Image` with bytes, or is named by a
path below the folder of pictures; nothing outside that folder is opened. Beside pictures in base64 a cell may
hold the id of an earlier row, whose picture is meant, as in the tables of the field's evaluation kits.

A row has two to ten options. An answer is a letter (in any case, also "(b)"), the text of an option, or a
number where all answers of the table are numbers and tell where they start: of four options, a 0 among them
and no 4 means 0 to 3, a 4 and no 0 means 1 to 4; where rows have more, the largest count stands for the 4.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from blip_core.errors import TableError
from blip_core.images import decoding_key
from blip_core.recipes.evaluation import TableEvaluation
from blip_core.recipes.source import TableSource
from blip_core.records import LETTERS, OPTION_LETTERS, Example, Picture, Rejection
from blip_core.sources.cells import (
    MAX_DESCRIPTION_CHARACTERS,
    MAX_ID_CHARACTERS,
    MAX_OPTION_CHARACTERS,
    MAX_QUESTION_CHARACTERS,
    AnswerForm,
    RowRefused,
    count_options,
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
from blip_core.sources.digests import content_digest, picture_digest, table_file_digest, version_of
from blip_core.sources.pictures import outside_picture
from blip_core.sources.share import check_share
from blip_core.sources.table_pictures import TablePictures, picture_in_cell, refusing_pictures
from blip_core.sources.tabular import Broken, column_names, raw_rows

STAGE = "table"
MAX_PICTURES_BYTES = 4 * 1024**3  # of one table: its pictures are held in memory
REPEATED_PICTURE = "repeated-picture"

_LATER_FIELDS = "fghijk"  # of options; tables were once read without them
_ID_HEX = 16  # of a picture's sha256: enough to tell the pictures of one table apart

Row = Mapping[str, Any]


class TableFiles(NamedTuple):
    """Where a table and its pictures lie, and which column is what: the arguments of `read_table`."""

    path: Path
    images: Path | None
    columns: Columns


Made = TypeVar("Made")


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
        path: ends in .csv, .tsv, .jsonl or .parquet, or is a folder that `datasets` wrote.
        images: folder that picture paths start at; the table's own when absent.
        columns: which column is what; guessed when absent.
        needs_answer: whether a row without an answer is refused.

    Returns:
        Examples, and rejections whose details begin with the row's number, counted from 1. Reasons:
        `unreadable-row`, `not-an-object`, `ragged-row`, `repeated-id`, `missing-picture`,
        `path-only-image`, `unreadable-picture`, `empty-text`, `too-long-text`, `not-a-text`, `not-utf-8`,
        `control-character`, `reserved-token`, `repeated-options`, `too-many-options`,
        `answer-not-an-option`, `ambiguous-answer`.

    Raises:
        TableError: The table is missing, cannot be read, lacks a column or holds no row, or too many of its
            rows are refused.
    """
    examples: list[Example] = []
    rejections: list[Rejection] = []
    held: dict[bytes, bytes] = {}  # equal pictures are one object
    room = MAX_PICTURES_BYTES
    for row in iter_table(path, images, columns, needs_answer):
        if isinstance(row, Rejection):
            rejections.append(row)
            continue
        room -= 0 if row.image in held else len(row.image)
        if room < 0:
            raise TableError(
                f"the pictures of {path} have more than {MAX_PICTURES_BYTES >> 30} GiB; split the table"
            )
        examples.append(replace(row, image=held.setdefault(row.image, row.image)))
    check_share(str(path), len(examples) + len(rejections), rejections)
    return examples, rejections


def iter_table(
    path: Path, images: Path | None = None, columns: Columns | None = None, needs_answer: bool = True
) -> Iterator[Example | Rejection]:
    """The rows of a table one by one, in its order: each an example, or why it cannot be used.

    Memory stays flat however many rows there are; whoever asks decides how many may be refused. See
    `read_table`.
    """
    columns = _settle(path, columns, ANSWERED_FIELDS if needs_answer else CHOICE_FIELDS)
    form = _answer_form(path, columns)
    with TablePictures(_folder(path, images)) as pictures:
        yield from _each(path, columns, _RowReader(columns, pictures, form, needs_answer).example)


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
    first: dict[bytes, str] = {}

    def make(row: Row, name: str) -> Picture:
        data = pictures.read(row.get(columns.image), name)
        original = first.setdefault(data, name)
        if original != name:
            raise RowRefused(REPEATED_PICTURE, f"shows the picture of {shown(original)}")
        category = read_text(row, columns.category, "category", MAX_ID_CHARACTERS)
        with refusing_pictures():
            return outside_picture(data, name, category or STAGE)

    with TablePictures(_folder(path, images)) as pictures:
        rows = list(_each(path, columns, make))
    made = [row for row in rows if not isinstance(row, Rejection)]
    rejections = [row for row in rows if isinstance(row, Rejection)]
    mistakes = [rejection for rejection in rejections if rejection.reason != REPEATED_PICTURE]
    check_share(str(path), len(made) + len(rejections), mistakes)
    return made, rejections


def table_digest(path: Path, images: Path | None = None, columns: Columns | None = None) -> str:
    """Digest of all that a table's rows are made of: its bytes, those of every picture, what decodes them.

    Where the files lie does not enter; a picture that cannot be read does, as such.

    Raises:
        TableError: The table cannot be read, or a column cannot be found.
    """
    columns = _settle(path, columns, PICTURE_FIELDS)
    folder = _folder(path, images)
    content = {
        "table": table_file_digest(path),
        "columns": _columns_told(columns),
        "decoding": decoding_key(),
        "pictures": {
            ascii(name): picture_digest(folder, name)
            for name in _pictures_named(path, *version_of(path), columns.image)
        },
    }
    return content_digest(content)


def _columns_told(columns: Columns) -> dict[str, str]:
    """All fields; without an option E those up to it alone, so that such tables keep the digests they had."""
    told = asdict(columns)
    return told if columns.e else {field: name for field, name in told.items() if field not in _LATER_FIELDS}


@lru_cache
def _pictures_named(path: Path, size_bytes: int, modified_ns: int, column: str) -> list[str]:
    """Names of picture files, sorted; read once for as long as the table stays: it may hold gigabytes."""
    names = set()
    for row in _sound_rows(path, column):
        with suppress(RowRefused):  # told where the row is read
            held = picture_in_cell(row.get(column))
            names |= {held} if isinstance(held, str) else set()
    return sorted(names)


def questions_asked(path: Path, images: Path | None, columns: Columns) -> set[tuple[str, str]]:
    """Digest of the picture and the question of every row; no picture is decoded.

    Raises:
        TableError: The table cannot be read.
    """
    folder = _folder(path, images)
    asked: set[tuple[str, str]] = set()
    written: dict[str, str] = {}  # row -> digest, of pictures in base64
    for row in _sound_rows(path, columns.id, columns.image, columns.question):
        with suppress(RowRefused):  # told where the row is read
            cell = row.get(columns.image)
            picture = picture_in_cell(cell)
            if isinstance(picture, bytes):
                digest = hashlib.sha256(picture).hexdigest()
            else:
                digest = written.get(picture) or picture_digest(folder, picture)
            if isinstance(cell, str) and isinstance(picture, bytes):
                written[read_text(row, columns.id, "id", MAX_ID_CHARACTERS)] = digest
            question = require_text(row, columns.question, "question", MAX_QUESTION_CHARACTERS)
            asked.add((digest, " ".join(question.casefold().split())))
    return asked


def _folder(path: Path, images: Path | None) -> Path:
    if images is not None and not images.is_dir():
        raise TableError(f"{images} is no folder; pictures of {path} are looked for there")
    return images or (path if path.is_dir() else path.parent)


def _settle(path: Path, columns: Columns | None, needs: Sequence[str]) -> Columns:
    """The columns that are meant, all of them in the table."""
    if columns is None:
        return find_columns(path, needs=needs)
    asked = needs if columns.has_options else [name for name in needs if name not in OPTION_FIELDS]
    return find_columns(path, asdict(columns), asked)


def _answer_form(path: Path, columns: Columns) -> AnswerForm:
    if not columns.answer:
        return AnswerForm.of(())
    answers = (row.get(columns.answer) for row in _sound_rows(path, columns.answer))
    return AnswerForm.of(answers, _most_options(path, columns))


def _most_options(path: Path, columns: Columns) -> int:
    """How many options a row has at most, four at least; columns that no row fills do not count."""
    names = columns.options
    if len(names) == len(LETTERS):
        return len(LETTERS)
    most = max((count_options(row, names) for row in _sound_rows(path, *names)), default=0)
    return max(most, len(LETTERS))


def _sound_rows(path: Path, *columns: str) -> Iterator[Row]:
    return (row for row in raw_rows(path, [name for name in columns if name]) if not isinstance(row, Broken))


def _each(path: Path, columns: Columns, make: Callable[[Row, str], Made]) -> Iterator[Made | Rejection]:
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
            yield make(row, name)
        except RowRefused as refused:
            yield Rejection(name, STAGE, refused.reason, f"row {number}: {refused}")


@dataclass(frozen=True)
class _RowReader:
    """Makes examples of the rows of one table."""

    columns: Columns
    pictures: TablePictures
    form: AnswerForm
    needs_answer: bool

    def example(self, row: Row, name: str) -> Example:
        columns = self.columns
        question = require_text(row, columns.question, "question", MAX_QUESTION_CHARACTERS)
        options = read_options(row, columns.options, columns.k) if columns.has_options else ("", "", "", "")
        answer = self._answer(row, options)
        description = read_text(row, columns.description, "description", MAX_DESCRIPTION_CHARACTERS)
        labels = {
            field: read_text(row, getattr(columns, field), field, MAX_ID_CHARACTERS)
            for field in ("category", "kind", "group")
        }
        image = self.pictures.read(row.get(columns.image), name)
        picture_id = hashlib.sha256(image).hexdigest()[:_ID_HEX]
        a, b, c, d, *more = options
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
            more=tuple(more),
        )

    def _answer(self, row: Row, options: Sequence[str]) -> str:
        read = require_text if self.needs_answer else read_text
        answer = read(row, self.columns.answer, "answer", MAX_OPTION_CHARACTERS)
        if not answer or not self.columns.has_options:
            return answer
        return self.form.letter(answer, options)


def _option_text(options: Sequence[str], letter: str) -> str:
    return options[OPTION_LETTERS.index(letter)] if letter in OPTION_LETTERS else ""
