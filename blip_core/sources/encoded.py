"""Pictures written as text: base64, alone or as a data URI."""

import base64
import binascii
import re

_DATA_URI = re.compile(r"data:image/[\w.+-]{1,40};base64,", re.IGNORECASE)
_FIRST_BYTES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*")
_PROBE_CHARACTERS = 8  # six bytes: enough to see how a picture begins


def is_encoded_picture(text: str) -> bool:
    """Whether a cell's text is a picture rather than the name of one: it begins as pictures do, in base64."""
    return bool(_DATA_URI.match(text)) or _begins_as_picture(text)


def decode_base64(text: str) -> bytes | None:
    """Bytes that a text stands for; None where it is no base64. Line breaks within are left out."""
    bare = "".join(_DATA_URI.sub("", text, count=1).split())
    try:
        return base64.b64decode(bare, validate=True)
    except (binascii.Error, ValueError):
        return None


def _begins_as_picture(text: str) -> bool:
    try:
        first = base64.b64decode(text[:_PROBE_CHARACTERS], validate=True)
    except (binascii.Error, ValueError):
        return False
    return first.startswith(_FIRST_BYTES)
