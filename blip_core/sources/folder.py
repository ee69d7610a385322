"""Pictures that lie in a folder."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from unicodedata import category

from blip_core.errors import PictureError, TableError
from blip_core.records import Picture, Rejection, sum_up
from blip_core.sources.named_files import read_below
from blip_core.sources.pictures import outside_picture

STAGE = "folder"
ENDINGS = frozenset(
    (
        *(
            ".png",
            ".apng",
            ".jpg",
            ".jpeg",
            ".jpe",
            ".jfif",
            ".mpo",
            ".webp",
            ".avif",
            ".heic",
            ".heif",
            ".hif",
        ),
        *(".tif", ".tiff", ".bmp", ".gif"),
    )
)
MAC_FORK, THUMBNAIL, HIDDEN, OTHER, LINKED = "mac-fork", "thumbnail", "hidden", "no-picture", "linked-folder"

ENOUGH_TO_JUDGE = 20  # pictures; of fewer, one may be left and be all that is wanted
MIN_READ_SHARE = 0.5  # a folder of which most cannot be read is not the folder that was meant

_UNUSABLE = ("Cc", "Cs")  # control characters, and bytes that are no UTF-8
_MAC_FORKS = frozenset(("__macosx", ".appledouble"))  # what archives and servers keep of a Mac's second forks
_THUMBNAILS = frozenset((".thumbnails", "@eadir", "thumbs.db", "ehthumbs.db"))  # of desktops, a NAS, Windows
_HIDDEN = frozenset(("desktop.ini",))
_SHOWN_ENDINGS = 3


class FolderFiles(NamedTuple):
    """What lies in a folder.

    Attributes:
        pictures: paths of the picture files, relative to the folder and sorted.
        left_out: how many files are not looked at, by reason: `mac-fork` (metadata named as a picture),
            `thumbnail`, `hidden`, `no-picture` (by its ending), `linked-folder` (one each, not followed).
        other_endings: how often each ending of `no-picture` came.
    """

    pictures: list[str]
    left_out: Mapping[str, int]
    other_endings: Mapping[str, int]

    @property
    def left_out_words(self) -> str:
        """What was left out, the commonest first; empty where nothing was."""
        endings = ", ".join(ending for ending, _ in _ranked(self.other_endings)[:_SHOWN_ENDINGS])
        notes = {OTHER: f" ({endings})"}
        return ", ".join(
            f"{reason} {count}{notes.get(reason, '')}" for reason, count in _ranked(self.left_out)
        )


def read_folder(
    folder: Path, recursive: bool = True, flags: dict[str, str] | None = None
) -> tuple[list[Picture], list[Rejection]]:
    """Read the pictures of a folder, sorted by path; the name of a picture's folder is its category.

    A picture's id is its path, so that pictures added later change no id. Names tell which files are looked
    at (`folder_files`), contents what they are. Reasons: `unreadable-picture`, `git-lfs-pointer`,
    `no-decoder` (a package is missing), `link-leads-out`, `unusable-name` (no UTF-8, or control
    characters).

    Args:
        folder: where the pictures lie.
        recursive: whether folders below it are read, too.
        flags: receives, by id, slugs of what is odd about a picture that was read; see `sources.pictures`.

    Raises:
        TableError: There is no such folder, it holds no picture that can be read, or most cannot be.
    """
    files = _some(folder, folder_files(folder, recursive))
    pictures: list[Picture] = []
    rejections: list[Rejection] = []
    for name in files.pictures:
        if any(category(char) in _UNUSABLE for char in name):
            rejections.append(Rejection(name, STAGE, "unusable-name", "rename it: letters, digits, signs"))
            continue
        try:
            data = read_below(folder, name)
            pictures.append(outside_picture(data, name, category_of(folder, name), flags))
        except PictureError as error:
            rejections.append(Rejection(name, STAGE, error.reason, str(error)))
    _check_share(folder, pictures, rejections, files)
    return pictures, rejections


def category_of(folder: Path, name: str) -> str:
    """The category of a picture: the name of the folder that it lies in, links resolved."""
    return (folder / name).parent.resolve().name


def folder_files(folder: Path, recursive: bool = True) -> FolderFiles:
    """The picture files of a folder, by their names, and what else lies there.

    Raises:
        TableError: There is no such folder, or it cannot be read.
    """
    if not folder.is_dir():
        raise TableError(f"{folder} is no folder")
    pictures: list[str] = []
    left_out, endings = Counter[str](), Counter[str]()
    try:
        for path, is_linked in _walk(folder, recursive):
            reason = LINKED if is_linked else _why_left_out(path)
            if reason is None:
                pictures.append(path.as_posix())
                continue
            left_out[reason] += 1
            if reason == OTHER:
                endings[path.suffix.lower() or "no ending"] += 1
    except OSError as error:
        raise TableError(f"{folder} cannot be read: {error}") from error
    return FolderFiles(sorted(pictures), dict(left_out), dict(endings))


def picture_names(folder: Path, recursive: bool = True) -> list[str]:
    """Paths of the picture files of a folder, relative to it and sorted.

    Raises:
        TableError: There is no such folder, or it holds no picture.
    """
    return _some(folder, folder_files(folder, recursive)).pictures


def _some(folder: Path, files: FolderFiles) -> FolderFiles:
    if not files.pictures:
        found = f"; it holds {files.left_out_words}" if files.left_out else ""
        raise TableError(f"{folder} holds no picture: {', '.join(sorted(ENDINGS))} are read{found}")
    return files


def _walk(folder: Path, recursive: bool) -> Iterator[tuple[PurePosixPath, bool]]:
    """Files below a folder, relative to it, and linked folders, which are not followed.

    Raises:
        OSError: A folder cannot be listed.
    """

    def fail(error: OSError) -> None:
        raise error

    for place, folders, names in os.walk(folder, onerror=fail):
        here = Path(place).relative_to(folder)
        yield from ((PurePosixPath(here, name), False) for name in names)
        if not recursive:
            return
        yield from (
            (PurePosixPath(here, name), True) for name in folders if (Path(place) / name).is_symlink()
        )


def _why_left_out(path: PurePosixPath) -> str | None:
    """Why a file is not looked at, told by its path; None where it is."""
    parts = [part.lower() for part in path.parts]
    if path.name.startswith("._") or not _MAC_FORKS.isdisjoint(parts):
        return MAC_FORK
    if not _THUMBNAILS.isdisjoint(parts):
        return THUMBNAIL
    if any(part.startswith(".") for part in parts) or parts[-1] in _HIDDEN:
        return HIDDEN
    return None if path.suffix.lower() in ENDINGS else OTHER


def _check_share(
    folder: Path, pictures: Sequence[Picture], rejections: Sequence[Rejection], files: FolderFiles
) -> None:
    seen = len(pictures) + len(rejections)
    if pictures and (seen < ENOUGH_TO_JUDGE or len(pictures) >= MIN_READ_SHARE * seen):
        return
    left_out = f". Left out: {files.left_out_words}" if files.left_out else ""
    raise TableError(
        f"{folder}: of {seen} pictures {len(pictures)} can be read. Refused: {sum_up(rejections)}{left_out}. "
        "Mend or remove them, or name another folder"
    )


def _ranked(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Counts, the largest first."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
