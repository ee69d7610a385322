"""Pictures inside a page: small enough that many of them make no heavy file."""

import base64
import io

from PIL import Image

from blip_core.images import decode_picture
from blip_core.images.media import media_type

SIDES_PX = (320, 256, 192, 128, 96, 64)  # the longer side, tried in turn
_JPEG_QUALITY = 80


def picture_uri(data: bytes, max_bytes: int, name: str = "the picture") -> str:
    """An encoded picture as a `data:` address; one of more than `max_bytes` is made smaller first.

    Raises:
        TableError: It has to be made smaller and cannot be read.
    """
    shown = data if len(data) <= max_bytes else reduced(decode_picture(data, name), max_bytes)
    return data_uri(shown, media_type(shown))


def reduced(image: Image.Image, max_bytes: int) -> bytes:
    """The largest JPEG of at most `max_bytes`, or of 64 px where none is small enough."""
    for side_px in SIDES_PX:
        encoded = _jpeg(image, side_px)
        if len(encoded) <= max_bytes:
            break
    return encoded


def data_uri(data: bytes, kind: str) -> str:
    """Bytes of a media type as a `data:` address."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _jpeg(image: Image.Image, side_px: int) -> bytes:
    smaller = image.copy()
    smaller.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    smaller.save(buffer, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return buffer.getvalue()
