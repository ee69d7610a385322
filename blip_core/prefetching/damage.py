"""Whether a checkpoint's folder still holds what was locked."""

import hashlib
from functools import cache
from pathlib import Path

from blip_core.errors import CheckpointError
from blip_core.lfs import ADVICE, is_lfs_pointer_file
from blip_core.prefetching.lock import LockedCheckpoint, LockedFile

MODEL_SUFFIXES = (".safetensors", ".gguf", ".json", ".txt", ".model", ".jinja")
"""Files that a loader reads; all others of a checkpoint are neither fetched nor locked."""


def damage(folder: Path, locked: LockedCheckpoint, thorough: bool = False) -> list[str]:
    """What is wrong with a folder, a line a file; empty where all is as it was locked.

    A file whose size and time are those of the lock is taken as unchanged and not read, which makes this
    cheap enough for every load.

    Args:
        folder: of the checkpoint.
        locked: what it should hold.
        thorough: compare every file with its sha256, whatever its time says.
    """
    wrong = [_file_damage(folder / name, file, thorough) for name, file in locked.files.items()]
    extra = [f"{name} is not in the lock" for name in model_files(folder) if name not in locked.files]
    return [line for line in wrong if line] + extra


def model_files(folder: Path) -> list[str]:
    """Names, relative to a checkpoint's folder, of the files that a loader may read."""
    names = [path.relative_to(folder) for path in folder.rglob("*") if path.suffix in MODEL_SUFFIXES]
    shown = [name for name in names if not any(part.startswith(".") for part in name.parts)]
    return sorted(name.as_posix() for name in shown if (folder / name).is_file())


def refuse_unfetched(folder: Path) -> None:
    """Refuse a clone of a checkpoint whose weights git-lfs never brought.

    Raises:
        CheckpointError: A file that a loader or the converter reads is a git-lfs pointer.
    """
    pickled = (path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.bin")))
    for name in (*model_files(folder), *pickled):
        if is_lfs_pointer_file(folder / name):
            raise CheckpointError(f"{folder / name} {ADVICE}")


def lock_file(path: Path, made_from: str = "") -> LockedFile:
    """Read a file and describe it as it is now."""
    stat = path.stat()
    return LockedFile(stat.st_size, sha256_of(path), stat.st_mtime_ns, made_from)


def sha256_of(path: Path) -> str:
    """sha256 of a file in hex; read once for as long as its size and time stay."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


def _file_damage(path: Path, locked: LockedFile, thorough: bool) -> str:
    try:
        stat = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return f"{path.name} is missing"
    if stat.st_size != locked.size:
        return f"{path.name} has {stat.st_size:,} bytes instead of {locked.size:,}"
    if stat.st_mtime_ns == locked.modified_ns and not thorough:
        return ""
    digest = read_sha256(path) if thorough else sha256_of(path)
    return "" if digest == locked.sha256 else f"{path.name} is not what was locked (its sha256 differs)"


@cache
def _sha256(path: Path, size: int, modified_ns: int) -> str:
    return read_sha256(path)


def read_sha256(path: Path) -> str:
    """sha256 of a file in hex; reads it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
