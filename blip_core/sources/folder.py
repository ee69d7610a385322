"""Pictures that lie in a folder."""

from collections.abc import Sequence
from pathlib import Path
from unicodedata import category

from blip_core.errors import TableError
from blip_core.records import Picture, Rejection, sum_up
from blip_core.sources.pictures import outside_picture, read_below

STAGE = "folder"
ENDINGS = frozenset((".png", ".jpg", ".jpeg", ".webp"))
_UNUSABLE = ("Cc", "Cs")  # control characters, and bytes that are no UTF-8
ENOUGH_TO_JUDGE = 20  # pictures; of fewer, one may be left and be all that is wanted
MIN_READ_SHARE = 0.5  # a folder of which most cannot be read is not the folder that was meant


def read_folder(folder: Path, recursive: bool = True) -> tuple[list[Picture], list[Rejection]]:
    """Read the pictures of a folder, sorted by path; the name of a picture's folder is its category.

    A picture's id is its path, so that pictures added later change no id. Names tell which files are looked
    at, contents what they are. Reasons: `unreadable-picture`, `unusable-name` (no UTF-8, or control
    characters).

    Raises:
        TableError: There is no such folder, it holds no picture that can be read, or most cannot be.
    """
    pictures: list[Picture] = []
    rejections: list[Rejection] = []
    for name in picture_names(folder, recursive):
        if any(category(char) in _UNUSABLE for char in name):
            rejections.append(Rejection(name, STAGE, "unusable-name", "rename it: letters, digits, signs"))
            continue
        try:
            kind = (folder / name).parent.resolve().name
            pictures.append(outside_picture(read_below(folder, name), name, kind))
        except TableError as error:
            rejections.append(Rejection(name, STAGE, "unreadable-picture", str(error)))
    _check_share(folder, pictures, rejections)
    return pictures, rejections


def _check_share(folder: Path, pictures: Sequence[Picture], rejections: Sequence[Rejection]) -> None:
    seen = len(pictures) + len(rejections)
    if pictures and (seen < ENOUGH_TO_JUDGE or len(pictures) >= MIN_READ_SHARE * seen):
        return
    raise TableError(
        f"{folder}: of {seen} pictures {len(pictures)} can be read. Refused: {sum_up(rejections)}. "
        "Mend or remove them, or name another folder"
    )


def picture_names(folder: Path, recursive: bool = True) -> list[str]:
    """Paths of the picture files of a folder, relative to it and sorted.

    Raises:
        TableError: There is no such folder, or it holds no picture.
    """
    if not folder.is_dir():
        raise TableError(f"{folder} is no folder")
    try:
        found = folder.rglob("*") if recursive else folder.iterdir()
        names = sorted(
            path.relative_to(folder).as_posix()
            for path in found
            if path.suffix.lower() in ENDINGS and path.is_file()
        )
    except OSError as error:
        raise TableError(f"{folder} cannot be read: {error}") from error
    if not names:
        raise TableError(f"{folder} holds no picture; {', '.join(sorted(ENDINGS))} are read")
    return names
