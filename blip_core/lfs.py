"""Files that git-lfs manages and that were never fetched: a few lines of text stand in their place."""

from pathlib import Path

MAX_POINTER_BYTES = 1_024  # the specification's: a larger file is no pointer
ADVICE = "is a git-lfs pointer, not the file itself: run `git lfs pull` where it came from"

_VERSIONS = (  # the specification's, and two older ones that git-lfs still reads
    b"version https://git-lfs.github.com/spec/v1",
    b"version https://hawser.github.com/spec/v1",
    b"version http://git-media.io/v/2",
)
_DIGEST = b"oid sha256:"


def is_lfs_pointer(data: bytes) -> bool:
    """Whether the bytes of a file, or the first `MAX_POINTER_BYTES + 1` of them, are a git-lfs pointer.

    Source: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md. Line ends may be Windows'.
    """
    return len(data) <= MAX_POINTER_BYTES and data.startswith(_VERSIONS) and _DIGEST in data


def is_lfs_pointer_file(path: Path) -> bool:
    """Whether a file is a git-lfs pointer; False where it cannot be read.

    Only `MAX_POINTER_BYTES + 1` bytes are read, however large it is.
    """
    try:
        with path.open("rb") as file:
            return is_lfs_pointer(file.read(MAX_POINTER_BYTES + 1))
    except OSError:
        return False
