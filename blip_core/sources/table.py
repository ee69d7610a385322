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

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from blip_core.errors import TableError
from blip_core.recipes.columns import AnswersRead
from blip_core.records import Example, Picture, Rejection
from blip_core.sources.cells import (
    MAX_ID_CHARACTERS,
    RowRefused,
    read_text,
    shown,
)
from blip_core.sources.columns import (
    Columns,
)
from blip_core.sources.counted import Opened, table_content
from blip_core.sources.opening import TableInput
from blip_core.sources.pictures import outside_picture
from blip_core.sources.share import check_share
from blip_core.sources.table_pictures import TablePictures, refusing_pictures
from blip_core.sources.table_rows import STAGE, RowReader, each_row
from blip_core.sources.table_view import (
    answer_reading,
    pictures_folder,
    settle_columns,
    settle_picture_columns,
)

MAX_PICTURES_BYTES = 4 * 1024**3  # of one table: its pictures are held in memory
REPEATED_PICTURE = "repeated-picture"

Row = Mapping[str, Any]


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
    columns = settle_columns(path, columns, encoding, needs_answer)
    reading = answer_reading(path, columns, answers, encoding, needs_answer)
    folder, opened = pictures_folder(path, images), Opened()
    table = TableInput(path, encoding, opened.files)
    with TablePictures(folder, flags, opened.pictures) as pictures:
        make = RowReader(columns, pictures, reading, needs_answer).example
        yield from each_row(table, columns, make, opened)
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
    columns = settle_picture_columns(path, columns, encoding)
    folder, opened = pictures_folder(path, images), Opened()
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
        rows = list(each_row(table, columns, make, opened))
    table_content(table, folder, columns.image).check(table, opened)
    made = [row for row in rows if not isinstance(row, Rejection)]
    rejections = [row for row in rows if isinstance(row, Rejection)]
    mistakes = [rejection for rejection in rejections if rejection.reason != REPEATED_PICTURE]
    check_share(str(path), len(made) + len(rejections), mistakes)
    return made, rejections
