"""Pictures that may come from anywhere: decoded within limits, as a viewer shows them."""

from blip_core.images.decoding import Opened, as_shown, decode_picture, decoding_key, is_plain, open_picture
from blip_core.images.limits import MAX_FILE_BYTES, MAX_PICTURE_PX

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_PICTURE_PX",
    "Opened",
    "as_shown",
    "decode_picture",
    "decoding_key",
    "is_plain",
    "open_picture",
]
