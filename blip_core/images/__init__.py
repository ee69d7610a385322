"""Pictures that may come from anywhere: decoded within limits, as a viewer shows them."""

from blip_core.images.decoding import (
    MAX_FILE_BYTES,
    MAX_PICTURE_PX,
    as_shown,
    decode_picture,
    is_plain,
    open_picture,
)

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_PICTURE_PX",
    "as_shown",
    "decode_picture",
    "is_plain",
    "open_picture",
]
