"""The pictures of one table: found in its cells or by their names, decoded once, kept in a file beside."""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from blip_core.errors import PlaceError, TableError
from blip_core.sources.cells import MAX_NAME_CHARACTERS, RowRefused, shown
from blip_core.sources.encoded import decode_base64, is_encoded_picture
from blip_core.sources.pictures import read_below, upright
from blip_core.sources.tabular import Broken

UNREADABLE_PICTURE = "unreadable-picture"

Found = TypeVar("Found")


class _Place(NamedTuple):
    """Where a picture lies in the file beside."""

    start: int
    size_bytes: int


class TablePictures:
    """The pictures of a table, each decoded once however many rows show it.

    Their upright bytes rest in a temporary file, so that memory stays flat however large the table is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._named: dict[str, str | Broken] = {}  # name -> digest of the file, or why it is refused
        self._seen: dict[str, _Place | Broken] = {}  # digest -> where its bytes lie, or why they are refused
        self._rows: dict[str, str] = {}  # row -> digest, of pictures written in base64
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  (closed on leaving)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def read(self, value: Any, row: str) -> bytes:
        """Encoded bytes of the picture that a cell holds or names, upright.

        Args:
            value: what the cell holds.
            row: id of the row, which later rows may name instead of a picture.

        Raises:
            RowRefused: `missing-picture`, `path-only-image` or `unreadable-picture`.
            PlaceError: The folder for temporary files is full.
        """
        held = picture_in_cell(value)
        digest = self._keep(held) if isinstance(held, bytes) else self._find(held)
        if isinstance(held, bytes) and isinstance(value, str):
            self._rows[row] = digest
        return self._bytes(_unless_broken(self._seen[digest]))

    def _find(self, name: str) -> str:
        """Digest of the picture of the row or of the file of that name."""
        if name in self._rows:
            return self._rows[name]
        if name not in self._named:
            try:
                self._named[name] = self._keep(_read_named(self._folder, name))
            except RowRefused as refused:
                self._named[name] = Broken(refused.reason, str(refused))
        return _unless_broken(self._named[name])

    def _keep(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._seen:
            made = _upright_or_broken(data)
            self._seen[digest] = made if isinstance(made, Broken) else self._put(made)
        return digest

    def _put(self, data: bytes) -> _Place:
        try:
            start = self._file.seek(0, 2)
            self._file.write(data)
        except OSError as error:
            raise PlaceError(
                f"the pictures of the table cannot be kept in {tempfile.gettempdir()}: {error.strerror}; "
                "make room there, or name another folder in TMPDIR"
            ) from error
        return _Place(start, len(data))

    def _bytes(self, place: _Place) -> bytes:
        self._file.seek(place.start)
        return self._file.read(place.size_bytes)


def picture_in_cell(value: Any) -> bytes | str:
    """Bytes of a picture, on its own, in base64 or as Hugging Face's `Image` holds them; or a name.

    Raises:
        RowRefused: `missing-picture`, `path-only-image` or `unreadable-picture`.
    """
    if isinstance(value, Mapping):
        held = value.get("bytes")
        if held is None and value.get("path"):
            raise RowRefused(
                "path-only-image", "the image holds a path and no bytes; paths of others are not opened"
            )
        value = held if isinstance(held, bytes) else b""
    if isinstance(value, bytes) and value:
        return value
    if isinstance(value, str) and value.strip():
        return _written(value.strip())
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # the id of another row
    if value is None or isinstance(value, bytes | str | float):  # a gap in a column of numbers is a float
        raise RowRefused("missing-picture", "there is no picture")
    raise RowRefused(UNREADABLE_PICTURE, f"the image is a {type(value).__name__}, no bytes and no path")


def _written(text: str) -> bytes | str:
    if not is_encoded_picture(text):
        return text
    data = decode_base64(text)
    if not data:
        raise RowRefused(UNREADABLE_PICTURE, f"the image is no whole base64: {shown(text)}")
    return data


@contextmanager
def refusing_pictures() -> Iterator[None]:
    """Let a picture that cannot be read cost its row alone."""
    try:
        yield
    except TableError as error:
        raise RowRefused(UNREADABLE_PICTURE, str(error)) from error


def _read_named(folder: Path, name: str) -> bytes:
    if len(name) > MAX_NAME_CHARACTERS:
        raise RowRefused(UNREADABLE_PICTURE, f"a picture's name has {len(name):,} characters")
    with refusing_pictures():
        return read_below(folder, name)


def _upright_or_broken(data: bytes) -> bytes | Broken:
    try:
        return upright(data, "the picture")
    except TableError as error:
        return Broken(UNREADABLE_PICTURE, str(error))


def _unless_broken(found: Found | Broken) -> Found:
    if isinstance(found, Broken):
        raise RowRefused(found.reason, found.detail)
    return found
