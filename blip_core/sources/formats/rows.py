"""What every format hands on: rows, broken ones among them, and what was found out on the way."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from blip_core.errors import TableError
from blip_core.sources.column_types import ColumnType
from blip_core.sources.opening import TableInput

JUDGED_SPLIT = "test"  # the one that is read where a table has several

MAX_ROWS = 100_000
MAX_COLUMNS = 1_000
MAX_TEXT_TABLE_BYTES = 256 * 1024 * 1024

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that cannot be read: a stable slug, and what was seen."""

    reason: str
    detail: str


RawRow = Mapping[str, Any] | Broken


@dataclass(frozen=True, slots=True)
class TableFacts:
    """How a table is written, as far as that was found out or guessed and might be otherwise.

    Attributes:
        form: what it is, in a word or two: `CSV`, `dataset folder`.
        encoding: of its text, by the name that `--encoding` takes; "" where it is no text.
        delimiter: what parts its cells; "" where nothing does.
        notes: whatever else a person may want to know, each a clause without a full stop.
    """

    form: str
    encoding: str = ""
    delimiter: str = ""
    notes: tuple[str, ...] = ()

    def describe(self) -> str:
        """One line for people: `CSV in cp949, parted by ';'; quotes are part of the text`."""
        told = f"{self.form} in {self.encoding}" if self.encoding else self.form
        if self.delimiter:
            told += f", parted by {'tabs' if self.delimiter == chr(9) else repr(self.delimiter)}"
        return "; ".join((told, *self.notes))


@dataclass(frozen=True, slots=True)
class Format:
    """How tables of one format are read.

    Attributes:
        names: of the columns, in their order; one may come twice.
        types: of the columns, by name.
        rows: one after the other, broken ones included; of the columns that are needed, and maybe others.
        facts: what a person should be told.
    """

    names: Callable[[TableInput], list[str]]
    types: Callable[[TableInput], Mapping[str, ColumnType]]
    rows: Callable[[TableInput, Sequence[str]], Iterator[RawRow]]
    facts: Callable[[TableInput], TableFacts]


def limited(path: Path, rows: Iterator[Row]) -> Iterator[Row]:
    """Rows, as long as there are no more than `MAX_ROWS`.

    Raises:
        TableError: There are more.
    """
    yield from islice(rows, MAX_ROWS)
    if next(rows, None) is not None:
        raise too_many_rows(path)


def too_many_rows(path: Path) -> TableError:
    """What is said of a table with more than `MAX_ROWS`."""
    return TableError(f"{path} has more than {MAX_ROWS:,} rows; split it")
