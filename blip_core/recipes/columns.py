"""Which column of a table is what."""

from typing import Literal

from pydantic import Field

from blip_core.recipes.base import Section, Slug

Reading = Literal["letters", "texts", "truths", "from-zero", "from-one"]
"""A way of reading answers: by letter, by an option's text, as yes or no, by a place counted from 0 or 1."""

ATTRIBUTE = "attributes."
"""What stands before an attribute's name where its column is said."""

AnswersRead = Literal["", Reading]
"""How a table's answers are read; empty, its rows tell."""


class TableColumns(Section):
    """Columns of a table, by name; a field that is left out is guessed, one that is "" has no column."""

    id: str | None = None
    """Column with a name of the row; if absent, rows are numbered."""
    image: str | None = None
    """Column with the picture: its bytes, its bytes in base64, or a path below the folder of pictures."""
    question: str | None = None
    """Column with the question."""
    a: str | None = None
    """Column with option A."""
    b: str | None = None
    """Column with option B."""
    c: str | None = None
    """Column with option C; a question has two options at least."""
    d: str | None = None
    """Column with option D."""
    e: str | None = None
    """Column with option E."""
    f: str | None = None
    """Column with option F."""
    g: str | None = None
    """Column with option G."""
    h: str | None = None
    """Column with option H."""
    i: str | None = None
    """Column with option I."""
    j: str | None = None
    """Column with option J."""
    options: str | None = None
    """Column with all options, as a list or as JSON text, in place of one column each."""
    answer: str | None = None
    """Column with the right answer: its letter, its number, or the option's text."""
    context: str | None = None
    """Column with a text that belongs to the question: a hint, a passage; {context} in a prompt."""
    description: str | None = None
    """Column with a description of the picture, to teach stage one."""
    caption: str | None = Field(default=None, exclude_if=lambda name: name is None)
    """Column with the caption; where a task is to write one."""
    category: str | None = None
    """Column with the category; scores are also told by it."""
    kind: str | None = None
    """Column with the kind of question; scores are also told by it."""
    group: str | None = None
    """Column with what must stay together in one split; if absent, the picture."""
    attributes: dict[Slug, str] = Field(default={}, exclude_if=lambda named: not named)
    """Columns that say what a picture shows, by the attribute's name; an empty cell says that it has none."""

    def given(self) -> dict[str, str]:
        """Field -> column, of those that are said; of attributes under `attributes.NAME`."""
        said = {field: name for field, name in self if field != "attributes" and name is not None}
        return said | {f"{ATTRIBUTE}{name}": column for name, column in self.attributes.items()}
