"""Tables of one's own: CSV, TSV, JSONL, Parquet or a dataset's folder, with pictures, questions and options.

Which column is what is guessed from common names, or told (`columns`). A row that cannot be used is refused
with a reason and its number, and the next one is read; where more than `MAX_REFUSED_SHARE` of the rows are
refused, something is wrong with the table as a whole, and it is.

A picture stands in its cell, as bytes, in base64 or as Hugging Face's `Image` with bytes, or is named by a
path below the folder of pictures; nothing outside that folder is opened. Beside pictures in base64 a cell may
hold the id of an earlier row, whose picture is meant, as in the tables of the field's evaluation kits.

A row has two to ten options, in a column each or in one that lists them. What its answer means is told from
all answers of the table (`answers`) or said by whoever hands it in.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from blip_core.errors import TableError
from blip_core.images import decoding_key
from blip_core.kinds import Kind
from blip_core.recipes.columns import AnswersRead
from blip_core.recipes.evaluation import TableEvaluation
from blip_core.recipes.source import TableSource
from blip_core.records import OPTION_LETTERS, Example, Picture, Rejection
from blip_core.sources.answers import Answer, AnswerReading, settle_reading
from blip_core.sources.cells import (
    MAX_CONTEXT_CHARACTERS,
    MAX_DESCRIPTION_CHARACTERS,
    MAX_ID_CHARACTERS,
    MAX_QUESTION_CHARACTERS,
    RowRefused,
    is_absent,
    is_missing,
    read_text,
    require_text,
    shown,
)
from blip_core.sources.columns import (
    ANSWERED_FIELDS,
    CHOICE_FIELDS,
    PASSED_OVER,
    PICTURE_FIELDS,
    Columns,
    guess_columns,
    plain_name,
)
from blip_core.sources.counted import Opened, table_content
from blip_core.sources.digests import content_digest, picture_digest
from blip_core.sources.forms import answer_text
from blip_core.sources.free_texts import agreed, is_untold, read_told
from blip_core.sources.opening import TableInput
from blip_core.sources.options import Options, read_options
from blip_core.sources.pictures import outside_picture
from blip_core.sources.share import check_share
from blip_core.sources.table_pictures import TablePictures, picture_in_cell, refusing_pictures
from blip_core.sources.tabular import (
    Broken,
    TableFacts,
    column_names,
    column_types,
    raw_rows,
    table_facts,
)
from blip_core.sources.unchanged import while_unchanged
from blip_core.texts import exact

STAGE = "table"
MAX_PICTURES_BYTES = 4 * 1024**3  # of one table: its pictures are held in memory
REPEATED_PICTURE = "repeated-picture"

READER_VERSION = 2  # of what rows mean: raised where the same table would make other examples
TEXTS_VERSION = 2  # the same of tables whose answers are texts: a cell may hold several
_ID_HEX = 16  # of a picture's sha256: enough to tell the pictures of one table apart

_NO_OPTIONS = Options(("", "", "", ""))

Row = Mapping[str, Any]


class TableFiles(NamedTuple):
    """Where a table and its pictures lie, which column is what, and how answers and its text are said to be
    read: the arguments of `read_table`.
    """

    path: Path
    images: Path | None
    columns: Columns
    answers: AnswersRead = ""
    encoding: str = ""


class TableView(NamedTuple):
    """What a table is taken for: how it is written, which column is what, how answers are read, which columns
    are nothing, and whether a row has a context.
    """

    facts: TableFacts
    columns: Columns
    reading: AnswerReading
    unused: list[str]
    has_context: bool

    def describe(self) -> tuple[str, str, str, list[str]]:
        """For people: how it is written, which column is what, how answers are read, and unused columns."""
        return self.facts.describe(), self.columns.describe(), self.reading.describe(), self.unused


Made = TypeVar("Made")


def find_columns(
    path: Path,
    given: Mapping[str, str] | None = None,
    needs: Sequence[str] = CHOICE_FIELDS,
    encoding: str = "",
    passes_over: Collection[str] = PASSED_OVER,
) -> Columns:
    """The columns of a table, told or guessed; see `guess_columns`.

    Raises:
        TableError: The table cannot be read, or a column cannot be found.
    """
    names = column_names(TableInput(path, encoding))
    try:
        return guess_columns(names, given or {}, needs, passes_over)
    except TableError as error:
        raise TableError(f"{path}: {error}") from error


def table_files(
    settings: TableSource | TableEvaluation,
    needs: Sequence[str] = CHOICE_FIELDS,
    passes_over: Collection[str] = PASSED_OVER,
) -> TableFiles:
    """The table that a recipe names.

    Raises:
        TableError: See `find_columns`.
    """
    path = Path(settings.path).expanduser()
    images = Path(settings.images).expanduser() if settings.images else None
    columns = find_columns(path, settings.columns.given(), needs, settings.encoding, passes_over)
    return TableFiles(path, images, columns, settings.answers, settings.encoding)


def files_of_kind(settings: TableSource | TableEvaluation, kind: Kind) -> TableFiles:
    """The table that a recipe names, of rows of a kind that teach or judge.

    Raises:
        TableError: See `find_columns`.
    """
    return table_files(settings, kind.columns_needed(), kind.passes_over)


def look_at(
    path: Path,
    given: Mapping[str, str] | None = None,
    answers: AnswersRead = "",
    needs: Sequence[str] = CHOICE_FIELDS,
    encoding: str = "",
    passes_over: Collection[str] = PASSED_OVER,
) -> TableView:
    """What a table is taken for, from its columns and all of its answers; no picture is opened.

    Raises:
        TableError: See `find_columns` and `answer_reading`.
    """
    table = TableInput(path, encoding)
    columns = find_columns(path, given, needs, encoding, passes_over)
    reading = answer_reading(path, columns, answers, encoding)
    has_context = columns.context and any(
        not is_absent(cell) and not is_missing(str(cell).strip())
        for cell in (row.get(columns.context) for row in _sound_rows(table, columns.context))
    )
    return TableView(
        table_facts(table), columns, reading, columns.unused(column_names(table)), bool(has_context)
    )


def answer_reading(
    path: Path, columns: Columns, answers: AnswersRead = "", encoding: str = "", needs_answer: bool = False
) -> AnswerReading:
    """How the answers of a table are read, told from all of them; see `settle_reading`.

    Raises:
        TableError: The table cannot be read, its answers can be read in two ways, or all of them are kept
            back where they are needed.
    """
    try:
        table = TableInput(path, encoding)
        reading = _reading_unchanged(table.base, path, encoding, columns, answers)
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror}") from error
    if needs_answer and reading.way == "free texts" and not reading.known:
        raise TableError(
            f"{path}: the column {columns.told!r} is empty in every row, and it should hold what is "
            f"right; fill it, or name another: --column {columns.told_field}=NAME"
        )
    if needs_answer and reading.way == "none" and reading.hidden:
        raise TableError(
            f"{path}: its answers are {reading.describe()}. It can be answered (foundry predict), but "
            "neither teach nor judge"
        )
    return reading


def read_table(
    path: Path,
    images: Path | None = None,
    columns: Columns | None = None,
    answers: AnswersRead = "",
    encoding: str = "",
    needs_answer: bool = True,
    flags: dict[str, str] | None = None,
) -> tuple[list[Example], list[Rejection]]:
    """Read the examples of a table, in its order.

    Questions about one picture share `picture_id` and `group`. Without columns for options, which somebody
    has to say (`columns`), answers are free texts; without one for questions, pictures have captions.

    Args:
        path: a file in one of the known formats, or a folder that `datasets` wrote.
        images: folder that picture paths start at; the table's own when absent.
        columns: which column is what; guessed when absent.
        answers: how answers are said to be read; empty, all of them together tell.
        encoding: of its text, as somebody says it; empty, it is found out.
        needs_answer: whether a row without an answer is refused.
        flags: receives, by id, slugs of what is odd about a row's picture: `first-of-several` (a frame of an
            animation, a page of a scan).

    Returns:
        Examples, and rejections whose details begin with the row's number, counted from 1. Reasons:
        `unreadable-row`, `not-an-object`, `ragged-row`, `repeated-id`, `missing-picture`, `several-pictures`,
        `path-only-image`, `unreadable-picture`, `empty-text`, `too-long-text`, `not-a-text`,
        `not-a-number`, `not-utf-8`, `control-character`, `reserved-token`, `repeated-options`,
        `too-many-options`, `unreadable-options`,
        `answer-not-an-option`, `ambiguous-answer`, `contradicting-answer`, `several-answers`,
        `hidden-answer`.

    Raises:
        TableError: The table is missing, cannot be read, lacks a column or holds no row, its answers can be
            read in two ways, or too many of its rows are refused.
    """
    examples: list[Example] = []
    rejections: list[Rejection] = []
    held: dict[bytes, bytes] = {}  # equal pictures are one object
    room = MAX_PICTURES_BYTES
    for row in iter_table(path, images, columns, answers, encoding, needs_answer, flags):
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
    path: Path,
    images: Path | None = None,
    columns: Columns | None = None,
    answers: AnswersRead = "",
    encoding: str = "",
    needs_answer: bool = True,
    flags: dict[str, str] | None = None,
) -> Iterator[Example | Rejection]:
    """The rows of a table one by one, in its order: each an example, or why it cannot be used.

    Memory stays flat however many rows there are; whoever asks decides how many may be refused. See
    `read_table`.

    Raises:
        TableError: See `read_table`; or, after the last row, the table changed while it was read.
    """
    columns = _settle(path, columns, encoding, needs_answer)
    reading = answer_reading(path, columns, answers, encoding, needs_answer)
    folder, opened = _folder(path, images), Opened()
    table = TableInput(path, encoding, opened.files)
    with TablePictures(folder, flags, opened.pictures) as pictures:
        make = _RowReader(columns, pictures, reading, needs_answer).example
        yield from _each(table, columns, make, opened)
    table_content(table, folder, columns.image).check(table, opened)


def read_examples(
    path: Path,
    images: Path | None = None,
    columns: Columns | None = None,
    answers: AnswersRead = "",
    encoding: str = "",
) -> list[Example]:
    """Read a table that models are judged on: every row must hold, or the scores would not mean the table.

    Raises:
        TableError: A row cannot be used; the message names the first. Or see `read_table`.
    """
    examples, rejections = read_table(path, images, columns, answers, encoding)
    if rejections:
        first = rejections[0]
        more = f" ({len(rejections)} such rows in all)" if len(rejections) > 1 else ""
        raise TableError(f"{path}: {first.detail}{more}; mend or remove it")
    return examples


def read_table_pictures(
    path: Path,
    images: Path | None = None,
    columns: Columns | None = None,
    answers: AnswersRead = "",
    encoding: str = "",
    flags: dict[str, str] | None = None,
) -> tuple[list[Picture], list[Rejection]]:
    """Read the pictures that a table names, each once, to be labelled.

    Reasons of rejections: those of `read_table`, and `repeated-picture`, which counts for no mistake. For
    `flags` see `read_table`.

    Raises:
        TableError: See `read_table`.
    """
    del answers  # nothing is asked here
    columns = _settle_pictures(path, columns, encoding)
    folder, opened = _folder(path, images), Opened()
    table = TableInput(path, encoding, opened.files)
    first: dict[bytes, str] = {}

    def make(row: Row, name: str) -> Picture:
        data = pictures.read(row.get(columns.image), name)
        original = first.setdefault(data, name)
        if original != name:
            raise RowRefused(REPEATED_PICTURE, f"shows the picture of {shown(original)}")
        category = read_text(row, columns.category, "category", MAX_ID_CHARACTERS)
        with refusing_pictures():
            return outside_picture(data, name, category or STAGE)

    with TablePictures(folder, flags, opened.pictures) as pictures:
        rows = list(_each(table, columns, make, opened))
    table_content(table, folder, columns.image).check(table, opened)
    made = [row for row in rows if not isinstance(row, Rejection)]
    rejections = [row for row in rows if isinstance(row, Rejection)]
    mistakes = [rejection for rejection in rejections if rejection.reason != REPEATED_PICTURE]
    check_share(str(path), len(made) + len(rejections), mistakes)
    return made, rejections


def table_digest(
    path: Path,
    images: Path | None = None,
    columns: Columns | None = None,
    answers: AnswersRead = "",
    encoding: str = "",
) -> str:
    """Digest of all that rows are made of: the table, every picture it names, and how both are read.

    Where the files lie does not enter; a picture that cannot be read does, as such.

    Raises:
        TableError: The table cannot be read, or a column cannot be found.
    """
    columns = _settle_pictures(path, columns, encoding)
    table = TableInput(path, encoding)
    content = table_content(table, _folder(path, images), columns.image)
    facts = table_facts(table)
    return content_digest(
        {
            "reader": READER_VERSION,
            "answers": answers,
            **({} if columns.has_options or not columns.told else {"texts": TEXTS_VERSION}),
            "form": [facts.form, facts.encoding, facts.delimiter],
            "table": {ascii(name): digest for name, digest in content.files.items()},
            "columns": {field: name for field, name in asdict(columns).items() if name},
            "decoding": decoding_key(),
            "pictures": {ascii(name): digest for name, digest in content.pictures.items()},
        }
    )


@while_unchanged
def _reading_unchanged(
    base: Path, path: Path, encoding: str, columns: Columns, answers: AnswersRead
) -> AnswerReading:
    """Told once for as long as the table stays: every row is looked at."""
    names = {plain_name(name): place for place, name in enumerate(columns.places) if name}
    if not columns.told:
        return AnswerReading("none", names)
    table = TableInput(path, encoding)
    if not columns.has_options:
        return AnswerReading("free texts", names, _texts_told(table, columns.told))
    try:
        kind = column_types(table)[columns.answer]
        return settle_reading(_answers(table, columns), columns.answer, names, answers, kind.is_nameless)
    except TableError as error:
        raise TableError(f"{path}: {error}") from error


def _texts_told(table: TableInput, column: str) -> int:
    """Rows that hold a text in a column."""
    return sum(1 for row in _sound_rows(table, column) if not is_untold(row.get(column)))


def _answers(table: TableInput, columns: Columns) -> Iterator[Answer]:
    """The answers of all rows whose answer and options can be read."""
    needed = [name for name in (columns.answer, columns.options, columns.k, *columns.places) if name]
    for number, row in enumerate(raw_rows(table, needed), start=1):
        if isinstance(row, Broken):
            continue
        with suppress(RowRefused):  # told where the row is read
            answer = answer_text(row.get(columns.answer))
            if answer:
                yield Answer(number, answer, read_options(row, columns))


def questions_asked(
    path: Path, images: Path | None, columns: Columns, answers: AnswersRead = "", encoding: str = ""
) -> set[tuple[str, str, str]]:
    """Digest of the picture, the question and the context of every row; no picture is decoded.

    Raises:
        TableError: The table cannot be read.
    """
    del answers  # a question is the same whatever answers it
    folder = _folder(path, images)
    asked: set[tuple[str, str, str]] = set()
    written: dict[str, str] = {}  # row -> digest, of pictures in base64
    table = TableInput(path, encoding)
    for row in _sound_rows(table, columns.id, columns.image, columns.question, columns.context):
        with suppress(RowRefused):  # told where the row is read
            cell = row.get(columns.image)
            picture = picture_in_cell(cell)
            if isinstance(picture, bytes):
                digest = hashlib.sha256(picture).hexdigest()
            else:
                digest = written.get(picture) or picture_digest(folder, picture)
            if isinstance(cell, str) and isinstance(picture, bytes):
                written[read_text(row, columns.id, "id", MAX_ID_CHARACTERS)] = digest
            question = _asked(row, columns)
            context = _read_context(row, columns)
            asked.add((digest, exact(question), exact(context)))
    return asked


def _folder(path: Path, images: Path | None) -> Path:
    if images is not None and not images.is_dir():
        raise TableError(f"{images} is no folder; pictures of {path} are looked for there")
    return images or (path if path.is_dir() else path.parent)


def _settle(path: Path, columns: Columns | None, encoding: str, needs_answer: bool) -> Columns:
    """The columns that rows are made of, all of them in the table; those of options where nobody says."""
    if columns is None:
        needs = ANSWERED_FIELDS if needs_answer else CHOICE_FIELDS
        return find_columns(path, needs=needs, encoding=encoding)
    return find_columns(path, asdict(columns), columns.needed(needs_answer), encoding)


def _settle_pictures(path: Path, columns: Columns | None, encoding: str) -> Columns:
    """The columns that are meant, that of pictures in the table."""
    given = asdict(columns) if columns else None
    return find_columns(path, given, PICTURE_FIELDS, encoding)


def _sound_rows(table: TableInput, *columns: str) -> Iterator[Row]:
    return (row for row in raw_rows(table, [name for name in columns if name]) if not isinstance(row, Broken))


def _each(
    table: TableInput, columns: Columns, make: Callable[[Row, str], Made], opened: Opened
) -> Iterator[Made | Rejection]:
    seen: set[str] = set()
    needed = [name for name in asdict(columns).values() if name]
    for number, row in enumerate(raw_rows(table, needed), start=1):
        opened.rows = number
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
    reading: AnswerReading
    needs_answer: bool

    def example(self, row: Row, name: str) -> Example:
        columns = self.columns
        question = _asked(row, columns)
        context = _read_context(row, columns)
        options = read_options(row, columns) if columns.has_options else _NO_OPTIONS
        told = self._told(row)
        answer = self._letter(row, options) if columns.has_options else agreed(told)
        description = read_text(row, columns.description, "description", MAX_DESCRIPTION_CHARACTERS)
        labels = {
            field: read_text(row, getattr(columns, field), field, MAX_ID_CHARACTERS)
            for field in ("category", "kind", "group")
        }
        image = self.pictures.read(row.get(columns.image), name)
        picture_id = hashlib.sha256(image).hexdigest()[:_ID_HEX]
        a, b, c, d, *more = options.texts
        return Example(
            id=name,
            picture_id=picture_id,
            group=labels["group"] or picture_id,
            category=labels["category"],
            task=columns.task,
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
            context=context,
            references=tuple(told) if len(told) > 1 else (),
        )

    def _told(self, row: Row) -> list[str]:
        """What is right, in words, as often as people said it; none where options are chosen from."""
        if self.columns.has_options:
            return []
        return read_told(row.get(self.columns.told), self.columns.told_field, self.needs_answer)

    def _letter(self, row: Row, options: Options) -> str:
        """The right letter; empty where there is none and none is needed."""
        said = answer_text(row.get(self.columns.answer)) if self.columns.answer else ""
        letter = self.reading.letter(said, options) if said else ""
        if self.needs_answer and not letter:
            raise RowRefused("hidden-answer" if said else "empty-text", f"answer {shown(said)} is none")
        return letter


def _asked(row: Row, columns: Columns) -> str:
    """What is asked; nothing where the table has no column for it, as one of captions."""
    if not columns.question:
        return ""
    return require_text(row, columns.question, "question", MAX_QUESTION_CHARACTERS)


def _read_context(row: Row, columns: Columns) -> str:
    text = read_text(row, columns.context, "context", MAX_CONTEXT_CHARACTERS)
    return "" if is_missing(text) else text


def _option_text(options: Options, letter: str) -> str:
    return options.texts[OPTION_LETTERS.index(letter)] if letter in OPTION_LETTERS else ""
