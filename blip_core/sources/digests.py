"""Digests of picture files that somebody names: what changes when a picture does."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blip_core import strict_json
from blip_core.errors import TableError
from blip_core.images import decoding_key
from blip_core.sources.folder import category_of, picture_names
from blip_core.sources.named_files import find_below, read_below
from blip_core.sources.unchanged import while_unchanged

UNREADABLE = "unreadable"


def folder_digest(folder: Path, recursive: bool = True) -> str:
    """Digest of the names, categories and bytes of a folder's pictures, and of what decodes them.

    Where the folder lies does not enter; its own name does, as the category of the pictures directly in it.

    Raises:
        TableError: See `read_folder`.
    """
    names = picture_names(folder, recursive)
    pictures = {ascii(name): [category_of(folder, name), picture_digest(folder, name)] for name in names}
    return content_digest({"decoding": decoding_key(), "pictures": pictures})


def content_digest(content: Mapping[str, Any]) -> str:
    """sha256, in hex, of what JSON holds."""
    return hashlib.sha256(strict_json.dumps(content, sort_keys=True).encode()).hexdigest()


def picture_digest(folder: Path, name: str) -> str:
    """Digest of the file below a folder that a name means, read once for as long as it stays.

    What `read_below` refuses has a digest of its own: once it can be read, the digest changes.
    """
    try:
        return _digest_of(find_below(folder, name), folder, name)
    except (OSError, TableError):
        return UNREADABLE


@while_unchanged
def _digest_of(path: Path, folder: Path, name: str) -> str:
    return hashlib.sha256(read_below(folder, name)).hexdigest()
