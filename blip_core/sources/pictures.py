"""Pictures from files that strangers made: only below one folder, only so large, and upright."""

import hashlib
from pathlib import Path, PurePath, PureWindowsPath

from blip_core.errors import TableError
from blip_core.images import MAX_FILE_BYTES, as_shown, decode_picture, is_plain, open_picture
from blip_core.painting import encode_png
from blip_core.records import Picture

MAX_KEPT_SIDE_PX = 1_024  # three times what the models look at; a camera's pixels would fill disk and memory


def find_below(folder: Path, name: str) -> Path:
    """The file that a table names, links resolved, if it lies below `folder`.

    Whatever opens or digests a named picture asks this, so that what is read is what was counted.

    Raises:
        TableError: The name is absolute, leads out of the folder (over links, too), or is no file.
    """
    if PurePath(name).is_absolute() or PureWindowsPath(name).anchor:
        raise TableError(f"{name!r} is an absolute path; pictures are named relative to {folder}")
    try:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise TableError(f"{name!r} leads out of {folder}; pictures must lie below it")
        if not path.is_file():  # a pipe or a device would never end
            raise TableError(f"{name!r} is no file below {folder}")
    except (OSError, ValueError, RuntimeError) as error:  # names no file system takes; links in a circle
        raise TableError(f"{name!r} cannot be read: {error}") from error
    return path


def read_below(folder: Path, name: str) -> bytes:
    """Read a file that a table names, if it lies below `folder`.

    Raises:
        TableError: See `find_below`; or the file cannot be read, or is larger than `MAX_FILE_BYTES`.
    """
    try:
        with find_below(folder, name).open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise TableError(f"{name!r} cannot be read: {error}") from error
    if len(data) > MAX_FILE_BYTES:
        raise TableError(f"{name!r} is larger than {MAX_FILE_BYTES >> 20} MiB")
    return data


def upright(data: bytes, name: str) -> bytes:
    """The same picture such that every reader shows it alike; bytes that are so already are given back.

    Others become a PNG that is turned as the camera noted and has no transparent parts.

    Raises:
        TableError: The bytes are no picture, see `images.decode_picture`.
    """
    with open_picture(data, name) as opened:
        return data if is_plain(opened) else encode_png(as_shown(opened, MAX_KEPT_SIDE_PX))


def outside_picture(data: bytes, picture_id: str, category: str) -> Picture:
    """Make a picture that no scene was written for; it is a scene, and a group, of its own.

    It is made smaller where a side has more than `MAX_KEPT_SIDE_PX` pixels.

    Raises:
        TableError: The bytes are no picture.
    """
    image = decode_picture(data, picture_id, MAX_KEPT_SIDE_PX)
    png = encode_png(image)
    return Picture(
        id=picture_id,
        scene_id=picture_id,
        category=category,
        scene="",
        seed=0,
        png=png,
        sha256=hashlib.sha256(png).hexdigest(),
        width_px=image.width,
        height_px=image.height,
    )
