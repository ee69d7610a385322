"""Pictures that may come from anywhere: decoded within limits, as a viewer shows them."""

from blip_core.images.decoding import Opened, as_shown, decode_picture, decoding_key, is_plain, open_picture
from blip_core.images.limited import Looked, check_stranger, decode_stranger, look
from blip_core.images.limited_process import NOTHING
from blip_core.images.limits import MAX_FILE_BYTES, MAX_PICTURE_PX

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_PICTURE_PX",
    "NOTHING",
    "Looked",
    "Opened",
    "as_shown",
    "check_stranger",
    "decode_picture",
    "decode_stranger",
    "decoding_key",
    "is_plain",
    "look",
    "open_picture",
]
