"""Pictures as files beside an export."""

import hashlib
import re
from pathlib import Path

from blip_core.images.media import suffix
from blip_core.records import Example

FOLDER = "images"

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")  # no dots: webdataset ends a sample's name at the first one
_NAME_CHARS = 80
_DIGEST_CHARS = 12


def safe(name: str) -> str:
    """An id as part of a file's name: what others may have written there leads to no other folder."""
    return _UNSAFE.sub("_", name)[:_NAME_CHARS]


def picture_name(row: Example) -> str:
    """Name of a row's picture file: equal for equal pictures of one id, and for them alone."""
    digest = hashlib.sha256(row.image).hexdigest()[:_DIGEST_CHARS]
    return f"{safe(row.picture_id)}-{digest}{suffix(row.image)}"


def write_picture(folder: Path, row: Example) -> str:
    """Write a row's picture below `images`, once; gives its name."""
    name = picture_name(row)
    path = folder / FOLDER / name
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(row.image)
    return name
