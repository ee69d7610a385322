"""Decoding of pictures that may come from anywhere."""

import io
import warnings

from PIL import Image

from blip_core.errors import TableError

MAX_PICTURE_PX = 50_000_000  # a phone's largest pictures; beyond, a small file may fill the memory
FORMATS = ("PNG", "JPEG", "WEBP")
_UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,  # so does Pillow call a broken PNG
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


def decode_picture(data: bytes, name: str) -> Image.Image:
    """Decode an encoded picture to RGB.

    Args:
        data: a whole PNG, JPEG or WebP file.
        name: what an error calls it.

    Raises:
        TableError: It is no such picture, cut short, or larger than `MAX_PICTURE_PX`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
                _check_size(opened, name)
                return opened.convert("RGB")
    except _UNREADABLE as error:
        raise TableError(
            f"{name} cannot be read as a picture: {error}; {', '.join(FORMATS)} are understood"
        ) from error


def _check_size(image: Image.Image, name: str) -> None:
    if image.width * image.height > MAX_PICTURE_PX:
        raise TableError(
            f"{name} has {image.width} x {image.height} pixels; at most {MAX_PICTURE_PX:,} are read: "
            "make it smaller"
        )
