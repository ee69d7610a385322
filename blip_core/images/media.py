"""What an encoded picture is, by its first bytes."""

from typing import Literal

MediaType = Literal["image/png", "image/jpeg", "image/webp"]

_FIRST_BYTES: dict[bytes, MediaType] = {
    b"\x89PNG": "image/png",
    b"\xff\xd8": "image/jpeg",
    b"RIFF": "image/webp",
}


def media_type(data: bytes) -> MediaType:
    """The media type of a picture as datasets hold it; PNG where its beginning tells nothing."""
    known = (kind for start, kind in _FIRST_BYTES.items() if data.startswith(start))
    return next(known, "image/png")


def suffix(data: bytes) -> str:
    """How the name of its file ends, with the dot."""
    return {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}[media_type(data)]
