"""The pictures of one table: found in its cells or by their names, decoded once, kept in a file beside."""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from blip_core.errors import UNREADABLE_PICTURE, PictureError, PlaceError
from blip_core.sources.cells import MAX_NAME_CHARACTERS, RowRefused, shown
from blip_core.sources.digests import UNREADABLE
from blip_core.sources.encoded import decode_base64, is_encoded_picture
from blip_core.sources.named_files import read_below
from blip_core.sources.pictures import Upright, upright
from blip_core.sources.tabular import Broken

Found = TypeVar("Found")

# Bytes, a mapping and an image, as Python prints them into the cells of a CSV.
_PRINTED = ("b'\\x", 'b"\\x', "{'bytes'", "{'path'", "<PIL.")


class _Place(NamedTuple):
    """Where a picture lies in the file beside, and what is odd about it."""

    start: int
    size_bytes: int
    flag: str


class TablePictures:
    """The pictures of a table, each decoded once however many rows show it.

    Their upright bytes rest in a temporary file, so that memory stays flat however large the table is.
    """

    def __init__(
        self, folder: Path, flags: dict[str, str] | None = None, opened: dict[str, str] | None = None
    ) -> None:
        """Take pictures from cells, or by name from `folder`.

        Args:
            folder: that names start at.
            flags: receives what is odd, by row.
            opened: receives the digest of each file that is opened, by the name that means it.
        """
        self._folder = folder
        self._flags = {} if flags is None else flags
        self._opened = {} if opened is None else opened
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
        place = self._seen[digest]
        if isinstance(place, Broken):
            named = f"{shown(held)}: " if isinstance(held, str) else ""
            raise RowRefused(place.reason, named + place.detail)
        if place.flag:
            self._flags[row] = place.flag
        return self._bytes(place)

    def _find(self, name: str) -> str:
        """Digest of the picture of the row or of the file of that name."""
        if name in self._rows:
            return self._rows[name]
        if name not in self._named:
            try:
                data = _read_named(self._folder, name)
                self._named[name] = self._opened[name] = self._keep(data)
            except RowRefused as refused:
                self._opened[name] = UNREADABLE
                self._named[name] = Broken(refused.reason, str(refused))
        return _unless_broken(self._named[name])

    def _keep(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._seen:
            made = _upright_or_broken(data)
            self._seen[digest] = made if isinstance(made, Broken) else self._put(made)
        return digest

    def _put(self, made: Upright) -> _Place:
        try:
            start = self._file.seek(0, 2)
            self._file.write(made.data)
        except OSError as error:
            raise PlaceError(
                f"the pictures of the table cannot be kept in {tempfile.gettempdir()}: {error.strerror}; "
                "make room there, or name another folder in TMPDIR"
            ) from error
        return _Place(start, len(made.data), made.flag)

    def _bytes(self, place: _Place) -> bytes:
        self._file.seek(place.start)
        return self._file.read(place.size_bytes)


def picture_in_cell(value: Any) -> bytes | str:
    """Bytes of a picture, on its own, in base64 or as Hugging Face's `Image` holds them; or a name.

    A list stands for the one picture that it holds.

    Raises:
        RowRefused: `missing-picture`, `several-pictures`, `path-only-image` or `unreadable-picture`.
    """
    if isinstance(value, Mapping):
        return _in_mapping(value)
    if isinstance(value, list | tuple):
        return picture_in_cell(_only(value))
    if isinstance(value, bytes | bytearray) and value:
        return bytes(value)
    if isinstance(value, str) and value.strip():
        return _written(value.strip())
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # the id of another row, or a file's name
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"  # the same, in a column that has gaps
    if value is None or isinstance(value, bytes | str | float):  # a gap in a column of numbers is a float
        raise RowRefused("missing-picture", "there is no picture")
    raise RowRefused(UNREADABLE_PICTURE, f"the image is a {type(value).__name__}, no bytes and no path")


def _in_mapping(value: Mapping[str, Any]) -> bytes | str:
    held = value.get("bytes")
    if held is None and value.get("path"):
        raise RowRefused(
            "path-only-image",
            f"the image holds no bytes, only the path {shown(str(value['path']))}, and paths of others are "
            "not opened: save the dataset with its pictures embedded, or write the paths as texts",
        )
    return picture_in_cell(held if isinstance(held, bytes) else b"")


def _only(values: Sequence[Any]) -> Any:
    """The only element of a list; None where it is empty."""
    if len(values) > 1:
        raise RowRefused("several-pictures", f"the cell holds {len(values)} pictures; one is asked")
    return values[0] if values else None


def _written(text: str) -> bytes | str:
    if text.startswith(_PRINTED):
        raise RowRefused(
            UNREADABLE_PICTURE,
            "the cell holds what Python prints of a picture, not the picture: save the table as Parquet or "
            "JSONL, or the pictures as files",
        )
    if text.startswith("[") and (values := _listed(text)) is not None:
        return picture_in_cell(_only(values))
    if not is_encoded_picture(text):
        return text
    data = decode_base64(text)
    if not data:
        raise RowRefused(UNREADABLE_PICTURE, f"the image is no whole base64: {shown(text)}")
    return data


def _listed(text: str) -> list[Any] | None:
    """What a list in JSON, or as Python prints one of texts, holds; None where the text is none."""
    for written in (text, text.replace("'", '"')):
        with suppress(ValueError, RecursionError):
            values = json.loads(written)
            return values if isinstance(values, list) else None
    return None


@contextmanager
def refusing_pictures() -> Iterator[None]:
    """Let a picture that cannot be read cost its row alone."""
    try:
        yield
    except PictureError as error:
        raise RowRefused(error.reason, str(error)) from error


def _read_named(folder: Path, name: str) -> bytes:
    if len(name) > MAX_NAME_CHARACTERS:
        raise RowRefused(UNREADABLE_PICTURE, f"a picture's name has {len(name):,} characters")
    with refusing_pictures():
        return read_below(folder, name)


def _upright_or_broken(data: bytes) -> Upright | Broken:
    try:
        return upright(data, "the picture")
    except PictureError as error:
        return Broken(error.reason, str(error))


def _unless_broken(found: Found | Broken) -> Found:
    if isinstance(found, Broken):
        raise RowRefused(found.reason, found.detail)
    return found
