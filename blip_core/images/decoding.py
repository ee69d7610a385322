"""Decoding of pictures that may come from anywhere.

PNG, JPEG and WebP are read, one still picture a file, told by their content and never by their names.
Whatever a file costs is known from its first bytes: pixels, proportions, frames and the number of passes that
a decoder would make are checked before anything is decoded.
"""

import io
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image, UnidentifiedImageError

from blip_core.errors import TableError

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_PICTURE_PX = 50_000_000  # a phone's largest pictures; beyond, a small file may fill the memory
MAX_ASPECT_RATIO = 32  # a labeller enlarges the shorter side to 336 px: a strip would fill the memory
# Progressive JPEGs of cameras and editors have about ten scans; each costs a pass over all pixels, however
# few its bytes ("Two Issues with the JPEG Standard", libjpeg-turbo.org).
MAX_JPEG_SCANS = 100
# Every chunk costs a step of an interpreted loop, and up to a mebibyte to inflate; encoders write a dozen.
MAX_PNG_CHUNKS = 100
_SMALL_CHUNK_BYTES = 256  # pixels come in chunks of 4 KiB and more, but for the last

_PNG_START = b"\x89PNG\r\n\x1a\n"
_JPEG_START = b"\xff\xd8"
# A marker in a JPEG: neither a stuffed byte, nor a restart inside a scan, nor a fill byte.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")
_JPEG_END, _JPEG_SCAN = b"\xd9", b"\xda"

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


def decode_picture(data: bytes, name: str) -> Image.Image:
    """Decode an encoded picture to RGB, as a viewer shows it.

    It is turned as its camera noted, transparent parts are white, and 16-bit grey is scaled to 8.

    Args:
        data: a whole PNG, JPEG or WebP file.
        name: what an error calls it.

    Raises:
        TableError: It is no such picture, cut short, animated, a strip of more than `MAX_ASPECT_RATIO`, or
            larger than `MAX_PICTURE_PX` or `MAX_FILE_BYTES`.
    """
    with open_picture(data, name) as opened:
        return as_shown(opened)


@contextmanager
def open_picture(data: bytes, name: str) -> Iterator[Image.Image]:
    """Open an encoded picture that is safe to decode; whatever its bytes lead to is a `TableError`.

    Raises:
        TableError: See `decode_picture`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on metadata; the limits that matter are checked here
            _check_bytes(data)
            with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
                _check_header(opened)
                opened.load()
                yield opened
    except MemoryError:
        raise  # says something of this machine, not of the picture
    except UnidentifiedImageError as error:  # its own text names an address in memory
        raise _unreadable(name, "it is no whole file of these formats") from error
    except Exception as error:  # decoders raise whatever damaged bytes lead them to
        raise _unreadable(name, str(error) or type(error).__name__) from error


def as_shown(image: Image.Image) -> Image.Image:
    """An opened picture as RGB, turned and on white."""
    turn = _turn(image)
    flat = _flat(image)
    return flat if turn is None else flat.transpose(turn)


def is_plain(image: Image.Image) -> bool:
    """Whether every reader shows an opened picture alike, whatever it makes of EXIF and transparency."""
    return _turn(image) is None and not image.has_transparency_data and not image.mode.startswith("I")


def _unreadable(name: str, why: str) -> TableError:
    return TableError(f"{name} cannot be read as a picture: {why}; {', '.join(FORMATS)} are understood")


def _check_bytes(data: bytes) -> None:
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"it is larger than {MAX_FILE_BYTES >> 20} MiB")
    if data.startswith(_PNG_START) and _has_too_many_chunks(data):
        raise ValueError(f"it has more than {MAX_PNG_CHUNKS:,} chunks")
    if data.startswith(_JPEG_START) and _has_too_many_scans(data):
        raise ValueError(f"it has more than {MAX_JPEG_SCANS} scans")


def _has_too_many_chunks(data: bytes) -> bool:
    """Walk a PNG's chunks: length, name, content, checksum."""
    position, chunks = len(_PNG_START), 0
    while position + 8 <= len(data) and chunks <= MAX_PNG_CHUNKS:
        length, kind = struct.unpack_from(">I4s", data, position)
        chunks += kind != b"IDAT" or length < _SMALL_CHUNK_BYTES
        position += length + 12
    return chunks > MAX_PNG_CHUNKS


def _has_too_many_scans(data: bytes) -> bool:
    """Walk a JPEG's segments to its end; what is embedded in one, such as a thumbnail, does not count."""
    position, scans = len(_JPEG_START), 0
    while scans <= MAX_JPEG_SCANS:
        marker = _JPEG_MARKER.search(data, position)
        if marker is None or marker.group(1) == _JPEG_END:
            break
        scans += marker.group(1) == _JPEG_SCAN
        position = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return scans > MAX_JPEG_SCANS


def _check_header(image: Image.Image) -> None:
    shape = f"{image.width} x {image.height}"
    if image.width * image.height > MAX_PICTURE_PX:
        raise ValueError(f"it has {shape} pixels and at most {MAX_PICTURE_PX:,} are read: make it smaller")
    if max(image.size) > MAX_ASPECT_RATIO * min(image.size):
        raise ValueError(f"it is a strip of {shape} pixels: cut out what is meant")
    # Phones keep a depth map or a second view behind the first in an MPO, which is no animation.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise ValueError("it is animated: save the frame that is meant")


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except _DAMAGED_NOTE:  # the note is lost, the picture is not: it stands as its pixels do
        return None


def _flat(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # Pillow would cut 16-bit grey off at 255 instead of scaling it
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    seen = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(seen, mask=seen.getchannel("A"))
    return white
