"""What a table is taken for: which column is what, and how its answers are read.

What an answer means is told from all answers of the table (`answers`) or said by whoever hands it in.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from blip_core.errors import TableError
from blip_core.kinds import Kind
from blip_core.recipes.columns import AnswersRead
from blip_core.recipes.evaluation import TableEvaluation
from blip_core.recipes.source import TableSource
from blip_core.sources.answers import Answer, AnswerReading, settle_reading
from blip_core.sources.cells import (
    RowRefused,
    is_absent,
    is_missing,
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
from blip_core.sources.forms import answer_text
from blip_core.sources.free_texts import is_untold
from blip_core.sources.opening import TableInput
from blip_core.sources.options import read_options
from blip_core.sources.tabular import (
    Broken,
    TableFacts,
    column_names,
    column_types,
    raw_rows,
    table_facts,
)
from blip_core.sources.unchanged import while_unchanged

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
        for cell in (row.get(columns.context) for row in sound_rows(table, columns.context))
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
    return sum(1 for row in sound_rows(table, column) if not is_untold(row.get(column)))


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


def pictures_folder(path: Path, images: Path | None) -> Path:
    if images is not None and not images.is_dir():
        raise TableError(f"{images} is no folder; pictures of {path} are looked for there")
    return images or (path if path.is_dir() else path.parent)


def settle_columns(path: Path, columns: Columns | None, encoding: str, needs_answer: bool) -> Columns:
    """The columns that rows are made of, all of them in the table; those of options where nobody says."""
    if columns is None:
        needs = ANSWERED_FIELDS if needs_answer else CHOICE_FIELDS
        return find_columns(path, needs=needs, encoding=encoding)
    return find_columns(path, columns.given(), columns.needed(needs_answer), encoding)


def settle_picture_columns(path: Path, columns: Columns | None, encoding: str) -> Columns:
    """The columns that are meant, that of pictures in the table."""
    given = columns.given() if columns else None
    return find_columns(path, given, PICTURE_FIELDS, encoding)


def sound_rows(table: TableInput, *columns: str) -> Iterator[Row]:
    return (row for row in raw_rows(table, [name for name in columns if name]) if not isinstance(row, Broken))
