"""Files that are still there after a power cut, and what the file system refuses in plain words."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blip_core.errors import PlaceError, StoreError
from blip_core.store.manifest import plain_files

_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOENT, errno.EEXIST}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def sync(path: Path) -> None:
    """Bring one file, or the list of names in one folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Bring a folder with all that is in it to the disk, files before the folders that name them."""
    for path in plain_files(folder):
        sync(path)
    for below in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        sync(below)
    sync(folder)


@contextmanager
def explained(root: Path) -> Iterator[None]:
    """Say in plain words why a place cannot be written.

    Raises:
        PlaceError: The folder cannot be written.
        StoreError: The disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise full(root, error) from error
        if error.errno in _NOT_WRITABLE:
            raise PlaceError(
                f"the store {root} cannot be written ({error.strerror}: {error.filename}); "
                "choose a folder that is yours, or mend its permissions"
            ) from error
        raise


def is_full(error: OSError) -> bool:
    """Whether a disk, or a share of it, is full."""
    return error.errno in _FULL


@contextmanager
def explained_if_full(root: Path) -> Iterator[None]:
    """Translate a full disk alone: whatever else a builder meets is its own to explain.

    Raises:
        StoreError: The disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise full(root, error) from error
        raise


def full(root: Path, error: OSError) -> StoreError:
    return StoreError(
        f"the disk of the store {root} is full ({error.strerror}); what was finished is kept: "
        "make room and run again"
    )
