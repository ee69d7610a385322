"""Pictures that lie in a folder."""

from pathlib import Path

from blip_core.errors import TableError
from blip_core.records import Picture, Rejection
from blip_core.sources.pictures import outside_picture, read_below

STAGE = "folder"
ENDINGS = frozenset((".png", ".jpg", ".jpeg", ".webp"))


def read_folder(folder: Path, recursive: bool = True) -> tuple[list[Picture], list[Rejection]]:
    """Read the pictures of a folder, sorted by path; the name of a picture's folder is its category.

    A picture's id is its path, so that pictures added later change no id. Reason: `unreadable-picture`.

    Raises:
        TableError: There is no such folder, or it holds no picture.
    """
    if not folder.is_dir():
        raise TableError(f"{folder} is no folder")
    found = folder.rglob("*") if recursive else folder.iterdir()
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in found
        if path.suffix.lower() in ENDINGS and path.is_file()
    )
    if not names:
        raise TableError(f"{folder} holds no picture; {', '.join(sorted(ENDINGS))} are read")
    pictures: list[Picture] = []
    rejections: list[Rejection] = []
    for name in names:
        category = (folder / name).resolve().parent.name
        try:
            pictures.append(outside_picture(read_below(folder, name), name, category))
        except TableError as error:
            rejections.append(Rejection(name, STAGE, "unreadable-picture", str(error)))
    return pictures, rejections
