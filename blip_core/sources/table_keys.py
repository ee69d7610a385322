"""What a table holds, as digests: the key of all that is made of it, and of the questions it asks."""

import hashlib
from contextlib import suppress
from pathlib import Path

from blip_core.images import decoding_key
from blip_core.recipes.columns import AnswersRead
from blip_core.sources.cells import (
    MAX_ID_CHARACTERS,
    RowRefused,
    read_text,
)
from blip_core.sources.columns import (
    Columns,
)
from blip_core.sources.counted import table_content
from blip_core.sources.digests import content_digest, picture_digest
from blip_core.sources.opening import TableInput
from blip_core.sources.table_pictures import picture_in_cell
from blip_core.sources.table_rows import asked_text, context_text
from blip_core.sources.table_view import pictures_folder, settle_picture_columns, sound_rows
from blip_core.sources.tabular import (
    table_facts,
)
from blip_core.texts import exact

READER_VERSION = 2  # of what rows mean: raised where the same table would make other examples
TEXTS_VERSION = 2  # the same of tables whose answers are texts: a cell may hold several


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
    columns = settle_picture_columns(path, columns, encoding)
    table = TableInput(path, encoding)
    content = table_content(table, pictures_folder(path, images), columns.image)
    facts = table_facts(table)
    return content_digest(
        {
            "reader": READER_VERSION,
            "answers": answers,
            **({} if columns.has_options or not columns.told else {"texts": TEXTS_VERSION}),
            "form": [facts.form, facts.encoding, facts.delimiter],
            "table": {ascii(name): digest for name, digest in content.files.items()},
            "columns": columns.named,
            "decoding": decoding_key(),
            "pictures": {ascii(name): digest for name, digest in content.pictures.items()},
        }
    )


def questions_asked(
    path: Path, images: Path | None, columns: Columns, answers: AnswersRead = "", encoding: str = ""
) -> set[tuple[str, str, str]]:
    """Digest of the picture, the question and the context of every row; no picture is decoded.

    Raises:
        TableError: The table cannot be read.
    """
    del answers  # a question is the same whatever answers it
    folder = pictures_folder(path, images)
    asked: set[tuple[str, str, str]] = set()
    written: dict[str, str] = {}  # row -> digest, of pictures in base64
    table = TableInput(path, encoding)
    for row in sound_rows(table, columns.id, columns.image, columns.question, columns.context):
        with suppress(RowRefused):  # told where the row is read
            cell = row.get(columns.image)
            picture = picture_in_cell(cell)
            if isinstance(picture, bytes):
                digest = hashlib.sha256(picture).hexdigest()
            else:
                digest = written.get(picture) or picture_digest(folder, picture)
            if isinstance(cell, str) and isinstance(picture, bytes):
                written[read_text(row, columns.id, "id", MAX_ID_CHARACTERS)] = digest
            question = asked_text(row, columns)
            context = context_text(row, columns)
            asked.add((digest, exact(question), exact(context)))
    return asked
