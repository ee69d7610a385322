"""The files of a table are opened here and nowhere else, so that whatever is read is counted."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from blip_core.errors import TableError
from blip_core.lfs import ADVICE, is_lfs_pointer_file
from blip_core.sources.unchanged import file_digest


@dataclass(frozen=True, slots=True)
class TableInput:
    """A table as it was handed in: a file, or a folder of files.

    Attributes:
        path: of the file or folder.
        encoding: of its text, as somebody says; "" where it is to be found out.
        counted: sha256 of each file that was opened, by its path below the folder, "" for the file itself.
            Whoever wants to know hands in a dictionary, and it is filled.
    """

    path: Path
    encoding: str = ""
    counted: dict[str, str] | None = None

    @property
    def base(self) -> Path:
        """What is on the disk: of a path that names a split of a folder, the folder."""
        if self.path.suffix:
            return self.path
        return next((one for one in (self.path, *self.path.parents) if one.exists()), self.path)

    def open(self, file: Path | None = None) -> BinaryIO:
        """Open the table's file, or one of its folder.

        Raises:
            OSError: It cannot be opened.
            TableError: It is a git-lfs pointer, or leads out of the folder.
        """
        return self._count(file or self.path).open("rb")

    def map(self, file: Path) -> pa.MemoryMappedFile:
        """Map the table's file, or one of its folder, into memory; see `open`."""
        return pa.memory_map(str(self._count(file)))

    def _count(self, file: Path) -> Path:
        if is_lfs_pointer_file(file):
            raise TableError(f"{file} {ADVICE}")
        if self.counted is not None:
            self.counted[self._name(file)] = file_digest(file)
        return file

    def _name(self, file: Path) -> str:
        """Of a file below the path, or, where that names a split of a folder, below the folder."""
        if file == self.path:
            return ""
        return file.relative_to(self.base).as_posix()


def as_input(table: Path | TableInput) -> TableInput:
    """A table that is named by its path alone."""
    return table if isinstance(table, TableInput) else TableInput(table)
