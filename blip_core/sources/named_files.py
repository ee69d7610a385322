"""Which file a name means: only ever one below the folder that a user named.

Names were often written on another system than the one that reads them. What a name says exactly comes
first. Then backslashes part folders, `%20` is a space, the folder's own name may lead, and letters may be
composed otherwise (Unicode NFC, NFD), as on a Mac's disk and in its archives.
"""

import os
import re
import time
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple
from urllib.parse import unquote

from blip_core.errors import LEADS_OUT, LFS_POINTER, UNREADABLE_PICTURE, PictureError
from blip_core.images import MAX_FILE_BYTES
from blip_core.lfs import ADVICE, is_lfs_pointer
from blip_core.sources.unchanged import COARSEST_CLOCK_NS

MAX_FOLDERS = 100  # looked into for the advice that a name lies one deeper

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_HUB_REPOSITORY = re.compile(r"(datasets|models|spaces)--.+")  # as huggingface_hub lays out its cache
_SNAPSHOTS, _BLOBS = "snapshots", "blobs"
_FOLDERS_KEPT = 100


def find_below(folder: Path, name: str) -> Path:
    """The file that a name means, links resolved, if it lies below `folder`.

    Whatever opens or digests a named picture asks this, so that what is read is what was counted. Of links
    that lead out only those from a snapshot in the hub's cache to the blobs of its repository are followed.

    Raises:
        PictureError: The name is an address or absolute, leads out of the folder (over links, too), or is no
            file; a file of nearly that name is told.
    """
    if _ADDRESS.match(name):
        raise PictureError(
            f"{name!r} is an address, and nothing is fetched: save the pictures in a folder, write their "
            "file names into the table, and name the folder with --images"
        )
    try:
        found = _exact(folder, name) or _meant(folder, name)
    except (OSError, ValueError, RuntimeError) as error:  # names no file system takes; links in a circle
        raise PictureError(f"{name!r} cannot be read: {error}") from error
    if found is None:
        raise PictureError(f"{name!r} is no file below {folder}{_advice(folder, name)}")
    return found


def read_below(folder: Path, name: str) -> bytes:
    """Read a file that a table names, if it lies below `folder`.

    Raises:
        PictureError: See `find_below`; or the file cannot be read, is larger than `MAX_FILE_BYTES`, or is a
            git-lfs pointer.
    """
    try:
        with find_below(folder, name).open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise PictureError(f"{name!r} cannot be read: {error}") from error
    if len(data) > MAX_FILE_BYTES:
        raise PictureError(f"{name!r} is larger than {MAX_FILE_BYTES >> 20} MiB")
    if is_lfs_pointer(data):
        raise PictureError(f"{name!r} {ADVICE}", LFS_POINTER)
    return data


def _exact(folder: Path, name: str) -> Path | None:
    """The file of exactly this name; None where there is none.

    Raises:
        PictureError: The name is absolute, or leads out.
    """
    if PurePosixPath(name).is_absolute():
        raise _absolute(folder, name)
    path = (folder / name).resolve()
    if path.is_symlink():  # Python 3.13 gives a circle of links back, where earlier ones raised
        raise ValueError("its links lead in a circle")
    root = folder.resolve()
    if not path.is_relative_to(root) and not _is_blob(root, path):
        if PureWindowsPath(name).anchor:
            raise _absolute(folder, name)
        is_link = not os.path.normpath(name).startswith("..")
        raise PictureError(
            f"{name!r} leads out of {folder}; pictures must lie below it",
            LEADS_OUT if is_link else UNREADABLE_PICTURE,
        )
    return path if path.is_file() else None  # a pipe or a device would never end


def _absolute(folder: Path, name: str) -> PictureError:
    return PictureError(f"{name!r} is an absolute path; pictures are named relative to {folder}")


def _is_blob(root: Path, path: Path) -> bool:
    """Whether `root` lies in a snapshot of the hub's cache, and the file is one that its repository keeps."""
    for repository in root.parents:
        if _HUB_REPOSITORY.fullmatch(repository.name):
            return root.is_relative_to(repository / _SNAPSHOTS) and path.parent == repository / _BLOBS
    return False


def _meant(folder: Path, name: str) -> Path | None:
    """The file that a name means that was written on another system.

    Raises:
        PictureError: The name is absolute there, or leads out.
    """
    if PureWindowsPath(name).anchor:
        raise _absolute(folder, name)
    for spelling in _spellings(folder, name):
        found = _exact(folder, spelling)
        if found is None and (composed := _on_disk(folder, spelling)):
            found = _exact(folder, composed)
        if found is not None:
            return found
    return None


def _spellings(folder: Path, name: str) -> Iterator[str]:
    """Ways to write the name that is meant, the likeliest first."""
    slashed = name.strip().replace("\\", "/")
    for spelling in dict.fromkeys((slashed, unquote(slashed))):
        yield spelling
        first, *rest = PurePosixPath(spelling).parts or ("",)
        if rest and _composed(first) == _composed(folder.resolve().name):
            yield "/".join(rest)


def _on_disk(folder: Path, name: str) -> str | None:
    """A name as the disk spells it, where parts are composed otherwise; None where one has no single twin."""
    found: list[str] = []
    for part in PurePosixPath(name).parts:
        place = folder.joinpath(*found)
        twins = [part] if (place / part).exists() else _listing(place).composed.get(_composed(part), [])
        if len(twins) != 1:
            return None
        found += twins
    return "/".join(found)


def _advice(folder: Path, name: str) -> str:
    """What else may be meant: a name of other case or ending, or the same name one folder deeper."""
    wanted = PurePosixPath(name.strip().replace("\\", "/"))
    alike = _listing(folder / wanted.parent).alike
    near = alike.get(_caseless(wanted.name)) or alike.get(_caseless(wanted.stem))
    if near:
        return f"; is {(wanted.parent / near).as_posix()!r} meant?"
    deeper = [one for one in _listing(folder).folders if (folder / one / wanted.name).is_file()]
    return f"; it lies in {deeper[0]!r}: name that folder with --images" if len(deeper) == 1 else ""


class _Listing(NamedTuple):
    """What lies in a folder, for names that are not spelled as its own are."""

    folders: list[str]
    """The first `MAX_FOLDERS`."""
    composed: dict[str, list[str]]
    """Names by their composed form."""
    alike: dict[str, str]
    """A name by its form without case, and without case and ending."""


def _listing(folder: Path) -> _Listing:
    try:
        modified_ns = folder.stat().st_mtime_ns
        if time.time_ns() - modified_ns > COARSEST_CLOCK_NS:
            return _listing_unchanged(folder, modified_ns)
        return _list(folder)
    except OSError:
        return _Listing([], {}, {})


@lru_cache(maxsize=_FOLDERS_KEPT)
def _listing_unchanged(folder: Path, modified_ns: int) -> _Listing:
    return _list(folder)


def _list(folder: Path) -> _Listing:
    listing = _Listing([], {}, {})
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            listing.composed.setdefault(_composed(entry.name), []).append(entry.name)
            listing.alike.setdefault(_caseless(PurePosixPath(entry.name).stem), entry.name)
            if len(listing.folders) < MAX_FOLDERS and entry.is_dir():
                listing.folders.append(entry.name)
    listing.alike.update({_caseless(name): name for names in listing.composed.values() for name in names})
    return listing


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _caseless(name: str) -> str:
    return _composed(name).casefold()
