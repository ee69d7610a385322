"""Files of text: how they are encoded, what ends their lines, and how large they may be."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blip_core.errors import TableError
from blip_core.sources.formats.encodings import Encoding, find_encoding, open_text
from blip_core.sources.formats.lines import MAX_LINE_CHARACTERS, Lines
from blip_core.sources.formats.rows import MAX_TEXT_TABLE_BYTES, Broken
from blip_core.sources.opening import TableInput
from blip_core.sources.unchanged import while_unchanged

_CHUNK_CHARACTERS = 1 << 20


@dataclass(frozen=True, slots=True)
class Text:
    """How a file of text is written.

    Attributes:
        encoding: of its text.
        newline: what ends its lines: a line feed, or where there is none, a carriage return as on old Macs.
            Other line ends of Unicode are part of the text.
    """

    encoding: Encoding
    newline: str

    @property
    def told(self) -> str:
        """The encoding's name for people, who need not know of Python's mark."""
        return self.encoding.name.removesuffix("-sig")


@while_unchanged
def text_of(path: Path, told_encoding: str = "") -> Text:
    """How a file of text is written.

    Raises:
        OSError: It cannot be read.
        TableError: It is too large, or how it is encoded cannot be told, or is told wrongly.
    """
    size_bytes = path.stat().st_size
    if size_bytes > MAX_TEXT_TABLE_BYTES:
        raise TableError(
            f"{path} has {size_bytes >> 20} MiB; at most {MAX_TEXT_TABLE_BYTES >> 20} MiB of text are read. "
            "Split it, or hand it in as Parquet"
        )
    encoding = find_encoding(lambda: TableInput(path).open(), path, told_encoding)
    return Text(encoding, _newline(path, encoding))


def _newline(path: Path, encoding: Encoding) -> str:
    with open_text(TableInput(path).open(), encoding, newline="") as file:
        has_return = False
        while chunk := file.read(_CHUNK_CHARACTERS):
            if "\n" in chunk:
                return "\n"
            has_return = has_return or "\r" in chunk
    return "\r" if has_return else "\n"


@contextmanager
def lines_of(table: TableInput) -> Iterator[Lines]:
    """The lines of a table's file, open."""
    text = text_of(table.path, table.encoding)
    with open_text(table.open(), text.encoding, text.newline) as file:
        yield Lines(file)


def too_long(line: int) -> Broken:
    """What is handed on instead of a row whose line lost its end."""
    return Broken("too-long-text", f"line {line} has more than {MAX_LINE_CHARACTERS:,} characters")
