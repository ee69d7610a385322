"""What the rows of a table are made of: every file that is opened for them, by its name and digest.

The walk over the cells that counts pictures is the one that reads them: both ask `picture_in_cell` what a
cell means and `find_below` which file that is. Whoever reads rows notes what was opened, and all of it must
be counted.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from blip_core.errors import TableError
from blip_core.sources.cells import RowRefused
from blip_core.sources.digests import picture_digest
from blip_core.sources.opening import TableInput
from blip_core.sources.table_pictures import picture_in_cell
from blip_core.sources.tabular import Broken, raw_rows
from blip_core.sources.unchanged import while_unchanged


@dataclass(slots=True)
class Opened:
    """What a reading opened.

    Attributes:
        files: sha256 of the table's files, by their path below the table's folder.
        pictures: sha256 of pictures, by the name that a cell gives them; see `picture_digest`.
        rows: how many there were, refused ones included.
    """

    files: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)
    rows: int = 0


@dataclass(frozen=True, slots=True)
class TableContent:
    """What a table holds, or names: the same as `Opened`, but of all that could be opened."""

    files: Mapping[str, str]
    pictures: Mapping[str, str]
    rows: int

    def check(self, table: TableInput, opened: Opened) -> None:
        """Make sure that a reading opened nothing that is not counted here, and left no row out.

        Raises:
            TableError: The table, or a picture, changed meanwhile.
        """
        is_counted = (
            opened.files.items() <= self.files.items() and opened.pictures.items() <= self.pictures.items()
        )
        if not is_counted or opened.rows != self.rows:
            raise TableError(f"{table.path} changed while it was read; run again")


@dataclass(frozen=True, slots=True)
class _Walked:
    files: Mapping[str, str]
    names: tuple[str, ...]
    rows: int


def table_content(table: TableInput, folder: Path, column: str) -> TableContent:
    """All that a table's rows are made of.

    Args:
        table: whose rows.
        folder: that names of pictures start at.
        column: of the pictures.

    Raises:
        TableError: The table cannot be read.
    """
    walked = _walked(table, column)
    pictures = {name: picture_digest(folder, name) for name in walked.names}
    return TableContent(walked.files, pictures, walked.rows)


def count_rows(table: TableInput, column: str) -> int:
    """How many rows a table holds, those that cannot be used included; blank ones are none.

    Raises:
        TableError: The table cannot be read.
    """
    return _walked(table, column).rows


def _walked(table: TableInput, column: str) -> _Walked:
    try:
        return _walk(table.base, table.path, table.encoding, column)
    except OSError as error:
        raise TableError(f"{table.path} cannot be read: {error.strerror}") from error


@while_unchanged
def _walk(base: Path, path: Path, encoding: str, column: str) -> _Walked:
    """Every row once, for as long as the table stays: it may hold gigabytes."""
    files: dict[str, str] = {}
    names: set[str] = set()
    rows = 0
    for row in raw_rows(TableInput(path, encoding, files), [column]):
        rows += 1
        if isinstance(row, Broken):
            continue
        with suppress(RowRefused):  # told where the row is read
            held = picture_in_cell(row.get(column))
            names |= {held} if isinstance(held, str) else set()
    return _Walked(files, tuple(sorted(names)), rows)
