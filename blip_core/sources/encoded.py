"""Pictures written as text: base64, alone or as a data URI."""

import base64
import binascii
import re

_DATA_URI = re.compile(r"data:[\w.+/-]{0,80}(?:;[\w.+-]{1,40}=[^;,]{0,80}){0,4};base64,", re.IGNORECASE)
_PRINTED_BYTES = re.compile(r"""b(['"])([\w+/=\s-]*)\1""")  # bytes of base64, as Python prints them
_URL_SAFE = str.maketrans("-_", "+/")  # RFC 4648, 5
_FIRST_BYTES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*")
_FTYP = slice(4, 8)  # of AVIF and HEIC: a length comes first
_PROBE_CHARACTERS = 64  # fewer make no picture, and a file's name of so many without a dot is rare


def is_encoded_picture(text: str) -> bool:
    """Whether a cell's text is a picture rather than the name of one: it begins as pictures do, in base64."""
    return bool(_DATA_URI.match(text)) or _begins_as_picture(_unprinted(text))


def decode_base64(text: str) -> bytes | None:
    """Bytes that a text stands for; None where it is no base64.

    White space within is left out, the letters may be those for addresses, and padding may be missing.
    """
    bare = "".join(_DATA_URI.sub("", _unprinted(text), count=1).split()).translate(_URL_SAFE).rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _unprinted(text: str) -> str:
    printed = _PRINTED_BYTES.fullmatch(text) if text.startswith(("b'", 'b"')) else None
    return printed[2] if printed else text


def _begins_as_picture(text: str) -> bool:
    bare = "".join(text[:_PROBE_CHARACTERS].split())
    first = decode_base64(bare[: len(bare) // 4 * 4])
    if first is None or len(text) < _PROBE_CHARACTERS:
        return False
    return first.startswith(_FIRST_BYTES) or first[_FTYP] == b"ftyp"
