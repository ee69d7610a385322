"""What is known of a file for as long as it stays as it is."""

import hashlib
import time
from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import TypeVar, TypeVarTuple

Given = TypeVarTuple("Given")
Known = TypeVar("Known")
Version = tuple[tuple[str, int, int, int, int], ...]

_KEPT = 100_000
COARSEST_CLOCK_NS = 2_000_000_000  # file systems count time in steps, FAT in the longest of two seconds


def version_of(path: Path) -> Version:
    """Name, inode, size and times of a file, or of all files of a folder: while they stay, so do the bytes.

    Raises:
        OSError: There is no such file.
    """
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    stats = [(file, file.stat()) for file in files]
    return tuple(
        (str(file), stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for file, stat in stats
    )


def while_unchanged(read: Callable[[Path, *Given], Known]) -> Callable[[Path, *Given], Known]:
    """Remember what is read of a file, or of a folder, until it changes.

    A file that was written moments ago is read again each time: it could be written once more within the
    same step of its file system's clock, to the same size, and look as it did.
    """

    @lru_cache(maxsize=_KEPT)
    def kept(path: Path, version: Version, given: tuple[*Given]) -> Known:
        return read(path, *given)

    @wraps(read)
    def known(path: Path, *given: *Given) -> Known:
        version = version_of(path)
        return kept(path, version, given) if is_settled(version) else read(path, *given)

    return known


def is_settled(version: Version) -> bool:
    """Whether files of that version were last written so long ago that a change would show."""
    last_ns = max((max(modified, changed) for *_, modified, changed in version), default=0)
    return time.time_ns() - last_ns > COARSEST_CLOCK_NS


@while_unchanged
def file_digest(path: Path) -> str:
    """sha256 of a file, in hex.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
