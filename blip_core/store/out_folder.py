"""A folder that a person named, which appears whole or not at all."""

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blip_core.errors import PlaceError
from blip_core.store.durable import sync_tree

_UNFINISHED = ".unfinished-"
_FULL_DISK = {errno.ENOSPC, errno.EDQUOT}
_READABLE = 0o755  # a temporary folder is its maker's alone


def check_empty(out: Path) -> None:
    """Refuse a place that holds something.

    Raises:
        PlaceError: It is a file, or a folder with something in it.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise PlaceError(
            f"{out} is not empty, and nothing is overwritten; name a folder that is new or empty"
        )


@contextmanager
def published_folder(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its place when all went well, and else goes.

    Raises:
        PlaceError: `out` cannot be written, or the disk is full.
    """
    check_empty(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}{_UNFINISHED}", dir=out.parent))
    except OSError as error:
        raise PlaceError(f"{out} cannot be written: {error.strerror}; name another folder") from error
    try:
        yield folder
        folder.chmod(_READABLE)
        sync_tree(folder)
        folder.replace(out)
    except OSError as error:
        reason = "its disk is full" if error.errno in _FULL_DISK else str(error)
        raise PlaceError(f"{out} cannot be written: {reason}; nothing of it was kept") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
