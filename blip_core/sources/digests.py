"""Digests of picture files that somebody names: what changes when a picture does."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from blip_core import strict_json
from blip_core.errors import TableError
from blip_core.images import decoding_key
from blip_core.sources.folder import picture_names
from blip_core.sources.formats.dataset_folders import dataset_folder
from blip_core.sources.named_files import find_below, read_below

_UNREADABLE = "unreadable"
_DIGESTS_KEPT = 100_000


def folder_digest(folder: Path, recursive: bool = True) -> str:
    """Digest of the names and bytes of a folder's pictures, and of what decodes them.

    Where the folder lies does not enter.

    Raises:
        TableError: See `read_folder`.
    """
    names = picture_names(folder, recursive)
    pictures = {ascii(name): picture_digest(folder, name) for name in names}
    return content_digest({"decoding": decoding_key(), "pictures": pictures})


def content_digest(content: Mapping[str, Any]) -> str:
    """sha256, in hex, of what JSON holds."""
    return hashlib.sha256(strict_json.dumps(content, sort_keys=True).encode()).hexdigest()


def picture_digest(folder: Path, name: str) -> str:
    """Digest of a file below a folder, read once for as long as its size and time stay.

    What `read_below` refuses has a digest of its own: once it can be read, the digest changes.
    """
    try:
        size_bytes, modified_ns = version_of(find_below(folder, name))
    except (OSError, TableError):
        return _UNREADABLE
    return _picture_unchanged(folder, name, size_bytes, modified_ns)


def table_file_digest(path: Path) -> str:
    """sha256, in hex, of a table's file, or of the names and digests of all files of a dataset's folder.

    Raises:
        TableError: A file cannot be read.
    """
    folder = dataset_folder(path)
    if folder is None:
        return file_digest(path)
    return content_digest(
        {ascii(str(file.relative_to(folder))): file_digest(file) for file in _files(folder)}
        | ({} if folder == path else {"split": path.name})
    )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def file_digest(path: Path) -> str:
    """sha256 of a file, in hex, read once for as long as its size and time stay.

    Raises:
        TableError: It cannot be read.
    """
    try:
        return _digest_unchanged(path, *version_of(path))
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror}") from error


def version_of(path: Path) -> tuple[int, int]:
    """Size and time of a file, or of all files of a folder: while they stay, so do the bytes."""
    folder = dataset_folder(path)
    stats = [file.stat() for file in (_files(folder) if folder else [path])]
    return sum(stat.st_size for stat in stats), max((stat.st_mtime_ns for stat in stats), default=0)


@lru_cache
def _digest_unchanged(path: Path, size_bytes: int, modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=_DIGESTS_KEPT)
def _picture_unchanged(folder: Path, name: str, size_bytes: int, modified_ns: int) -> str:
    try:
        return hashlib.sha256(read_below(folder, name)).hexdigest()
    except TableError:
        return _UNREADABLE
