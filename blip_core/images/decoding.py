"""Decoding of pictures that may come from anywhere.

What a file is says its content and never its name. Whatever it costs is known from its first bytes: pixels,
proportions and the number of steps that a decoder would make are checked before anything is decoded. Of an
animation or of several pages the first is read, and said to be one of several.
"""

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError

from blip_core.errors import LFS_POINTER, NO_DECODER, PictureError
from blip_core.images import heif
from blip_core.images.colours import in_srgb, is_srgb, parts
from blip_core.images.limits import MAX_ASPECT_RATIO, MAX_FILE_BYTES, MAX_PICTURE_PX, check_parts
from blip_core.images.tiff import check_tiff, has_more_pages, is_tiff
from blip_core.lfs import ADVICE, is_lfs_pointer

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")
VERSION = 2
"""Of the pixels that come of a file: raised where they change."""

_KEPT_AS_THEY_ARE = ("PNG", "JPEG", "MPO", "WEBP")  # by every reader of a dataset
_KEPT_MODES = ("RGB", "L", "P", "1")

_ORIENTATION = 0x0112  # EXIF tag; its values, after EXIF 2.32, table 4
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_DAMAGED_NOTE = (SyntaxError, ValueError, TypeError, KeyError, OSError, struct.error)


class Opened(NamedTuple):
    """A picture that was decoded, and whether its file holds more: frames, pages, other pictures."""

    image: Image.Image
    is_first_of_several: bool


def decoding_key() -> str:
    """What of the decoding changes the pixels of a file, or whether it is read at all: belongs in keys."""
    return f"{VERSION}{'' if heif.can_read_heif() else ' without HEIC'}"


def decode_picture(data: bytes, name: str, max_side_px: int | None = None) -> Image.Image:
    """Decode an encoded picture to RGB, as a viewer shows it.

    It is turned as its camera noted, its colours are sRGB, transparent parts are white, and more than 8 bits
    are scaled to 8.

    Args:
        data: a whole file of one of `FORMATS`, or HEIC where pillow-heif is installed.
        name: what an error calls it.
        max_side_px: a picture with a longer side is made smaller.

    Raises:
        PictureError: It is no such picture, cut short, a strip of more than `MAX_ASPECT_RATIO`, or larger
            than `MAX_PICTURE_PX` or `MAX_FILE_BYTES`.
    """
    with open_picture(data, name) as opened:
        return as_shown(opened, max_side_px)


@contextmanager
def open_picture(data: bytes, name: str) -> Iterator[Opened]:
    """Open an encoded picture that is safe to decode; whatever its bytes lead to is a `PictureError`.

    Raises:
        PictureError: See `decode_picture`.
    """
    _check_kind(data, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on metadata; the limits that matter are checked here
            _check_bytes(data)
            with Image.open(io.BytesIO(data), formats=_formats(data)) as opened:
                _check_size(opened)
                is_first_of_several = _holds_several(opened, data)
                opened.load()
                _check_size(opened)  # of a HEIC the pixels have the last word
                yield Opened(opened, is_first_of_several)
    except MemoryError:
        raise  # says something of this machine, not of the picture
    except UnidentifiedImageError as error:  # its own text names an address in memory
        raise _unreadable(name, f"it is no whole file of these formats{_perhaps(data)}") from error
    except Exception as error:  # decoders raise whatever damaged bytes lead them to
        raise _unreadable(name, str(error).strip() or type(error).__name__) from error


def as_shown(opened: Opened, max_side_px: int | None = None) -> Image.Image:
    """An opened picture as RGB: turned, in sRGB, on white, with no side longer than `max_side_px`.

    Raises:
        ValueError: Its numbers are no shades.
    """
    image = opened.image
    turn = _turn(image)
    colours, opaque = parts(image)
    if turn is not None:
        colours = colours.transpose(turn)
        opaque = opaque.transpose(turn) if opaque is not None else None
    if opaque is None:
        # Colours take longer than anything else: they are worked out where the pixels are few.
        return in_srgb(_reduced(colours, max_side_px), image.info.get("icc_profile"))
    shown = Image.new("RGB", colours.size, "white")
    shown.paste(in_srgb(colours, image.info.get("icc_profile")), mask=opaque)
    return _reduced(shown, max_side_px)


def is_plain(opened: Opened) -> bool:
    """Whether every reader shows a picture alike: what readers differ in, such as EXIF, it has none of."""
    image = opened.image
    return (
        image.format in _KEPT_AS_THEY_ARE
        and image.mode in _KEPT_MODES
        and not opened.is_first_of_several
        and not image.has_transparency_data
        and _turn(image) is None
        and is_srgb("L" if image.mode in ("L", "1") else "RGB", image.info.get("icc_profile"))
    )


def _reduced(image: Image.Image, max_side_px: int | None) -> Image.Image:
    if max_side_px is not None:
        image.thumbnail((max_side_px, max_side_px), Image.Resampling.LANCZOS)
    return image


def _formats(data: bytes) -> tuple[str, ...]:
    return (heif.FORMAT,) if heif.is_heif(data) else FORMATS


def _unreadable(name: str, why: str) -> PictureError:
    return PictureError(
        f"{name} cannot be read as a picture: {why}; {', '.join(FORMATS)}, HEIC are understood"
    )


def _check_kind(data: bytes, name: str) -> None:
    if is_lfs_pointer(data):
        raise PictureError(f"{name} {ADVICE}", LFS_POINTER)
    if heif.is_heif(data) and not heif.can_read_heif():
        raise PictureError(
            f"{name} is a HEIC picture, as phones write them, which takes a package that is not installed: "
            f"`{heif.INSTALL}`, or save it as JPEG",
            NO_DECODER,
        )


def _perhaps(data: bytes) -> str:
    """What people often have in place of a picture."""
    if not data:
        return ": it is empty"
    if data.startswith(b"%PDF"):
        return ": it is a PDF"
    if data.lstrip()[:1] == b"<":
        return ": it begins as a web page or an SVG does"
    return ""


def _check_bytes(data: bytes) -> None:
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"it is larger than {MAX_FILE_BYTES >> 20} MiB")
    check_parts(data)
    if is_tiff(data):
        check_tiff(data)
    if heif.is_heif(data):
        heif.check_whole(data)


def _check_size(image: Image.Image) -> None:
    shape = f"{image.width} x {image.height}"
    if image.width * image.height > MAX_PICTURE_PX:
        raise ValueError(f"it has {shape} pixels and at most {MAX_PICTURE_PX:,} are read: make it smaller")
    if max(image.size) > MAX_ASPECT_RATIO * min(image.size):
        raise ValueError(f"it is a strip of {shape} pixels: cut out what is meant")


def _holds_several(image: Image.Image, data: bytes) -> bool:
    if image.format == "MPO":  # phones keep a depth map or a second view behind the picture
        return False
    if image.format == "TIFF":
        return has_more_pages(data)
    return bool(getattr(image, "is_animated", False))


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except _DAMAGED_NOTE:  # the note is lost, the picture is not: it stands as its pixels do
        return None
