"""Pictures from files that strangers made: only below one folder, only so large, and upright."""

import hashlib
import io
from pathlib import Path, PurePath, PureWindowsPath

from PIL import Image, ImageOps

from blip_core.curation import decode_picture
from blip_core.errors import TableError
from blip_core.painting import encode_png
from blip_core.records import Picture

MAX_FILE_BYTES = 64 * 1024 * 1024
_ORIENTATION = 0x0112  # EXIF tag
_UPRIGHT = 1


def read_below(folder: Path, name: str) -> bytes:
    """Read a file that a table names, if it lies below `folder`.

    Raises:
        TableError: The name is absolute, leads out of the folder (over links, too), or is no file that can
            be read, or the file is larger than `MAX_FILE_BYTES`.
    """
    if PurePath(name).is_absolute() or PureWindowsPath(name).anchor:
        raise TableError(f"{name!r} is an absolute path; pictures are named relative to {folder}")
    try:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise TableError(f"{name!r} leads out of {folder}; pictures must lie below it")
        if not path.is_file():
            raise TableError(f"{name!r} is no file below {folder}")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise TableError(f"{name!r} is larger than {MAX_FILE_BYTES >> 20} MiB")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a name may hold what no file system takes
        raise TableError(f"{name!r} cannot be read: {error}") from error


def upright(data: bytes, name: str) -> bytes:
    """The same picture, turned as its camera noted it; bytes that need no turning are given back.

    Raises:
        TableError: The bytes are no picture, see `curation.decode_picture`.
    """
    decode_picture(data, name)
    with Image.open(io.BytesIO(data)) as image:
        if image.getexif().get(_ORIENTATION, _UPRIGHT) == _UPRIGHT:
            return data
        return encode_png(ImageOps.exif_transpose(image))


def outside_picture(data: bytes, picture_id: str, category: str) -> Picture:
    """Make a picture that no scene was written for; it is a scene, and a group, of its own.

    Raises:
        TableError: The bytes are no picture.
    """
    image = decode_picture(upright(data, picture_id), picture_id)
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
