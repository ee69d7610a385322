"""Examples from the rows of a table: each holds, or is refused with a reason and its number."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from blip_core.records import OPTION_LETTERS, Example, Rejection
from blip_core.sources.answers import AnswerReading
from blip_core.sources.cells import (
    MAX_CONTEXT_CHARACTERS,
    MAX_DESCRIPTION_CHARACTERS,
    MAX_ID_CHARACTERS,
    MAX_QUESTION_CHARACTERS,
    RowRefused,
    is_missing,
    read_text,
    require_text,
    shown,
)
from blip_core.sources.columns import (
    Columns,
)
from blip_core.sources.counted import Opened
from blip_core.sources.forms import answer_text
from blip_core.sources.free_texts import agreed, read_told
from blip_core.sources.opening import TableInput
from blip_core.sources.options import Options, read_options
from blip_core.sources.table_pictures import TablePictures
from blip_core.sources.tabular import (
    Broken,
    raw_rows,
)

STAGE = "table"
_ID_HEX = 16  # of a picture's sha256: enough to tell the pictures of one table apart

_NO_OPTIONS = Options(("", "", "", ""))

Row = Mapping[str, Any]

Made = TypeVar("Made")


def each_row(
    table: TableInput, columns: Columns, make: Callable[[Row, str], Made], opened: Opened
) -> Iterator[Made | Rejection]:
    seen: set[str] = set()
    needed = list(columns.named.values())
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
class RowReader:
    """Makes examples of the rows of one table."""

    columns: Columns
    pictures: TablePictures
    reading: AnswerReading
    needs_answer: bool

    def example(self, row: Row, name: str) -> Example:
        columns = self.columns
        question = asked_text(row, columns)
        context = context_text(row, columns)
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
            attributes={
                attribute: read_text(row, column, attribute, MAX_ID_CHARACTERS)
                for attribute, column in columns.attributes
            },
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


def asked_text(row: Row, columns: Columns) -> str:
    """What is asked; nothing where the table has no column for it, as one of captions."""
    if not columns.question:
        return ""
    return require_text(row, columns.question, "question", MAX_QUESTION_CHARACTERS)


def context_text(row: Row, columns: Columns) -> str:
    text = read_text(row, columns.context, "context", MAX_CONTEXT_CHARACTERS)
    return "" if is_missing(text) else text


def _option_text(options: Options, letter: str) -> str:
    return options.texts[OPTION_LETTERS.index(letter)] if letter in OPTION_LETTERS else ""
